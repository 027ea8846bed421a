import assert from 'node:assert/strict';
import { createServer as createHttp } from 'node:http';
import { createServer as createHttp2 } from 'node:http2';
import { createServer as createTcp, type AddressInfo, type Server } from 'node:net';
import { describe, test } from 'node:test';
import { systemClock } from '#core/clock.ts';
import { attemptProbe } from '#node/probes/attempt.ts';
import { dialTcp, type ProbeTarget } from '#node/probes/probe-target.ts';

const target: ProbeTarget = {
  podIp: '127.0.0.1',
  connect: (port, host = '127.0.0.1', signal) => dialTcp(host, port, signal),
  exec: () => Promise.reject(new Error('not here')),
  resolvePort: Number,
};

/** What a probe by HTTP of this server says; HTTP/2 first where asked for. */
async function probe(server: Server, detectHttp2: boolean) {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const httpHeaders = [{ name: 'X-Own', value: 'yes' }];
  try {
    return await attemptProbe({ httpGet: { port, path: 'health', httpHeaders }, timeoutSeconds: 1 }, target, systemClock, detectHttp2);
  } finally {
    server.close();
  }
}

describe('probes by HTTP', () => {
  const seen: unknown[] = [];
  const http1 = (status: number) =>
    createHttp(({ httpVersion, url, headers }, response) => {
      seen.push([httpVersion, url, headers['x-own'], headers['user-agent']]);
      response.writeHead(status).end();
    });
  const http2 = (status: number) =>
    createHttp2(({ httpVersion, url, headers }, response) => {
      seen.push([httpVersion, url, headers['x-own'], headers['user-agent']]);
      response.writeHead(status).end();
    });
  const asked = (version: string) => [version, '/health', 'yes', 'kube-probe/1.32'];
  const ok = { ok: true, message: '' };

  test('a server of HTTP/2 alone answers only where HTTP/2 is looked for', async () => {
    assert.equal((await probe(http2(200), false)).ok, false);
    seen.length = 0;
    assert.deepEqual(await probe(http2(204), true), ok);
    assert.deepEqual(seen, [asked('2.0')]);
  });

  test('one of HTTP/1.1 is asked by it all the same', async () => {
    seen.length = 0;
    assert.deepEqual(await probe(http1(200), true), ok);
    assert.deepEqual(seen, [asked('1.1')]);
  });

  test('what it answers by HTTP/1.1 is what counts where neither is good', async () => {
    assert.deepEqual(await probe(http1(503), true), { ok: false, message: 'HTTP probe failed with statuscode: 503' });
    assert.equal((await probe(http2(503), true)).ok, false);
  });

  test('one that takes the connection and says nothing fails in the end', async () => {
    const mute = createTcp((socket) => void socket.on('error', () => {}));
    const { ok: good, message } = await probe(mute, true);
    assert.equal(good, false);
    assert.match(message, /Client\.Timeout exceeded while awaiting headers/);
  });
});
