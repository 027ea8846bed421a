import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { after, before, describe, it } from 'node:test';
import type { Resource } from '#apis/definition.ts';
import { createClient } from '#client/api-client.ts';
import { httpsTransport, type HttpsTransportOptions } from '#client/https-transport.ts';
import { createInformers } from '#client/informer.ts';
import { until } from '#core/testing.ts';
import { createAuthority, issueCertificate, type KeyPair } from '#wire/certificates.ts';

const things: Resource = { group: 'example.dev', version: 'v1', plural: 'things', kind: 'Thing', namespaced: true };
const thing = (name: string, version: number) => ({ metadata: { name, namespace: 'n', uid: name, resourceVersion: String(version) } });

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

async function listen(server: Server, port = 0): Promise<number> {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** A plain HTTP server and a transport to it; both end with the scope. */
async function plain(handler: Handler, options: Partial<HttpsTransportOptions> = {}) {
  const server = createHttpServer(handler);
  const port = await listen(server);
  const transport = httpsTransport({ server: `http://127.0.0.1:${port}`, ...options });
  return {
    server,
    port,
    transport,
    async [Symbol.asyncDispose]() {
      await transport[Symbol.asyncDispose]();
      server.closeAllConnections();
      server.close();
    },
  };
}

const json = (response: ServerResponse, body: unknown, status = 200) => {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
};

describe('HTTPS transport, over TLS', () => {
  let authority: KeyPair;
  let server: ReturnType<typeof createHttpsServer>;
  let address: string;
  before(async () => {
    authority = await createAuthority('test-ca', 1);
    const own = await issueCertificate(authority, { commonName: 'api', hosts: ['127.0.0.1'], usage: 'server', days: 1 });
    server = createHttpsServer(
      { cert: own.certificate, key: own.privateKey, ca: authority.certificate, requestCert: true, rejectUnauthorized: false },
      (request, response) =>
        json(response, {
          metadata: { name: (request.socket as TLSSocket).getPeerCertificate().subject?.CN ?? 'nobody' },
          token: request.headers.authorization ?? null,
          port: request.socket.remotePort,
        }),
    );
    address = `https://127.0.0.1:${await listen(server)}`;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  it('shows its client certificate and keeps the connection', async () => {
    const { certificate, privateKey } = await issueCertificate(authority, { commonName: 'me', usage: 'client', days: 1 });
    await using transport = httpsTransport({
      server: address,
      certificateAuthority: authority.certificate,
      clientCertificate: { certificate, key: privateKey },
    });
    const answers = [await transport.request({ method: 'GET', path: '/a' }), await transport.request({ method: 'GET', path: '/b' })];
    const [first, second] = answers.map(({ body }) => body as { metadata: { name: string }; port: number });
    assert.equal(first?.metadata.name, 'me');
    assert.equal(first?.port, second?.port);
    assert.ok(Object.isFrozen(first?.metadata));
  });

  it('sends the token of the moment', async () => {
    let token = 'one';
    await using transport = httpsTransport({ server: address, certificateAuthority: authority.certificate, token: () => token });
    const ask = async () => ((await transport.request({ method: 'GET', path: '/' })).body as { token: string }).token;
    assert.equal(await ask(), 'Bearer one');
    token = 'two';
    assert.equal(await ask(), 'Bearer two');
  });

  it('refuses a server it has no reason to trust', async () => {
    await using transport = httpsTransport({ server: address });
    await assert.rejects(transport.request({ method: 'GET', path: '/' }), {
      reason: 'ServiceUnavailable',
      message: /cannot reach the API server/,
    });
  });
});

describe('HTTPS transport', () => {
  it('fails retriably when nobody listens', async () => {
    const probe = createHttpServer();
    const port = await listen(probe);
    probe.close();
    await using transport = httpsTransport({ server: `http://127.0.0.1:${port}` });
    await assert.rejects(transport.request({ method: 'GET', path: '/' }), { reason: 'ServiceUnavailable', message: /ECONNREFUSED/ });
  });

  it('gives up a server that does not answer', async () => {
    await using far = await plain(() => {}, { timeoutMs: 50 });
    await assert.rejects(far.transport.request({ method: 'GET', path: '/slow' }), {
      reason: 'Timeout',
      message: 'GET /slow: no answer within 0.05 s',
    });
    const watch = far.transport.watch({ method: 'GET', path: '/slow', signal: new AbortController().signal });
    await assert.rejects(Array.fromAsync(watch), { reason: 'Timeout' });
  });

  it('bounds what it reads', async () => {
    await using far = await plain((_, response) => response.end('x'.repeat(5000)), { maxAnswerBytes: 4000, maxWatchLineBytes: 4000 });
    await assert.rejects(far.transport.request({ method: 'GET', path: '/' }), { reason: 'RequestEntityTooLarge' });
    const watch = far.transport.watch({ method: 'GET', path: '/', signal: new AbortController().signal });
    await assert.rejects(Array.fromAsync(watch), { message: /longer than 4000/ });
  });

  it('reads once more when a kept connection was closed meanwhile, but never writes twice', async () => {
    let posts = 0;
    await using far = await plain((request, response) => {
      if (request.method === 'POST') posts += 1;
      json(response, {});
    });
    far.server.on('connection', (socket) => {
      let requests = 0;
      socket.on('data', () => (requests += 1) > 1 && socket.resetAndDestroy());
    });
    await far.transport.request({ method: 'GET', path: '/' });
    assert.equal((await far.transport.request({ method: 'GET', path: '/' })).status, 200);
    await assert.rejects(far.transport.request({ method: 'POST', path: '/', body: {} }), { reason: 'ServiceUnavailable' });
    assert.ok(posts <= 1);
  });

  it('ends with the reason of the caller that aborts', async () => {
    await using far = await plain((request, response) => {
      if (request.url?.startsWith('/w')) response.write('{"type":"ADDED","object":{}}\n');
    });
    const stop = new AbortController();
    const request = assert.rejects(far.transport.request({ method: 'GET', path: '/', signal: stop.signal }), /enough/);
    const frames: string[] = [];
    const watch = assert.rejects(async () => {
      for await (const { type } of far.transport.watch({ method: 'GET', path: '/w', signal: stop.signal })) {
        frames.push(type);
        stop.abort(new Error('enough'));
      }
    }, /enough/);
    await Promise.all([request, watch]);
    assert.deepEqual(frames, ['ADDED']);
  });

  it('streams both ways at once', async () => {
    await using far = await plain((request, response) => {
      response.writeHead(200);
      request.on('data', (chunk: Buffer) => response.write(`got ${chunk.toString()};`));
      request.on('end', () => response.end());
    });
    let heard = () => {};
    const body = (async function* () {
      yield Buffer.from('one');
      await new Promise<void>((resolve) => (heard = resolve));
      yield Buffer.from('two');
    })();
    const { status, chunks } = await far.transport.stream({ method: 'POST', path: '/', body, signal: new AbortController().signal });
    let text = '';
    for await (const chunk of chunks) {
      text += Buffer.from(chunk).toString();
      heard();
    }
    assert.equal(status, 200);
    assert.equal(text, 'got one;got two;');
  });

  it('carries an informer over a restart of the server', async () => {
    const watches: (string | null)[] = [];
    const open = new Set<ServerResponse>();
    let lists = 0;
    const handler: Handler = (request, response) => {
      const query = new URL(request.url ?? '', 'http://x').searchParams;
      if (query.get('watch') === null) {
        lists += 1;
        return json(response, { metadata: { resourceVersion: '5' }, items: [thing('a', 3)] });
      }
      watches.push(query.get('resourceVersion'));
      response.writeHead(200, { 'content-type': 'application/json' });
      response.flushHeaders();
      open.add(response);
    };
    const send = (type: string, object: unknown) => {
      for (const response of open) response.write(`${JSON.stringify({ type, object })}\n`);
    };
    await using far = await plain(handler);
    await using informers = createInformers(createClient(far.transport));
    const informer = informers.of(things);
    await informers.start();
    await until('one open watch', () => open.size === 1);
    send('ADDED', thing('b', 6));
    await until('2 in the cache', () => informer.list().length === 2);

    open.clear();
    far.server.closeAllConnections();
    await new Promise((resolve) => far.server.close(resolve));
    assert.equal(informer.list().length, 2);

    const again = createHttpServer(handler);
    await listen(again, far.port);
    await until('one open watch', () => open.size === 1);
    send('DELETED', thing('a', 7));
    await until('1 in the cache', () => informer.list().length === 1);
    assert.deepEqual([lists, watches[0], watches.at(-1)], [1, '5', '6']);
    again.closeAllConnections();
    again.close();
  });
});
