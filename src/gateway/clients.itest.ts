import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { Agent, request as httpsRequest } from 'node:https';
import { connect as tlsConnect, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { startProxy, testEach } from '#gateway/testing/each-transport.ts';
import { eventually, RawClient } from '#gateway/testing/raw-client.ts';
import { singleRoute, testBackend, testRule } from '#gateway/testing/routes.ts';
import { testTls } from '#gateway/testing/tls.ts';
import { httpUpstream } from '#gateway/testing/upstream.ts';

const runFile = promisify(execFile);
const missing = async (tool: string): Promise<string | false> =>
  runFile(tool, ['--version']).then(
    () => false,
    (error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? `${tool} is not installed` : false),
  );
const curl = await missing('curl');
const hey = await missing('hey');

testEach('WebSocket messages of all sizes pass both ways', async (transport) => {
  await using upstream = await httpUpstream((_request, response) => response.end());
  const sockets = new WebSocketServer({ server: upstream.server });
  sockets.on('connection', (socket) => socket.on('message', (data, binary) => socket.send(data, { binary })));
  await using it = await startProxy(singleRoute([upstream.port]), { transport });
  const client = new WebSocket(`ws://127.0.0.1:${it.port}/`, { headers: { host: 'app.test' } });
  await new Promise((resolve, reject) => client.once('open', resolve).once('error', reject));
  for (const size of [0, 1, 125, 126, 65_536, 3_000_000]) {
    const answer = new Promise<Buffer>((resolve) => client.once('message', (data) => resolve(data as Buffer)));
    const content = Buffer.alloc(size, 'w');
    client.send(content);
    assert.ok((await answer).equals(content));
  }
  assert.equal(it.proxy.backends.get('app')?.running, 1);
  client.close();
  await eventually(() => it.proxy.backends.get('app')?.running === 0, 'the slot of the closed WebSocket is free');
});

testEach('server-sent events arrive one by one', async (transport) => {
  let next = () => {};
  await using upstream = await httpUpstream((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    let count = 0;
    next = () => void response.write(`data: ${++count}\n\n`);
    next();
  });
  await using it = await startProxy(singleRoute([upstream.port]), { transport });
  using client = new RawClient(it.port).send('GET / HTTP/1.1\r\nHost: app.test\r\n\r\n');
  for (let count = 1; count <= 3; count++) {
    await client.until((text) => text.includes(`data: ${count}\n\n`));
    next();
  }
});

testEach('TLS ends at the gateway, with the certificate of the name asked for', async (transport) => {
  const { ca, tls } = await testTls('app.test', 'other.test');
  await using upstream = await httpUpstream((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () =>
      response.end(`${String(request.headers['x-forwarded-proto'])} ${request.headers.forwarded} ${Buffer.concat(parts).length}`),
    );
  });
  await using it = await startProxy(singleRoute([upstream.port]), { transport });
  const { port } = await it.proxy.listen({ port: 0, visibility: 'external', tls });
  const answer = await new Promise<{ body: string; subject: string }>((resolve, reject) => {
    const options = {
      port,
      host: '127.0.0.1',
      servername: 'app.test',
      ca,
      headers: { host: 'app.test' },
      method: 'POST',
      agent: false as const,
    };
    const request = httpsRequest(options, (response) => {
      let body = '';
      const peer = (response.socket as TLSSocket).getPeerCertificate();
      response.on('data', (part: Buffer) => (body += part.toString()));
      response.on('end', () => resolve({ body, subject: String(peer.subject.CN) }));
    });
    request.on('error', reject);
    request.end(Buffer.alloc(1_000_000));
  });
  assert.equal(answer.subject, 'app.test');
  assert.match(answer.body, /^https for=127\.0\.0\.1;proto=https;host=app\.test 1000000$/);
  const refused = await new Promise<boolean>((resolve) => {
    const socket = tlsConnect({ port, host: '127.0.0.1', servername: 'nobody.test', rejectUnauthorized: false }, () => resolve(false));
    socket.on('error', () => resolve(true));
  });
  assert.equal(refused, true);
});

testEach('probes, redirects, unknown hosts and the local listener', async (transport) => {
  await using upstream = await httpUpstream((_request, response) => response.end('hello'));
  const routes = {
    certificates: [],
    backends: [testBackend('app', [upstream.port]), testBackend('cold', [])],
    rules: [
      testRule('app.test', 'app', { probeHash: 'cafe' }),
      testRule('cold.test', 'cold'),
      testRule('secure.test', 'app', { redirectToHttps: true }),
      testRule('inner.test', 'app', { visibility: 'local' }),
    ],
  };
  await using it = await startProxy(routes, { transport });
  const local = await it.proxy.listen({ port: 0, visibility: 'local' });
  const ask = async (host: string, more = '', port = it.port, path = '/x?y') => {
    using client = new RawClient(port).send(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n${more}\r\n`);
    return await client.untilEnd();
  };
  assert.match(
    await ask('app.test', 'K-Network-Probe: probe\r\nK-Network-Hash: override\r\n'),
    /^HTTP\/1\.1 200 [^]*K-Network-Hash: cafe\r\n/,
  );
  assert.match(await ask('app.test', 'K-Network-Probe: probe\r\nK-Network-Hash: x1\r\n'), /K-Network-Hash: x1\r\n/);
  assert.match(await ask('app.test', 'K-Network-Probe: probe\r\n'), /^HTTP\/1\.1 400 /);
  assert.match(await ask('app.test', 'K-Network-Probe: queue\r\n'), /^HTTP\/1\.1 200 [^]*\r\n\r\nqueue\n$/);
  assert.match(await ask('cold.test', 'K-Network-Probe: queue\r\n'), /^HTTP\/1\.1 503 /);
  assert.match(await ask('app.test', 'K-Network-Probe: odd\r\n'), /^HTTP\/1\.1 400 [^]*unexpected probe header value: odd/);
  assert.match(await ask('10.0.0.1', 'User-Agent: kube-probe/1.30\r\n', it.port, '/healthz'), /^HTTP\/1\.1 200 /);
  assert.match(await ask('nobody.test'), /^HTTP\/1\.1 404 /);
  assert.match(await ask('secure.test'), /^HTTP\/1\.1 301 [^]*Location: https:\/\/secure\.test\/x\?y\r\n/);
  assert.match(await ask('inner.test'), /^HTTP\/1\.1 404 /);
  assert.match(await ask('inner.test', '', local.port), /hello/);
  assert.match(await ask('app.test', '', local.port), /^HTTP\/1\.1 404 /);
});

testEach('rewriteHost and appended headers reach the container', async (transport) => {
  await using upstream = await httpUpstream((request, response) => response.end(JSON.stringify(request.rawHeaders)));
  const path = { rewriteHost: 'app.default.svc.cluster.local', appendHeaders: { 'K-Original-Host': 'app.test', 'X-Color': 'blue' } };
  const rule = { ...testRule('app.test', 'app'), paths: [{ ...path, splits: [{ backend: 'app', percent: 100 }] }] };
  await using it = await startProxy({ certificates: [], backends: [testBackend('app', [upstream.port])], rules: [rule] }, { transport });
  using client = new RawClient(it.port).send('GET / HTTP/1.1\r\nA: 1\r\nX-Color: red\r\nHost: app.test\r\nTE: x\r\nB: 2\r\n\r\n');
  const text = await client.until((received) => received.endsWith(']') || received.endsWith('0\r\n\r\n'));
  const headers = JSON.parse(/\[.*\]/s.exec(text)?.[0] ?? '[]') as string[];
  const value = (name: string) => headers.filter((_, index) => index % 2 === 1 && headers[index - 1]?.toLowerCase() === name);
  assert.deepEqual(value('host'), ['app.default.svc.cluster.local']);
  assert.deepEqual(value('x-color'), ['blue']);
  assert.deepEqual(value('k-original-host'), ['app.test']);
  assert.deepEqual(value('x-forwarded-host'), ['app.test']);
  assert.deepEqual([value('a'), value('b'), value('te')], [['1'], ['2'], []]);
});

test('splits are exact over any hundred requests', async () => {
  const seen: string[] = [];
  await using one = await httpUpstream((_request, response) => response.end('one'));
  await using two = await httpUpstream((_request, response) => response.end('two'));
  const splits = [
    { backend: 'one', percent: 83 },
    { backend: 'two', percent: 17 },
  ];
  const backends = [testBackend('one', [one.port]), testBackend('two', [two.port])];
  await using it = await startProxy({ certificates: [], backends, rules: [{ ...testRule('app.test', 'one'), paths: [{ splits }] }] });
  using client = new RawClient(it.port);
  for (let index = 0; index < 250; index++) {
    const before = client.received.length;
    client.send('GET / HTTP/1.1\r\nHost: app.test\r\n\r\n');
    seen.push((await client.until((text) => /(one|two)$/.test(text.slice(before)))).slice(-3));
  }
  for (const from of [0, 37, 150]) assert.equal(seen.slice(from, from + 100).filter((name) => name === 'two').length, 17);
});

test('curl: upload with 100-continue, chunked upload, HEAD', { skip: curl }, async () => {
  await using upstream = await httpUpstream((request, response) => {
    let bytes = 0;
    request.on('data', (part: Buffer) => (bytes += part.length));
    request.on('end', () => response.end(`${request.method} ${bytes}`));
  });
  await using it = await startProxy(singleRoute([upstream.port]));
  const url = `http://127.0.0.1:${it.port}/`;
  const upload = await runFile('curl', [
    '-sS',
    '-H',
    'Host: app.test',
    '-H',
    'Expect: 100-continue',
    '--data-binary',
    'x'.repeat(100_000),
    url,
  ]);
  assert.equal(upload.stdout, 'POST 100000');
  const chunked = await runFile('curl', ['-sS', '-H', 'Host: app.test', '-H', 'Transfer-Encoding: chunked', '-d', 'abc', url]);
  assert.equal(chunked.stdout, 'POST 3');
  const head = await runFile('curl', ['-sSI', '-H', 'Host: app.test', url]);
  assert.match(head.stdout, /^HTTP\/1\.1 200 OK/);
});

test('hey: a thousand requests, not one fails', { skip: hey }, async () => {
  await using upstream = await httpUpstream((_request, response) => response.end('ok'));
  await using it = await startProxy(singleRoute([upstream.port], { containerConcurrency: 5 }));
  const { stdout } = await runFile('hey', ['-n', '1000', '-c', '20', '-host', 'app.test', `http://127.0.0.1:${it.port}/`]);
  assert.match(stdout, /\[200\]\s+1000 responses/);
  assert.doesNotMatch(stdout, /Error distribution/);
});

testEach('large content passes both ways through TLS, kept alive, with a slow reader', async (transport) => {
  const { ca, tls } = await testTls('app.test');
  await using upstream = await httpUpstream((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => response.end(Buffer.concat(parts)));
  });
  await using it = await startProxy(singleRoute([upstream.port]), { transport });
  const { port } = await it.proxy.listen({ port: 0, visibility: 'external', tls });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const content = Buffer.alloc(5_000_000);
  for (let index = 0; index < content.length; index += 4) content.writeUInt32LE(index, index);
  for (const size of [0, 1, 1000, 70_000, content.length]) {
    const sent = content.subarray(0, size);
    const received = await new Promise<Buffer>((resolve, reject) => {
      const options = {
        port,
        host: '127.0.0.1',
        servername: 'app.test',
        ca,
        headers: { host: 'app.test' },
        method: 'POST',
        agent,
      };
      const request = httpsRequest(options, (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => {
          parts.push(part);
          response.pause();
          setTimeout(() => response.resume(), 1);
        });
        response.on('end', () => resolve(Buffer.concat(parts)));
      });
      request.on('error', reject);
      request.end(sent);
    });
    assert.ok(received.equals(sent), `${size} bytes`);
  }
  assert.equal(it.proxy.connections, 1);
  agent.destroy();
  await eventually(() => it.proxy.connections === 0, 'the connection is gone');
});
