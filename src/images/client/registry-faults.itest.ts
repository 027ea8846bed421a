import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { serveOutbound } from '../outbound.ts';
import { digestOf } from '../store/blob-store.ts';
import { freePort, openMachine, putImage } from '../testing.ts';

const root = mkdtempSync(join(tmpdir(), 'dormouse-faults-'));
const signal = AbortSignal.timeout(120_000);
const closing: AsyncDisposable[] = [];
const layer = randomBytes(3 << 20);
const layerPath = `/v2/team/app/blobs/${digestOf(layer)}`;
let machines = 0;

const open: typeof openMachine = async (directory, more) => {
  machines += 1;
  const machine = await openMachine(join(directory, `store-${machines}`), more);
  closing.push(machine);
  return machine;
};

/** Handles a request itself (true) or leaves it to the registry behind. */
type Fault = (request: IncomingMessage, response: ServerResponse) => boolean;

/** A registry behind a server that has faults; says what it was asked for. */
async function faulty(url: string, fault: Fault): Promise<{ readonly host: string; readonly asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}${request.headers.range === undefined ? '' : ` ${request.headers.range}`}`);
    if (fault(request, response)) return;
    const { method = 'GET', headers } = request;
    const upstream = httpRequest(`${url}${request.url}`, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    request.pipe(upstream);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  closing.unshift({
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  });
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

/** The first `times` requests that fit. */
function first(times: number, fits: (request: IncomingMessage) => boolean): (request: IncomingMessage) => boolean {
  let left = times;
  return (request) => fits(request) && left-- > 0;
}

async function origin() {
  const machine = await open(root);
  return { ...machine, digest: await putImage(machine.store, `${machine.host}/team/app:1`, layer) };
}

describe('a registry with faults', () => {
  after(async () => {
    for (const one of closing) await one[Symbol.asyncDispose]();
    rmSync(root, { recursive: true, force: true });
  });

  it('is asked again when it is overloaded, and the error says what it answered when it stays so', async () => {
    const { url, digest } = await origin();
    const twice = first(2, ({ url: path }) => path === '/v2/team/app/manifests/1');
    const passing = await faulty(url, (request, response) => twice(request) && (response.writeHead(503).end(), true));
    const { store } = await open(root);
    assert.equal(await store.pull(`${passing.host}/team/app:1`, [], signal), digest);
    const down = await faulty(
      url,
      (_, response) => (response.writeHead(500).end('{"errors":[{"code":"UNKNOWN","message":"no disk"}]}'), true),
    );
    await assert.rejects(store.pull(`${down.host}/team/app:1`, [], signal), (error: Error) => {
      assert.match(error.message, /^failed to pull and unpack image "127.0.0.1:\d+\/team\/app:1": failed to resolve reference/);
      assert.match(error.message, new RegExp(`unexpected status from HEAD request to http://${down.host}/v2/team/app/manifests/1: 500`));
      return true;
    });
    assert.equal(down.asked.length, 4);
  });

  for (const ranges of [true, false]) {
    it(`${ranges ? 'goes on where' : 'begins again when'} a blob broke off${ranges ? '' : ' and the registry knows no ranges'}`, async () => {
      const { url, digest } = await origin();
      const tears = first(2, ({ method, url: path }) => method === 'GET' && path === layerPath);
      const { host, asked } = await faulty(url, (request, response) => {
        if (!ranges) delete request.headers.range;
        if (!tears(request)) return false;
        const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
        const partial = from > 0 ? { 'content-range': `bytes ${from}-${layer.length - 1}/${layer.length}` } : {};
        response.writeHead(from > 0 ? 206 : 200, { 'content-length': String(layer.length - from), ...partial });
        response.write(layer.subarray(from, from + (1 << 20)), () => response.destroy());
        return true;
      });
      const { store } = await open(root);
      assert.equal(await store.pull(`${host}/team/app:1`, [], signal), digest);
      assert.deepEqual(await store.blobs.read(digestOf(layer)), layer);
      const downloads = asked.filter((line) => line.startsWith(`GET ${layerPath}`));
      assert.equal(downloads.length, 3);
      assert.match(downloads[1] ?? '', /bytes=\d+-$/);
      if (ranges) assert.notEqual(downloads[1], downloads[2]);
    });
  }

  it('sends a damaged blob: refused with both digests, nothing is kept', async () => {
    const { url } = await origin();
    const damaged = Buffer.from(layer);
    damaged[1000] = (damaged[1000] ?? 0) ^ 1;
    const { host } = await faulty(url, ({ method, url: path }, response) => {
      if (method !== 'GET' || path !== layerPath) return false;
      response.writeHead(200, { 'content-length': String(damaged.length) }).end(damaged);
      return true;
    });
    const machine = await open(root);
    await assert.rejects(
      machine.store.pull(`${host}/team/app:1`, [], signal),
      new RegExp(
        `^ImageError: failed to pull and unpack image "${host}/team/app:1": content has digest ${digestOf(damaged)}, expected ${digestOf(layer)}$`,
      ),
    );
    assert.equal(await machine.store.blobs.size(digestOf(layer)), undefined);
    assert.deepEqual(readdirSync(join(machine.store.directory, 'ingest')), []);
    assert.deepEqual(await machine.images.list(), []);
  });

  it('sends more than it announced, or another manifest than was asked for: refused', async () => {
    const { url } = await origin();
    const { host } = await faulty(url, ({ method, url: path }, response) => {
      if (method !== 'GET' || path !== layerPath) return false;
      response.writeHead(200).end(Buffer.concat([layer, layer]));
      return true;
    });
    const { store } = await open(root);
    await assert.rejects(store.pull(`${host}/team/app:1`, [], signal), new RegExp(`content is larger than ${layer.length} bytes`));
    const liar = await faulty(url, ({ method, url: path = '' }, response) => {
      if (method !== 'GET' || !path.includes('/manifests/')) return false;
      response.writeHead(200).end('{"schemaVersion":2}');
      return true;
    });
    const another = await open(root);
    await assert.rejects(another.store.pull(`${liar.host}/team/app:1`, [], signal), /manifest has digest sha256:\w+, expected sha256:\w+/);
  });

  it('is spared by its mirrors, one after the other; one that fails half-way leaves the rest to the registry', async () => {
    const { url, host, digest } = await origin();
    const mirror = await faulty(url, () => false);
    const half = await faulty(url, ({ url: path }, response) => path === layerPath && (response.writeHead(404).end(), true));
    const dead = `http://127.0.0.1:${await freePort()}`;
    const reference = (registry: string) => `${registry}/team/app:1`;
    const one = await open(root, { mirrors: { 'registry.invalid': [dead, `http://${mirror.host}/`] } });
    assert.equal(await one.store.pull(reference('registry.invalid'), [], signal), digest);
    assert.ok(mirror.asked.includes(`GET ${layerPath}`));
    const two = await open(root, { mirrors: { '*': [`http://${half.host}`] } });
    assert.equal(await two.store.pull(reference(host), [], signal), digest);
    assert.ok(half.asked.includes(`GET ${layerPath}`));
    const none = await open(root, { mirrors: { 'registry.invalid': [dead] } });
    await assert.rejects(
      none.store.pull(reference('registry.invalid'), [], signal),
      new RegExp(`lookup registry.invalid: (no such host|temporary failure in name resolution); mirror ${dead}: .*connection refused`),
    );
  });

  it('is reached by the proxy of the environment, on loopback without', async () => {
    const { url, host, digest } = await origin();
    const proxy = await faulty(url, (request) => {
      request.url = new URL(request.url ?? '').pathname;
      return false;
    });
    process.env['HTTP_PROXY'] = `http://${proxy.host}`;
    try {
      // On its own host a mirror only says that the registry has no TLS.
      const { store } = await open(root, { mirrors: { 'registry.invalid': ['http://registry.invalid'] } });
      assert.equal(await store.pull('registry.invalid/team/app:1', [], signal), digest);
      assert.ok(proxy.asked.includes(`GET http://registry.invalid${layerPath}`));
      const asked = proxy.asked.length;
      assert.equal(await store.pull(`${host}/team/app:1`, [], signal), digest);
      assert.equal(proxy.asked.length, asked);
    } finally {
      delete process.env['HTTP_PROXY'];
    }
  });

  it('is reached through another process where this one has no network', async () => {
    const { host, digest } = await origin();
    const outbound = join(root, 'out.sock');
    closing.unshift(await serveOutbound(outbound));
    const { store } = await open(root, { outbound });
    assert.equal(await store.pull(`${host}/team/app:1`, [], signal), digest);
    await assert.rejects(store.pull(`localhost:${await freePort()}/x`, [], signal), /dial tcp .*: connect: connection refused/);
    await assert.rejects(store.pull('registry.invalid/x', [], signal), /lookup registry.invalid: (no such host|temporary failure)/);
    const gone = await open(root, { outbound: join(root, 'nobody.sock') });
    await assert.rejects(gone.store.pull(`${host}/team/app:1`, [], signal), /ENOENT.*nobody.sock/);
  });

  it('is reached through another process by the proxy of that process, which may want a password and may refuse', async () => {
    const { host, digest } = await origin();
    const asked: string[] = [];
    const proxy = createServer().on('connect', (request, client) => {
      const { 'proxy-authorization': authorization = '' } = request.headers;
      asked.push(`${request.url} ${Buffer.from(authorization.replace('Basic ', ''), 'base64').toString()}`);
      if (request.url !== 'registry.invalid:80') return void client.end('HTTP/1.1 403 Forbidden\r\n\r\n');
      const upstream = connect(Number(host.split(':')[1]), '127.0.0.1', () => {
        client.write('HTTP/1.1 200 Connection established\r\n\r\n');
        client.pipe(upstream).pipe(client);
      });
      for (const socket of [client, upstream]) socket.on('error', () => socket.destroy());
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    closing.unshift({ [Symbol.asyncDispose]: async () => void proxy.close() });
    const outbound = join(root, 'proxied.sock');
    const address = `user:p%40ss@127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    closing.unshift(await serveOutbound(outbound, { HTTP_PROXY: `http://${address}`, NO_PROXY: 'direct.invalid' }));
    const mirrors = Object.fromEntries(['registry', 'refused', 'direct'].map((name) => [`${name}.invalid`, [`http://${name}.invalid`]]));
    const { store } = await open(root, { outbound, mirrors });
    assert.equal(await store.pull('registry.invalid/team/app:1', [], signal), digest);
    assert.ok(
      asked.every((line) => line === 'registry.invalid:80 user:p@ss'),
      asked.join(),
    );
    await assert.rejects(store.pull('refused.invalid/x', [], signal), /the proxy 127\.0\.0\.1:\d+ refuses the connection: 403 Forbidden/);
    await assert.rejects(store.pull('direct.invalid/x', [], signal), /lookup direct.invalid: (no such host|temporary failure)/);
    assert.equal(await store.pull(`${host}/team/app:1`, [], signal), digest);
  });
});
