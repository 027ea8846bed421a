import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { FakeClock } from '#core/clock.ts';
import { startProxy, testEach } from '#gateway/testing/each-transport.ts';
import { eventually, RawClient } from '#gateway/testing/raw-client.ts';
import { singleRoute, testBackend, testPod } from '#gateway/testing/routes.ts';
import { httpUpstream, tcpUpstream } from '#gateway/testing/upstream.ts';

const get = (path = '/', more = ''): string => `GET ${path} HTTP/1.1\r\nHost: app.test\r\n${more}\r\n`;
const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

testEach('containerConcurrency is never exceeded, and waiting requests go first come first served', async (transport) => {
  let inside = 0;
  let most = 0;
  const order: string[] = [];
  const held: ServerResponse[] = [];
  await using upstream = await httpUpstream((request, response) => {
    most = Math.max(most, ++inside);
    order.push(request.url ?? '');
    held.push(response);
  });
  await using it = await startProxy(singleRoute([upstream.port], { containerConcurrency: 2 }), { transport });
  const backend = it.proxy.backends.get('app');
  const clients: RawClient[] = [];
  for (let index = 0; index < 8; index++) {
    clients.push(new RawClient(it.port).send(get(`/${index}`)));
    await eventually(() => (backend?.running ?? 0) + (backend?.queued ?? 0) === index + 1, 'the request has arrived');
  }
  assert.equal(backend?.running, 2);
  assert.equal(backend?.queued, 6);
  for (let index = 0; index < 8; index++) {
    await eventually(() => held.length > index, 'the next request is in the container');
    inside--;
    held[index]?.end('done');
  }
  for (const client of clients) await client.until((text) => text.includes('200 OK'));
  assert.equal(most, 2);
  assert.deepEqual(order.slice().sort(), order);
  for (const client of clients) client[Symbol.dispose]();
});

testEach('a request for a revision without pods pokes at once, waits, and goes to the first pod', async (transport) => {
  await using upstream = await httpUpstream((request, response) => {
    let body = '';
    request.on('data', (part: Buffer) => (body += part.toString()));
    request.on('end', () => response.end(`got ${body}`));
  });
  const pokes: number[] = [];
  const stats = { report: () => {}, poke: ({ queued }: { queued: number }) => void pokes.push(queued) };
  await using it = await startProxy(singleRoute([]), { transport, stats });
  using client = new RawClient(it.port);
  client.send('POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 10\r\n\r\nhello');
  await eventually(() => pokes.length > 0, 'the poke');
  client.send('world');
  it.proxy.setBackend(testBackend('app', [upstream.port]));
  await client.until((text) => text.includes('got helloworld'));
  assert.equal(it.proxy.backends.get('app')?.coldStarts.total, 1);
});

testEach('a client that hangs up leaves the queue, and one that hangs up in the container frees its slot', async (transport) => {
  let aborted = 0;
  await using upstream = await httpUpstream((request) => void request.on('close', () => aborted++));
  await using it = await startProxy(singleRoute([upstream.port], { containerConcurrency: 1 }), { transport });
  const backend = it.proxy.backends.get('app');
  const inside = new RawClient(it.port).send(get());
  await eventually(() => backend?.running === 1, 'the first is inside');
  const waiting = new RawClient(it.port).send(get());
  await eventually(() => backend?.queued === 1, 'the second waits');
  waiting.socket.destroy();
  await eventually(() => backend?.queued === 0, 'the second has left');
  inside.socket.destroy();
  await eventually(() => backend?.running === 0 && aborted === 1, 'the slot is free and the container knows');
  assert.equal(backend?.statuses[0], 2);
});

testEach('a full queue answers 503 with Retry-After', async (transport) => {
  await using it = await startProxy(singleRoute([]), { transport, limits: { maxConnections: 20_000 } });
  const backend = it.proxy.backends.get('app');
  for (let index = 0; index < 10_000; index++) backend?.acquire({ granted: () => {}, refused: () => {} });
  using client = new RawClient(it.port);
  client.send(get());
  const text = await client.until((received) => received.includes('queue full'));
  assert.match(text, /^HTTP\/1\.1 503 Service Unavailable\r\n[^]*Retry-After: 1\r\n/);
});

testEach('a refused connection sends any request to another pod', async (transport) => {
  await using dead = await tcpUpstream(() => {});
  const deadPort = dead.port;
  await dead[Symbol.asyncDispose]();
  await using alive = await httpUpstream((request, response) => {
    request.resume();
    request.on('end', () => response.end('alive'));
  });
  await using it = await startProxy(singleRoute([deadPort, alive.port], { containerConcurrency: 2 }), { transport });
  for (let index = 0; index < 5; index++) {
    using client = new RawClient(it.port);
    client.send('POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 4\r\n\r\nbody');
    await client.until((text) => text.includes('alive'));
  }
});

testEach('a kept connection that closes before the response: GET is sent again, POST goes only on a fresh one', async (transport) => {
  const requests: string[] = [];
  await using upstream = await tcpUpstream((socket) => {
    let answered = 0;
    socket.on('data', (bytes: Buffer) => {
      requests.push(bytes.toString('latin1').slice(0, 6));
      // The second request on any connection meets a closing server.
      if (answered++ === 0) socket.write(ok);
      else socket.destroy();
    });
  });
  await using it = await startProxy(singleRoute([upstream.port]), { transport });
  using client = new RawClient(it.port);
  const ask = async (request: string) => {
    const before = client.received.length;
    client.send(request);
    return (await client.until((text) => text.length > before && /(ok|\n)$/.test(text))).slice(before, before + 12);
  };
  assert.equal(await ask(get()), 'HTTP/1.1 200');
  assert.equal(await ask(get()), 'HTTP/1.1 200');
  assert.deepEqual(requests, ['GET / ', 'GET / ', 'GET / ']);
  // In use a moment ago: a POST may go there, and is not repeated when it fails.
  assert.equal(await ask('POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 1\r\n\r\nx'), 'HTTP/1.1 502');
  assert.equal(requests.filter((line) => line.startsWith('POST')).length, 1);
});

testEach('an idle connection is given up before the time the container announces', async (transport) => {
  let closedByGateway = false;
  await using upstream = await tcpUpstream((socket) => {
    socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nok'));
    socket.on('end', () => (closedByGateway = true));
    socket.on('close', () => (closedByGateway = true));
  });
  const clock = new FakeClock();
  await using it = await startProxy(singleRoute([upstream.port]), { transport, clock });
  using client = new RawClient(it.port);
  client.send(get());
  await client.until((text) => text.endsWith('ok'));
  await eventually(() => it.proxy.backends.get('app')?.running === 0, 'the exchange is over');
  await clock.advance(990);
  await eventually(() => closedByGateway, 'the gateway closes');
});

testEach('timeoutSeconds: 504 before the first byte, an early end after it', async (transport) => {
  await using upstream = await httpUpstream((request, response) => {
    if (request.url === '/begun') response.write('begun');
  });
  await using it = await startProxy(singleRoute([upstream.port], { timeoutMs: 150 }), { transport });
  using silent = new RawClient(it.port);
  silent.send(get('/silent'));
  assert.match(await silent.until((text) => text.includes('request timeout\n')), /^HTTP\/1\.1 504 /);
  using begun = new RawClient(it.port);
  begun.send(get('/begun'));
  assert.match(await begun.untilEnd(), /^HTTP\/1\.1 200 [^]*begun\r\n0\r\n\r\n$/);
  assert.equal(it.proxy.backends.get('app')?.running, 0);
});

testEach('timeoutSeconds also ends the wait for a pod', async (transport) => {
  await using it = await startProxy(singleRoute([], { timeoutMs: 60 }), { transport });
  using client = new RawClient(it.port);
  client.send(get());
  assert.match(await client.until((text) => text.includes('activator request timeout')), /^HTTP\/1\.1 504 /);
  assert.equal(it.proxy.backends.get('app')?.queued, 0);
});

testEach('responseStartTimeoutSeconds and idleTimeoutSeconds', async (transport) => {
  const open: ServerResponse[] = [];
  await using upstream = await httpUpstream((request, response) => {
    open.push(response);
    if (request.url !== '/silent') response.write('x');
    if (request.url === '/busy') {
      const timer = setInterval(() => response.write('x'), 30);
      setTimeout(() => {
        clearInterval(timer);
        response.end('done');
      }, 300);
    }
  });
  await using start = await startProxy(singleRoute([upstream.port], { responseStartTimeoutMs: 80 }), { transport });
  using silent = new RawClient(start.port);
  silent.send(get('/silent'));
  assert.match(await silent.until((text) => text.includes('request timeout')), /^HTTP\/1\.1 504 /);
  await using idle = await startProxy(singleRoute([upstream.port], { idleTimeoutMs: 150 }), { transport });
  using busy = new RawClient(idle.port);
  busy.send(get('/busy'));
  await busy.until((text) => text.includes('done'));
  using stuck = new RawClient(idle.port);
  stuck.send(get('/stuck'));
  assert.match(await stuck.untilEnd(), /^HTTP\/1\.1 200 /);
});

testEach('responseStartTimeoutSeconds ends an upgraded connection whose container says nothing, and no other', async (transport) => {
  await using upstream = await tcpUpstream((socket) => {
    socket.once('data', (bytes: Buffer) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
      if (!bytes.toString().startsWith('GET /talks')) return;
      setTimeout(() => socket.write('hello'), 20);
      setTimeout(() => socket.end('bye'), 250);
    });
  });
  await using it = await startProxy(singleRoute([upstream.port], { responseStartTimeoutMs: 100 }), { transport });
  const upgrade = (path: string) => `GET ${path} HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;
  using silent = new RawClient(it.port).send(upgrade('/silent'));
  using talks = new RawClient(it.port).send(upgrade('/talks'));
  assert.match(await silent.untilEnd(), /^HTTP\/1\.1 101 [^]*\r\n\r\n$/);
  assert.match(await talks.untilEnd(), /hellobye$/);
});

testEach('slow clients: 408 for a head or content that does not come, silence for an idle connection', async (transport) => {
  await using upstream = await httpUpstream((request) => void request.resume());
  await using it = await startProxy(singleRoute([upstream.port]), { transport, limits: { headMs: 60, bodyMs: 60, idleMs: 60 } });
  using slowHead = new RawClient(it.port).send('GET / HTTP/1.1\r\nHos');
  assert.match(await slowHead.untilEnd(), /^HTTP\/1\.1 408 /);
  using slowBody = new RawClient(it.port).send('POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 9\r\n\r\nx');
  assert.match(await slowBody.untilEnd(), /^HTTP\/1\.1 408 /);
  using idle = new RawClient(it.port);
  assert.equal(await idle.untilEnd(), '');
});

testEach('a pod taken away finishes its requests and gets no new ones', async (transport) => {
  const held: ServerResponse[] = [];
  await using old = await httpUpstream((_request, response) => void held.push(response));
  await using next = await httpUpstream((_request, response) => response.end('next'));
  const drained: string[] = [];
  await using it = await startProxy(singleRoute([old.port]), { transport, drained: (key) => void drained.push(key) });
  using first = new RawClient(it.port).send(get());
  await eventually(() => held.length === 1, 'the request is inside');
  it.proxy.setBackend(testBackend('app', [next.port]));
  using second = new RawClient(it.port).send(get());
  await second.until((text) => text.includes('next'));
  assert.deepEqual(drained, []);
  held[0]?.end('finished');
  await first.until((text) => text.includes('finished'));
  assert.deepEqual(drained, [testPod(old.port).key]);
});

testEach('a pod is in use until its requests end, also when its revision is gone', async (transport) => {
  const held: ServerResponse[] = [];
  await using upstream = await httpUpstream((_request, response) => void held.push(response));
  const drained: string[] = [];
  await using it = await startProxy(singleRoute([upstream.port]), { transport, drained: (key) => void drained.push(key) });
  using client = new RawClient(it.port).send(get());
  await eventually(() => held.length === 1, 'the request is inside');
  it.proxy.apply({ backends: [], rules: [], certificates: [] });
  const { key } = testPod(upstream.port);
  assert.equal(it.proxy.uses(key), true);
  held[0]?.end('finished');
  await client.until((text) => text.includes('finished'));
  assert.equal(it.proxy.uses(key), false);
  assert.deepEqual(drained, [key]);
});

testEach('a drain lets requests finish with Connection: close and refuses new connections', async (transport) => {
  const held: ServerResponse[] = [];
  await using upstream = await httpUpstream((_request, response) => void held.push(response));
  await using it = await startProxy(singleRoute([upstream.port]), { transport });
  using client = new RawClient(it.port).send(get());
  await eventually(() => held.length === 1, 'the request is inside');
  const drained = it.proxy.drain(10_000, 0);
  held[0]?.end('finished');
  assert.match(await client.untilEnd(), /Connection: close\r\n[^]*finished/);
  await drained;
  using late = new RawClient(it.port);
  assert.equal(await late.untilEnd(), '');
});
