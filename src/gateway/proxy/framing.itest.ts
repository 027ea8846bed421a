import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { test } from 'node:test';
import { startProxy, testEach } from '#gateway/testing/each-transport.ts';
import { RawClient } from '#gateway/testing/raw-client.ts';
import { singleRoute } from '#gateway/testing/routes.ts';
import { httpUpstream, tcpUpstream } from '#gateway/testing/upstream.ts';

/** Answers with what it got. */
function echo(request: IncomingMessage, response: ServerResponse): void {
  const parts: Buffer[] = [];
  request.on('data', (part: Buffer) => parts.push(part));
  request.on('end', () => {
    const { method, url, rawHeaders, trailers } = request;
    response.end(JSON.stringify({ method, url, rawHeaders, trailers, body: Buffer.concat(parts).toString('latin1') }));
  });
}

const count = (text: string, needle: string): number => text.split(needle).length - 1;
const bodyOf = (text: string): string => text.slice(text.indexOf('\r\n\r\n') + 4);

testEach('a request sent byte by byte is answered, and its headers reach the container rewritten', async (transport) => {
  await using upstream = await httpUpstream(echo);
  await using it = await startProxy(singleRoute([upstream.port]), { transport });
  using client = new RawClient(it.port);
  client.socket.setNoDelay(true);
  const head =
    'GET /a?b=c HTTP/1.1\r\nHost: app.test:8080\r\nX-Forwarded-For: 6.6.6.6\r\nK-Network-Hash: x\r\nKnative-Serving-Revision: evil\r\n' +
    'Connection: keep-alive, X-Hop\r\nX-Hop: secret\r\nKeep-Alive: 5\r\nAccept: */*\r\n\r\n';
  for (const byte of head) {
    client.send(byte);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const text = await client.until((received) => received.includes('}'));
  const seen = JSON.parse(
    bodyOf(text)
      .replace(/^[\da-f]+\r\n/, '')
      .replace(/\r\n0\r\n\r\n$/, ''),
  ) as { url: string; rawHeaders: string[] };
  const headers = new Map<string, string>();
  for (let index = 0; index < seen.rawHeaders.length; index += 2) {
    headers.set((seen.rawHeaders[index] as string).toLowerCase(), seen.rawHeaders[index + 1] as string);
  }
  assert.equal(seen.url, '/a?b=c');
  assert.equal(headers.get('host'), 'app.test:8080');
  assert.equal(headers.get('x-forwarded-for'), '127.0.0.1');
  assert.equal(headers.get('x-forwarded-proto'), 'http');
  assert.equal(headers.get('x-forwarded-host'), 'app.test:8080');
  assert.equal(headers.get('forwarded'), 'for=127.0.0.1;proto=http;host="app.test:8080"');
  assert.match(headers.get('traceparent') ?? '', /^00-[\da-f]{32}-[\da-f]{16}-01$/);
  assert.equal(headers.get('x-request-id'), headers.get('traceparent')?.split('-')[1]);
  assert.equal(headers.get('accept'), '*/*');
  for (const gone of ['x-hop', 'keep-alive', 'k-network-hash', 'knative-serving-revision']) assert.equal(headers.has(gone), false, gone);
});

testEach('pipelined requests are answered in order', async (transport) => {
  await using upstream = await httpUpstream((request, response) => {
    setTimeout(() => response.end(`<${request.url}>`), request.url === '/1' ? 40 : 0);
  });
  await using it = await startProxy(singleRoute([upstream.port]), { transport });
  using client = new RawClient(it.port);
  client.send([1, 2, 3, 4].map((n) => `GET /${n} HTTP/1.1\r\nHost: app.test\r\n\r\n`).join('') + 'GET / HTTP/1.1\r\nHost: nobody\r\n\r\n');
  const text = await client.until((received) => received.includes('404 Not Found'));
  assert.deepEqual(
    [...text.matchAll(/<\/(\d)>/g)].map((match) => match[1]),
    ['1', '2', '3', '4'],
  );
});

testEach('chunked content with trailers passes both ways untouched', async (transport) => {
  const answer = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5;x=y\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n';
  let seen = '';
  await using upstream = await tcpUpstream((socket) => {
    socket.on('data', (bytes: Buffer) => {
      seen += bytes.toString('latin1');
      if (seen.endsWith('X-Trail: t\r\n\r\n')) socket.write(answer);
    });
  });
  await using it = await startProxy(singleRoute([upstream.port]), { transport });
  using client = new RawClient(it.port);
  client.send('POST /c HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
  client.send('4;ext\r\ndefg\r\n0\r\nX-Trail: t\r\n\r\n');
  assert.equal(await client.until((received) => received.endsWith('X-Sum: 1\r\n\r\n')), answer);
  assert.ok(seen.includes('\r\n\r\n3\r\nabc\r\n4;ext\r\ndefg\r\n0\r\nX-Trail: t\r\n\r\n'));
});

testEach('HEAD, 204 and 304 have no content and keep the connection', async (transport) => {
  await using upstream = await httpUpstream((request, response) => {
    if (request.url === '/head') response.writeHead(200, { 'content-length': '1000' }).end();
    else response.writeHead(request.url === '/204' ? 204 : 304).end();
  });
  await using it = await startProxy(singleRoute([upstream.port]), { transport });
  using client = new RawClient(it.port);
  for (const [method, path, status] of [
    ['HEAD', '/head', '200'],
    ['GET', '/204', '204'],
    ['GET', '/304', '304'],
  ] as const) {
    const before = client.received.length;
    client.send(`${method} ${path} HTTP/1.1\r\nHost: app.test\r\n\r\n`);
    const text = await client.until((received) => received.length > before && received.endsWith('\r\n\r\n'));
    assert.ok(text.slice(before).startsWith(`HTTP/1.1 ${status} `));
  }
  assert.equal(upstream.connections(), 1);
});

testEach('100-continue comes from the container, and other interim answers pass', async (transport) => {
  await using upstream = await tcpUpstream((socket) => {
    let text = '';
    socket.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1');
      if (text.endsWith('\r\n\r\n')) socket.write('HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n');
      if (text.endsWith('body!')) socket.write('HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok');
    });
  });
  await using it = await startProxy(singleRoute([upstream.port]), { transport });
  using client = new RawClient(it.port);
  client.send('PUT / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n');
  await client.until((received) => received.includes('103 Early Hints') && received.endsWith('100 Continue\r\n\r\n'));
  client.send('body!');
  await client.until((received) => received.endsWith('\r\n\r\nok'));
});

testEach('an HTTP/1.0 client gets content without chunks and the end of the connection', async (transport) => {
  await using upstream = await httpUpstream((_request, response) => {
    response.write('part one, ');
    setImmediate(() => response.end('part two'));
  });
  await using it = await startProxy(singleRoute([upstream.port]), { transport });
  using client = new RawClient(it.port);
  client.send('GET / HTTP/1.0\r\nHost: app.test\r\n\r\n');
  const text = await client.untilEnd();
  assert.equal(bodyOf(text), 'part one, part two');
  assert.doesNotMatch(text, /transfer-encoding/i);
  assert.match(text, /connection: close/i);
});

testEach('a response that ends with the connection is passed on and ends the client connection', async (transport) => {
  await using upstream = await tcpUpstream((socket) => {
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\n\r\nuntil the end'));
  });
  await using it = await startProxy(singleRoute([upstream.port]), { transport });
  using client = new RawClient(it.port);
  client.send('GET / HTTP/1.1\r\nHost: app.test\r\n\r\n');
  assert.match(await client.untilEnd(), /Connection: close\r\n\r\nuntil the end$/);
});

testEach('an upgraded connection is a tunnel both ways until either side ends it', async (transport) => {
  await using upstream = await tcpUpstream((socket) => {
    socket.once('data', (bytes: Buffer) => {
      assert.match(bytes.toString(), /Connection: Upgrade\r\nUpgrade: websocket\r\n/);
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhi');
      socket.on('data', (more: Buffer) => (more.toString() === 'bye' ? socket.end('over') : socket.write(more)));
    });
  });
  await using it = await startProxy(singleRoute([upstream.port]), { transport });
  using client = new RawClient(it.port);
  client.send('GET /ws HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  await client.until((received) => received.endsWith('\r\n\r\nhi'));
  client.send('ping');
  await client.until((received) => received.endsWith('hiping'));
  client.send('bye');
  assert.match(await client.untilEnd(), /hipingover$/);
  assert.equal(it.proxy.backends.get('app')?.running, 0);
});

testEach('an upgrade to h2c is not passed on', async (transport) => {
  await using upstream = await httpUpstream(echo);
  await using it = await startProxy(singleRoute([upstream.port]), { transport });
  using client = new RawClient(it.port);
  client.send('GET / HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n');
  const text = await client.until((received) => received.includes('"body"'));
  assert.doesNotMatch(text, /upgrade|http2-settings/i);
});

testEach('large content passes both ways under back-pressure', async (transport) => {
  const size = 24 * 1024 * 1024;
  const hashes: string[] = [];
  await using upstream = await httpUpstream((request, response) => {
    const hash = createHash('sha1');
    request.on('data', (part: Buffer) => {
      hash.update(part);
      if (!response.write(part)) {
        request.pause();
        response.once('drain', () => request.resume());
      }
    });
    request.on('end', () => {
      hashes.push(hash.digest('hex'));
      response.end();
    });
  });
  await using it = await startProxy(singleRoute([upstream.port]), { transport });
  using client = new RawClient(it.port);
  const content = Buffer.alloc(size);
  for (let index = 0; index < size; index += 4) content.writeUInt32LE((index * 2654435761) >>> 0, index);
  const expected = createHash('sha1').update(content).digest('hex');
  const received = createHash('sha1');
  let bytes = 0;
  client.socket.removeAllListeners('data');
  client.socket.setEncoding('binary');
  const { promise, resolve } = Promise.withResolvers<void>();
  let head = '';
  client.socket.on('data', (text: string) => {
    let part = text;
    if (!head.includes('\r\n\r\n')) {
      head += text;
      if (!head.includes('\r\n\r\n')) return;
      part = bodyOf(head);
      head = '\r\n\r\n';
    }
    received.update(Buffer.from(part, 'latin1'));
    bytes += part.length;
    // A slow reader, so that buffers fill all along the way.
    client.socket.pause();
    setTimeout(() => client.socket.resume(), 1);
    if (bytes === size) resolve();
  });
  client.socket.on('close', () => resolve());
  client.send(`POST / HTTP/1.0\r\nHost: app.test\r\nContent-Length: ${size}\r\n\r\n`).send(content);
  await promise;
  assert.equal(bytes, size);
  assert.equal(received.digest('hex'), expected);
  assert.deepEqual(hashes, [expected]);
});

testEach('an answer before the request content has come is passed on, and the connection goes on after the rest', async (transport) => {
  await using upstream = await tcpUpstream((socket) => {
    socket.once('data', () => socket.write('HTTP/1.1 413 Payload Too Large\r\nContent-Length: 2\r\n\r\nno'));
  });
  await using it = await startProxy(singleRoute([upstream.port]), { transport });
  using client = new RawClient(it.port);
  client.send('POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 1000\r\n\r\nx');
  await client.until((received) => received.endsWith('\r\n\r\nno'));
  client.send('x'.repeat(999)).send('GET / HTTP/1.1\r\nHost: app.test\r\n\r\n');
  await client.until((received) => count(received, '413 Payload') === 2);
  assert.equal(upstream.connections(), 2);
});

test('an answer of a container that stops reading the request arrives (raw)', async () => {
  // With node:net a failed write throws unread bytes away, so there it is a matter of luck.
  await using upstream = await tcpUpstream((socket) => {
    socket.once('data', () => {
      socket.pause();
      socket.write('HTTP/1.1 413 Payload Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno', () => socket.destroy());
    });
  });
  await using it = await startProxy(singleRoute([upstream.port]), { transport: 'raw' });
  for (let turn = 0; turn < 20; turn++) {
    using client = new RawClient(it.port).send('POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 500000\r\n\r\n');
    client.send(Buffer.alloc(400_000));
    const text = await client.until((received) => received.includes('\r\n\r\n'));
    assert.match(text, /^HTTP\/1\.1 413 /);
  }
});

testEach('a container that sends rubbish gives 502', async (transport) => {
  const answers = [
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
    'HTTP/1.1 200 OK\nContent-Length: 0\n\n',
    'SSH-2.0-OpenSSH\r\n\r\n',
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n',
    '',
  ];
  await using upstream = await tcpUpstream((socket) => {
    socket.once('data', () => socket.end(answers[upstream.connections() - 1] ?? ''));
  });
  await using it = await startProxy(singleRoute([upstream.port]), { transport });
  for (const answer of answers) {
    using client = new RawClient(it.port);
    client.send('GET / HTTP/1.1\r\nHost: app.test\r\n\r\n');
    const text = await client.until((received) => received.includes('\r\n\r\n'));
    assert.ok(text.startsWith('HTTP/1.1 502 Bad Gateway\r\n'), `${answer} gave ${text}`);
  }
  assert.equal(it.proxy.backends.get('app')?.running, 0);
});

testEach('requests that could be read in two ways are refused and the connection is closed', async (transport) => {
  await using upstream = await httpUpstream(echo);
  await using it = await startProxy(singleRoute([upstream.port]), { transport });
  const start = 'POST / HTTP/1.1\r\nHost: app.test\r\n';
  const cases: readonly (readonly [string, number])[] = [
    [`${start}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc`, 400],
    [`${start}Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc`, 400],
    [`${start}Content-Length: 3, 3\r\n\r\nabc`, 400],
    [`${start}Content-Length: +3\r\n\r\nabc`, 400],
    [`${start}Content-Length: 0x3\r\n\r\nabc`, 400],
    [`${start}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`, 501],
    [`${start}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`, 400],
    [`${start}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`, 400],
    [`${start}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
    [`${start}X: a\r\n folded\r\n\r\n`, 400],
    [`${start}X: a\nY: b\r\n\r\n`, 400],
    [`${start}X: a\rY: b\r\n\r\n`, 400],
    [`${start}X: a\0b\r\n\r\n`, 400],
    [`${start}: empty\r\n\r\n`, 400],
    [`${start}Host: other\r\n\r\n`, 400],
    ['GET / HTTP/1.1\r\n\r\n', 400],
    ['GET / HTTP/1.1\nHost: app.test\n\n', 400],
    ['GET  / HTTP/1.1\r\nHost: app.test\r\n\r\n', 400],
    ['GET / HTTP/1.1 \r\nHost: app.test\r\n\r\n', 400],
    ['GET http://evil.test/ HTTP/1.1\r\nHost: app.test\r\n\r\n', 400],
    ['GET / HTTP/1.1\r\nHost: a b\r\n\r\n', 400],
    ['GET / HTTP/3.0\r\nHost: app.test\r\n\r\n', 505],
    [`GET /${'a'.repeat(17_000)} HTTP/1.1\r\nHost: app.test\r\n\r\n`, 414],
    [`GET / HTTP/1.1\r\nHost: app.test\r\n${'X: y\r\n'.repeat(200)}\r\n`, 431],
    [`GET / HTTP/1.1\r\nHost: app.test\r\nX: ${'y'.repeat(40_000)}\r\n\r\n`, 431],
    [`${start}Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n`, 400],
    [`${start}Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n`, 400],
    [`${start}Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n`, 400],
    ['POST / HTTP/1.0\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400],
  ];
  for (const [request, status] of cases) {
    using client = new RawClient(it.port);
    client.send(request);
    const text = await client.untilEnd();
    assert.ok(text.startsWith(`HTTP/1.1 ${status} `), `${JSON.stringify(request.slice(0, 120))} gave ${text.slice(0, 100)}`);
    assert.equal([...text.matchAll(/HTTP\/1\.1 \d{3}/g)].length, 1);
  }
});
