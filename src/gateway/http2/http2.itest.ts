import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { constants, type ServerHttp2Stream } from 'node:http2';
import type { ServerResponse } from 'node:http';
import { connect as connectTls } from 'node:tls';
import { test } from 'node:test';
import { promisify } from 'node:util';
import fc from 'fast-check';
import type { AccessRecord } from '#gateway/proxy/context.ts';
import { startProxy, testEach } from '#gateway/testing/each-transport.ts';
import { h2cUpstream, Http2TestClient } from '#gateway/testing/http2.ts';
import { eventually, RawClient } from '#gateway/testing/raw-client.ts';
import { singleRoute, testBackend } from '#gateway/testing/routes.ts';
import { testTls } from '#gateway/testing/tls.ts';
import { httpUpstream, tcpUpstream } from '#gateway/testing/upstream.ts';

const h2c = { protocol: 'h2c' } as const;

/** Answers with what came, and trailers. */
function echo(stream: ServerHttp2Stream, headers: Record<string, unknown>): void {
  const parts: Buffer[] = [];
  let trailers = {};
  stream.on('trailers', (fields: Record<string, string>) => (trailers = { ...fields }));
  stream.on('data', (part: Buffer) => parts.push(part));
  stream.on('end', () => {
    // A client that took its request back has ended it, too.
    if (stream.destroyed) return;
    if (headers[':method'] === 'HEAD') return stream.respond({ ':status': 200, 'x-seen': 'head' }, { endStream: true });
    stream.respond({ ':status': 200, 'content-type': 'text/plain' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-check': 'done' }));
    stream.end(JSON.stringify({ headers, trailers, bytes: Buffer.concat(parts).length }));
  });
}
const seen = (body: string) => JSON.parse(body) as { headers: Record<string, string>; trailers: Record<string, string>; bytes: number };

testEach('an HTTP/2 client and an HTTP/1.1 container', async (transport) => {
  await using upstream = await httpUpstream((request, response) => {
    let bytes = 0;
    request.on('data', (part: Buffer) => (bytes += part.length));
    request.on('end', () => {
      response.setHeader('Set-Cookie', ['a=1', 'b=2']);
      response.addTrailers({ 'X-Check': 'done' });
      response.end(JSON.stringify({ headers: request.headers, trailers: request.trailers, bytes }));
    });
  });
  await using it = await startProxy(singleRoute([upstream.port]), { transport });
  using client = new Http2TestClient(it.port);
  const got = await client.ask('/x', { cookie: 'c=3', 'k-network-hash': 'forged', te: 'trailers' });
  assert.equal(got.status, 200);
  assert.deepEqual(got.headers['set-cookie'], ['a=1', 'b=2']);
  const { headers } = seen(got.body);
  assert.equal(headers.host, 'app.test');
  assert.equal(headers.cookie, 'c=3');
  assert.equal(headers['x-forwarded-for'], '127.0.0.1');
  assert.equal(headers.forwarded, 'for=127.0.0.1;proto=http;host=app.test');
  assert.ok(headers.traceparent !== undefined && headers['x-request-id'] !== undefined);
  assert.deepEqual([headers['k-network-hash'], headers.te, headers.connection], [undefined, undefined, undefined]);
  assert.equal(seen((await client.ask('/', {}, Buffer.alloc(3_000_000))).body).bytes, 3_000_000);
  assert.equal(seen((await client.ask('/', { 'content-length': '5' }, 'hello')).body).bytes, 5);
  const head = await client.ask('/', { ':method': 'HEAD' });
  assert.deepEqual([head.status, head.body, head.reset], [200, '', 0]);
  assert.equal(it.proxy.connections, 1);
  assert.equal(it.proxy.backends.get('app')?.running, 0);
});

testEach('an HTTP/1.1 client and an HTTP/2 container', async (transport) => {
  await using upstream = await h2cUpstream(echo);
  await using it = await startProxy(singleRoute([upstream.port], h2c), { transport });
  using client = new RawClient(it.port);
  client.send('GET /a HTTP/1.1\r\nHost: app.test\r\nX-Two: 1\r\nX-Two: 2\r\nConnection: X-Two\r\nUpgrade: h2c\r\n\r\n');
  const got = await client.until((text) => text.endsWith('x-check: done\r\n\r\n'));
  assert.match(got, /^HTTP\/1\.1 200 OK\r\n[^]*Transfer-Encoding: chunked\r\n/);
  const { headers } = seen(/\{.*\}/s.exec(got)?.[0] ?? '');
  assert.deepEqual(
    [headers[':method'], headers[':path'], headers[':authority'], headers['x-two'], headers.te, headers['x-forwarded-host']],
    ['GET', '/a', 'app.test', undefined, 'trailers', 'app.test'],
  );
  const from = client.received.length;
  client.send('POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n');
  client.send('2;ext=1\r\nde\r\n0\r\nX-Sum: 42\r\n\r\n');
  await client.until((text) => text.length > from && text.endsWith('x-check: done\r\n\r\n'));
  const posted = seen(/\{.*\}/s.exec(client.received.slice(from))?.[0] ?? '');
  assert.deepEqual([posted.bytes, posted.trailers['x-sum']], [5, '42']);
  const before = client.received.length;
  client.send('HEAD / HTTP/1.1\r\nHost: app.test\r\n\r\nGET /pipelined HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n');
  const rest = (await client.untilEnd()).slice(before);
  assert.match(rest, /^HTTP\/1\.1 200 OK\r\nx-seen: head\r\n[^]*\r\n\r\nHTTP\/1\.1 200 OK\r\n[^]*pipelined/);
  assert.equal(upstream.connections(), 1);
});

testEach(
  'HTTP/2 on both sides: one connection each, many requests at a time, trailers, 100-continue and early hints',
  async (transport) => {
    await using upstream = await h2cUpstream((stream, headers) => {
      if (headers[':path'] === '/hints') stream.additionalHeaders({ ':status': 103, link: '</x>' });
      if (headers.expect === '100-continue') stream.additionalHeaders({ ':status': 100 });
      echo(stream, headers);
    });
    await using it = await startProxy(singleRoute([upstream.port], h2c), { transport });
    using client = new Http2TestClient(it.port);
    const all = await Promise.all(Array.from({ length: 100 }, (_, index) => client.ask(`/${index}`, {}, Buffer.alloc(index * 1000))));
    for (const [index, { status, body, trailers }] of all.entries()) {
      assert.deepEqual([status, seen(body).bytes, trailers['x-check']], [200, index * 1000, 'done']);
      assert.equal(seen(body).headers[':path'], `/${index}`);
    }
    assert.deepEqual([it.proxy.connections, it.proxy.streams, upstream.connections()], [1, 0, 1]);
    const interim: number[] = [];
    const stream = client.session.request({ ':path': '/hints', ':authority': 'app.test', ':method': 'POST', expect: '100-continue' });
    stream.on('headers', (headers) => interim.push(headers[':status'] ?? 0));
    await new Promise((resolve) => stream.once('continue', resolve));
    stream.end('x');
    await new Promise((resolve) => stream.resume().once('close', resolve));
    assert.deepEqual(interim, [103, 100]);
  },
);

testEach('both directions stream at once, and whoever is slow slows the other side down', async (transport) => {
  let written = 0;
  const chunk = Buffer.alloc(64 * 1024);
  await using upstream = await h2cUpstream((stream, headers) => {
    stream.respond({ ':status': 200 });
    if (headers[':path'] === '/echo') return void stream.pipe(stream);
    const more = () => {
      while (written < 64 * 1024 * 1024) {
        written += chunk.length;
        if (!stream.write(chunk)) return void stream.once('drain', more);
      }
      stream.end();
    };
    more();
  });
  await using it = await startProxy(singleRoute([upstream.port], h2c), { transport });
  using client = new Http2TestClient(it.port);
  const duplex = client.session.request({ ':path': '/echo', ':authority': 'app.test', ':method': 'POST' });
  for (const word of ['one', 'two', 'three']) {
    duplex.write(word);
    const answer = await new Promise<Buffer>((resolve) => duplex.once('data', resolve));
    assert.equal(answer.toString(), word);
  }
  duplex.end();
  await new Promise((resolve) => duplex.resume().once('close', resolve));
  const slow = client.session.request({ ':path': '/flood', ':authority': 'app.test' });
  await new Promise((resolve) => slow.once('response', resolve));
  slow.pause();
  let before = -1;
  await eventually(() => {
    const still = written === before;
    before = written;
    return still && written > 0;
  }, 'the container has to wait');
  assert.ok(written < 16 * 1024 * 1024, `${written} bytes are under way`);
  let received = 0;
  slow.on('data', (part: Buffer) => (received += part.length));
  slow.resume();
  await new Promise((resolve) => slow.once('close', resolve));
  assert.equal(received, 64 * 1024 * 1024);
});

testEach('a reset leaves the queue, frees the slot and reaches the container', async (transport) => {
  const resets: number[] = [];
  await using upstream = await h2cUpstream((stream) => void stream.on('close', () => resets.push(stream.rstCode ?? -1)));
  await using it = await startProxy(singleRoute([upstream.port], { ...h2c, containerConcurrency: 1 }), { transport });
  const backend = it.proxy.backends.get('app');
  using client = new Http2TestClient(it.port);
  const open = () => client.session.request({ ':path': '/', ':authority': 'app.test', ':method': 'POST' }).on('error', () => {});
  const inside = open();
  await eventually(() => backend?.running === 1, 'the first is inside');
  const waiting = open();
  await eventually(() => backend?.queued === 1, 'the second waits');
  waiting.close(constants.NGHTTP2_CANCEL);
  await eventually(() => backend?.queued === 0, 'the second has left');
  inside.close(constants.NGHTTP2_CANCEL);
  await eventually(() => backend?.running === 0 && resets.length === 1, 'the slot is free and the container knows');
  assert.deepEqual(resets, [constants.NGHTTP2_CANCEL]);
  assert.equal(backend?.statuses[0], 2);
});

testEach('time-outs: 504 before the response, an early end after it', async (transport) => {
  await using upstream = await h2cUpstream((stream, headers) => {
    if (headers[':path'] === '/silent') return;
    stream.respond({ ':status': 200 });
    stream.write('begun');
  });
  await using it = await startProxy(singleRoute([upstream.port], { ...h2c, timeoutMs: 150 }), { transport });
  using client = new Http2TestClient(it.port);
  const silent = await client.ask('/silent');
  assert.deepEqual([silent.status, silent.body], [504, 'request timeout\n']);
  const begun = await client.ask('/begun');
  assert.deepEqual([begun.status, begun.body, begun.reset], [200, 'begun', 0]);
});

testEach('a broken response is a reset for HTTP/2 clients, a complete one without length is not', async (transport) => {
  await using upstream = await tcpUpstream((socket) => {
    socket.on('data', (bytes: Buffer) => {
      if (bytes.includes('/short')) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf');
      else socket.end('HTTP/1.0 200 OK\r\n\r\nuntil the end');
    });
  });
  await using it = await startProxy(singleRoute([upstream.port]), { transport });
  using client = new Http2TestClient(it.port);
  const short = await client.ask('/short');
  assert.equal(short.reset, constants.NGHTTP2_INTERNAL_ERROR);
  const old = await client.ask('/old');
  assert.deepEqual([old.status, old.body, old.reset], [200, 'until the end', 0]);
});

testEach(
  'a container that resets before the response: 502; one that refuses unprocessed: sent again, whatever the method',
  async (transport) => {
    let refusals = 2;
    await using upstream = await h2cUpstream((stream, headers) => {
      if (headers[':path'] === '/broken') return stream.close(constants.NGHTTP2_INTERNAL_ERROR);
      if (refusals-- > 0) return stream.close(constants.NGHTTP2_REFUSED_STREAM);
      echo(stream, headers);
    });
    await using it = await startProxy(singleRoute([upstream.port], h2c), { transport });
    using client = new Http2TestClient(it.port);
    assert.equal((await client.ask('/broken')).status, 502);
    const again = await client.ask('/', {}, 'content');
    assert.deepEqual([again.status, seen(again.body).bytes, refusals], [200, 7, -1]);
  },
);

testEach('a container that says goodbye finishes its requests; the next ones go to a new connection', async (transport) => {
  let finish: ServerHttp2Stream | undefined;
  await using upstream = await h2cUpstream((stream, headers) => {
    if (headers[':path'] === '/long') finish = stream;
    else echo(stream, headers);
  });
  await using it = await startProxy(singleRoute([upstream.port], h2c), { transport });
  using client = new Http2TestClient(it.port);
  const long = client.ask('/long');
  await eventually(() => finish !== undefined, 'the long request is inside');
  upstream.goaway();
  assert.equal((await client.ask('/next', {}, 'x')).status, 200);
  assert.equal(upstream.connections(), 2);
  finish?.respond({ ':status': 200 });
  finish?.end('done');
  assert.equal((await long).body, 'done');
});

testEach('limits: streams at a time, bursts of resets, heads', async (transport) => {
  const held: ServerResponse[] = [];
  await using upstream = await httpUpstream((_request, response) => void held.push(response));
  await using it = await startProxy(singleRoute([upstream.port]), { transport, limits: { maxStreamsPerConnection: 10, maxStreams: 12 } });
  using client = new Http2TestClient(it.port);
  await new Promise((resolve) => client.session.once('remoteSettings', resolve));
  assert.equal(client.session.remoteSettings.maxConcurrentStreams, 10);
  const first = Array.from({ length: 10 }, () => client.ask('/'));
  await eventually(() => held.length === 10, 'ten are inside');
  using other = new Http2TestClient(it.port);
  const more = await Promise.race([Promise.all(Array.from({ length: 3 }, () => other.ask('/'))), refusedOf(other)]);
  assert.equal(more, 'refused');
  for (const response of held) response.end('ok');
  for (const one of await Promise.all(first)) assert.equal(one.status, 200);
  const large = await other.ask('/', { 'x-large': 'x'.repeat(60_000) });
  assert.notEqual(large.status, 200);
});

/** Resolves when a request of the client is refused. */
async function refusedOf(client: Http2TestClient): Promise<'refused'> {
  for (;;) {
    const { reset } = await client.ask('/');
    if (reset === constants.NGHTTP2_REFUSED_STREAM) return 'refused';
  }
}

testEach('a client that opens and resets streams without end loses its connection', async (transport) => {
  await using upstream = await h2cUpstream(() => {});
  await using it = await startProxy(singleRoute([upstream.port], h2c), { transport });
  using client = new Http2TestClient(it.port);
  let closed = false;
  client.session.on('close', () => (closed = true));
  for (let round = 0; round < 100 && !closed; round++) {
    for (let index = 0; index < 50 && !closed; index++) {
      const stream = client.session.request({ ':path': '/', ':authority': 'app.test' }).on('error', () => {});
      stream.close(constants.NGHTTP2_CANCEL);
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  await eventually(() => closed, 'the connection is gone');
  await eventually(() => it.proxy.backends.get('app')?.running === 0, 'nothing is left behind');
});

testEach('draining: requests under way finish, the client is told to go elsewhere', async (transport) => {
  let held: ServerResponse | undefined;
  await using upstream = await httpUpstream((_request, response) => (held = response));
  const it = await startProxy(singleRoute([upstream.port]), { transport });
  using client = new Http2TestClient(it.port);
  const answer = client.ask('/');
  await eventually(() => held !== undefined, 'the request is inside');
  const drained = it.proxy.drain(10_000, 50);
  await eventually(() => client.goaways > 0, 'the client is told');
  held?.end('finished');
  assert.deepEqual([(await answer).status, (await answer).body], [200, 'finished']);
  await drained;
  assert.equal(it.proxy.connections, 0);
});

testEach(
  'HTTP/2 only as the first thing on a connection; queue full, unknown hosts and probes answer as in HTTP/1.1',
  async (transport) => {
    await using upstream = await httpUpstream((_request, response) => response.end('ok'));
    const routes = { ...singleRoute([upstream.port]), rules: [{ ...singleRoute([]).rules[0], probeHash: 'cafe' }] };
    await using it = await startProxy(routes as ReturnType<typeof singleRoute>, { transport });
    using raw = new RawClient(it.port).send('GET / HTTP/1.1\r\nHost: app.test\r\n\r\n');
    await raw.until((text) => text.endsWith('ok'));
    raw.send('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    assert.match(await raw.untilEnd(), /HTTP\/1\.1 505 /);
    using client = new Http2TestClient(it.port);
    assert.equal((await client.ask('/', { ':authority': 'nobody.test' })).status, 404);
    const probe = await client.ask('/', { 'k-network-probe': 'probe', 'k-network-hash': 'override' });
    assert.deepEqual([probe.status, probe.headers['k-network-hash']], [200, 'cafe']);
    const tunnel = client.session.request({ ':method': 'CONNECT', ':authority': 'app.test' }).on('error', () => {});
    const [refusal] = (await once(tunnel, 'response')) as [{ ':status': number }];
    assert.equal(refusal[':status'], 405);
    assert.equal((await client.ask('/', { host: 'other.test' })).reset, constants.NGHTTP2_PROTOCOL_ERROR);
    assert.equal((await client.ask('/')).status, 200);
  },
);

testEach('TLS: HTTP/2 where both sides agree on it, HTTP/1.1 otherwise', async (transport) => {
  const { ca, tls } = await testTls('app.test');
  await using upstream = await httpUpstream((request, response) => response.end(String(request.headers['x-forwarded-proto'])));
  await using it = await startProxy(singleRoute([upstream.port]), { transport });
  const { port } = await it.proxy.listen({ port: 0, visibility: 'external', tls });
  const dial = (protocols: string[]) => connectTls({ port, host: '127.0.0.1', servername: 'app.test', ca, ALPNProtocols: protocols });
  using client = new Http2TestClient(port, { createConnection: () => dial(['h2', 'http/1.1']) });
  const answer = await client.ask('/');
  assert.deepEqual([answer.status, answer.body], [200, 'https']);
  const old = dial(['http/1.1']);
  old.write('GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n');
  let text = '';
  for await (const part of old) text += String(part);
  assert.match(text, /^HTTP\/1\.1 200 OK\r\n[^]*https$/);
  client.session.destroy();
  await eventually(() => it.proxy.connections === 0, 'both connections are gone');
});

testEach('connections: idle ones are closed, those with long streams are asked whether the client is still there', async (transport) => {
  await using upstream = await h2cUpstream((stream) => stream.respond({ ':status': 200 }));
  const limits = { idleMs: 40, headMs: 60, lingerMs: 50 };
  await using it = await startProxy(singleRoute([upstream.port], h2c), { transport, limits });
  using idle = new Http2TestClient(it.port);
  await new Promise((resolve) => idle.session.once('close', resolve));
  assert.ok(idle.goaways > 0);
  using patient = new Http2TestClient(it.port);
  let pings = 0;
  patient.session.on('ping', () => pings++);
  const stream = patient.session.request({ ':path': '/', ':authority': 'app.test' }).on('error', () => {});
  await eventually(() => pings >= 3, 'the client is asked again and again');
  assert.equal(stream.closed, false);
  // This one knows no PING, so it never answers.
  using mute = new RawClient(it.port);
  mute.send('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0');
  // HEADERS of stream 1, END_STREAM and END_HEADERS: GET / of app.test over http.
  mute.send('\0\0\x0d\x01\x05\0\0\0\x01\x82\x86\x84\x41\x08app.test');
  await mute.untilEnd();
});

testEach('whatever comes after the preface, other clients are served and nothing is left behind', async (transport) => {
  await using upstream = await h2cUpstream(echo);
  await using it = await startProxy(singleRoute([upstream.port], h2c), { transport });
  using client = new Http2TestClient(it.port);
  const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  // A request whose frames are whole, for the fuzz to spoil: SETTINGS, then GET / of app.test.
  const good = Buffer.from('\0\0\0\x04\0\0\0\0\0\0\0\x0d\x01\x05\0\0\0\x01\x82\x86\x84\x41\x08app.test', 'latin1');
  const frame = fc
    .record({ type: fc.integer({ min: 0, max: 10 }), flags: fc.integer({ min: 0, max: 255 }), stream: fc.integer({ min: 0, max: 5 }) })
    .chain(({ type, flags, stream }) =>
      fc
        .uint8Array({ maxLength: 40 })
        .map((content) => Buffer.concat([Buffer.from([0, 0, content.length, type, flags, 0, 0, 0, stream]), content])),
    );
  const spoilt = fc.tuple(fc.nat(good.length - 1), fc.nat(255)).map(([at, byte]) => Buffer.from(good).fill(byte, at, at + 1));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(frame, spoilt, fc.constant(good)), { minLength: 1, maxLength: 6 }), async (frames) => {
      using raw = new RawClient(it.port);
      raw.send(Buffer.concat([preface, ...frames]));
      await raw.until((text) => text.length > 0, 'the SETTINGS of the gateway');
    }),
    { numRuns: 150 },
  );
  assert.equal((await client.ask('/')).status, 200);
  await eventually(() => it.proxy.connections === 1 && it.proxy.streams === 0, 'the spoilt connections are gone');
  assert.equal(it.proxy.backends.get('app')?.running, 0);
});

test('what HTTP/2 cannot express is a reset: a status of 999', async () => {
  await using upstream = await tcpUpstream(
    (socket) => void socket.on('data', () => socket.write('HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n')),
  );
  await using it = await startProxy(singleRoute([upstream.port]));
  using client = new Http2TestClient(it.port);
  assert.equal((await client.ask('/')).reset, constants.NGHTTP2_INTERNAL_ERROR);
  using plain = new RawClient(it.port).send('GET / HTTP/1.1\r\nHost: app.test\r\n\r\n');
  assert.match(await plain.until((text) => text.endsWith('\r\n\r\n')), /^HTTP\/1\.1 999 Odd/);
});

test('a container that speaks HTTP/1.1 alone behind a port named h2c: 502', async () => {
  await using upstream = await httpUpstream((_request, response) => response.end('one'));
  await using it = await startProxy(singleRoute([upstream.port], h2c));
  using client = new RawClient(it.port).send('GET / HTTP/1.1\r\nHost: app.test\r\n\r\n');
  assert.match(await client.until((text) => text.endsWith('response\n')), /^HTTP\/1\.1 502 /);
  assert.equal(it.proxy.backends.get('app')?.running, 0);
});

test('curl waits for 100-continue of an HTTP/2 container', { skip: findCurl() }, async () => {
  await using upstream = await h2cUpstream((stream, headers) => {
    if (headers.expect === '100-continue') stream.additionalHeaders({ ':status': 100 });
    echo(stream, headers);
  });
  await using it = await startProxy(singleRoute([upstream.port], h2c));
  const url = `http://127.0.0.1:${it.port}/`;
  const args = ['-sS', '--http1.1', '-H', 'Host: app.test', '-H', 'Expect: 100-continue', '--data-binary', 'x'.repeat(70_000), url];
  assert.equal(seen((await promisify(execFile)('curl', args)).stdout).bytes, 70_000);
});

function findCurl(): string | false {
  return spawnSync('curl', ['--version']).status === 0 ? false : 'curl is not installed';
}

test('the access log says which protocol a client spoke', async () => {
  const records: AccessRecord[] = [];
  await using upstream = await h2cUpstream(echo);
  const write = (line: string) => void records.push(JSON.parse(line) as AccessRecord);
  await using it = await startProxy(singleRoute([upstream.port], h2c), { accessLog: { format: 'json', write } });
  using client = new Http2TestClient(it.port);
  await client.ask('/path', { 'user-agent': 'tester' });
  await eventually(() => records.length === 1, 'the record is written');
  const { proto, method, target, host, userAgent, status, remote } = records[0] as AccessRecord;
  assert.deepEqual(
    [proto, method, target, host, userAgent, status, remote],
    ['HTTP/2.0', 'GET', '/path', 'app.test', 'tester', 200, '127.0.0.1'],
  );
});

test('a backend whose protocol changes is spoken to anew', async () => {
  await using old = await httpUpstream((_request, response) => response.end('one'));
  await using it = await startProxy(singleRoute([old.port]));
  using client = new Http2TestClient(it.port);
  assert.equal((await client.ask('/')).body, 'one');
  await using upstream = await h2cUpstream(echo);
  it.proxy.setBackend(testBackend('app', [upstream.port], h2c));
  assert.equal((await client.ask('/')).status, 200);
});
