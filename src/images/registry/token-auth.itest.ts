import assert from 'node:assert/strict';
import { createPrivateKey, randomBytes, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { SignJWT } from 'jose';
import { createAuthority, type KeyPair } from '#wire/certificates.ts';
import type { RegistryCredential } from '#apis/runtime/image-service.ts';
import { freePort, missingProgram, openMachine, putImage, startDaemon } from '../testing.ts';

let root = '';
const signal = AbortSignal.timeout(120_000);
const closing: AsyncDisposable[] = [];

interface Request {
  readonly method: string;
  readonly user: string;
  readonly scope: string;
}

/**
 * A token service as the distribution specification has it: ada may push and pull, bob only pull, everybody reads `public/`; ada's refresh
 * token is `r-ada`. Tokens last for `lifetimeSeconds`.
 */
class TokenService {
  readonly asked: Request[] = [];
  lifetimeSeconds = 60;
  readonly #keys: KeyPair;
  readonly #server: Server;

  constructor(keys: KeyPair) {
    this.#keys = keys;
    this.#server = createServer((request, response) => void this.#answer(request, response)).listen(0, '127.0.0.1');
  }

  async url(): Promise<string> {
    if (!this.#server.listening) await new Promise((resolve) => this.#server.once('listening', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/token`;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const form = request.method === 'POST' ? new URLSearchParams(await text(request)) : new URL(request.url ?? '', 'http://x').searchParams;
    const user = this.#user(request, form);
    if (user === undefined) {
      response.writeHead(401).end('{}');
      return;
    }
    this.asked.push({ method: request.method ?? '', user, scope: form.get('scope') ?? '' });
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(await this.#token(user, form)));
  }

  #user(request: IncomingMessage, form: URLSearchParams): string | undefined {
    if (request.method === 'POST')
      return form.get('grant_type') === 'refresh_token' && form.get('refresh_token') === 'r-ada' ? 'ada' : undefined;
    const pair = Buffer.from((request.headers.authorization ?? '').replace(/^Basic /, ''), 'base64').toString();
    return new Map([
      ['', ''],
      ['ada:lovelace', 'ada'],
      ['bob:pw', 'bob'],
    ]).get(pair);
  }

  async #token(user: string, form: URLSearchParams): Promise<object> {
    const [type = '', name = '', wanted = ''] = (form.get('scope') ?? '').split(':');
    const allowed = user === 'ada' ? ['pull', 'push'] : user === 'bob' || name.startsWith('public/') ? ['pull'] : [];
    const access = [{ type, name, actions: wanted.split(',').filter((action) => allowed.includes(action)) }];
    const certificate = new X509Certificate(this.#keys.certificate).raw.toString('base64');
    const token = await new SignJWT({ access })
      .setProtectedHeader({ alg: 'ES256', typ: 'JWT', x5c: [certificate] })
      .setIssuer('issuer')
      .setSubject(user)
      .setAudience(form.get('service') ?? '')
      .setJti(randomBytes(8).toString('hex'))
      .setIssuedAt()
      .setNotBefore('-10s')
      .setExpirationTime(`${this.lifetimeSeconds}s`)
      .sign(createPrivateKey(this.#keys.privateKey));
    return form.has('grant_type') ? { access_token: token } : { token };
  }
}

describe('a registry with a token service', { skip: missingProgram('docker-registry') }, () => {
  before(() => {
    root = mkdtempSync(join(tmpdir(), 'dormouse-token-'));
  });
  after(async () => {
    for (const one of closing) await one[Symbol.asyncDispose]();
    rmSync(root, { recursive: true, force: true });
  });

  it('lets in who may, for what they may; a refresh token is exchanged, a refused token not asked for for ever', async (test) => {
    const keys = await createAuthority('issuer', 1);
    const tokens = new TokenService(keys);
    closing.push(tokens);
    const port = await freePort();
    writeFileSync(join(root, 'issuer.crt'), keys.certificate);
    const settings = {
      version: 0.1,
      storage: { filesystem: { rootdirectory: join(root, 'data') } },
      http: { addr: `127.0.0.1:${port}` },
      auth: { token: { realm: await tokens.url(), service: 'the-registry', issuer: 'issuer', rootcertbundle: join(root, 'issuer.crt') } },
    };
    writeFileSync(join(root, 'registry.yml'), JSON.stringify(settings));
    const registry = `localhost:${port}`;
    const daemon = await startDaemon('docker-registry', ['serve', join(root, 'registry.yml')], {
      log: join(root, 'registry.log'),
      answers: () => fetch(`http://${registry}/v2/`),
    });
    if (typeof daemon === 'string') return test.skip(daemon);
    closing.unshift(daemon);

    const machine = await openMachine(join(root, 'here'));
    closing.unshift(machine);
    const { store, images } = machine;
    const digest = await putImage(store, 'made:1', randomBytes(2 << 20));
    const login = (username: string, password: string): RegistryCredential => ({ registry, username, password });
    const [ada, bob] = [login('ada', 'lovelace'), login('bob', 'pw')];
    const target = `${registry}/team/app:1`;
    const push = (credentials: readonly RegistryCredential[], to = target) => images.push({ source: 'made:1', target: to, credentials });

    await assert.rejects(
      push([]),
      /^ImageError: failed to push image "localhost:\d+\/team\/app:1": push access denied, repository does not exist or may require authorization/,
    );
    await assert.rejects(push([bob]), /push access denied/);
    await assert.rejects(push([login('ada', 'wrong')]), /failed to authorize: failed to fetch oauth token: .*\/token\?.*: 401/);
    await push([ada]);
    await push([ada], `${registry}/public/app:1`);
    assert.deepEqual(tokens.asked.at(-1), { method: 'GET', user: 'ada', scope: 'repository:public/app:pull,push' });

    const pull = async (credentials: readonly RegistryCredential[], reference = target) => {
      await using there = await openMachine(join(root, `there-${randomBytes(4).toString('hex')}`));
      return there.store.pull(reference, credentials, signal);
    };
    await assert.rejects(pull([]), /pull access denied/);
    assert.equal(await pull([bob]), digest);
    assert.equal(await pull([], `${registry}/public/app:1`), digest);
    assert.equal(await pull([{ registry, username: '', password: '', identityToken: 'r-ada' }]), digest);
    assert.deepEqual(tokens.asked.at(-1), { method: 'POST', user: 'ada', scope: 'repository:team/app:pull' });
    // As the kubelet does it: each login that fits is tried, the one for the path before the one for the host.
    assert.equal(await pull([login('eve', 'x'), { ...bob, registry: `${registry}/team` }]), digest);
    assert.equal(await pull([{ ...login('eve', 'x'), registry: `${registry}/team` }, bob]), digest);
    assert.equal(await store.resolve(target, [bob], signal), `${registry}/team/app@${digest}`);

    tokens.asked.length = 0;
    tokens.lifetimeSeconds = -3600;
    await assert.rejects(pull([ada]), /pull access denied/);
    assert.ok(tokens.asked.length <= 2, 'a token that is refused is not asked for again and again');
  });
});
