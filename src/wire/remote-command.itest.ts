import { randomBytes } from 'node:crypto';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, request as httpRequest, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { after, before, describe, it } from 'node:test';
import { WebSocket } from 'ws';
import { negotiatePortForward } from '#wire/port-forward.ts';
import { negotiateRemoteCommand, type RemoteCommandStreams, type TerminalSize } from '#wire/remote-command.ts';
import { SpdySession } from '#wire/spdy.ts';
import { UpgradeError, type UpgradeHeaders } from '#wire/upgrade.ts';
import { acceptKey, WebSocketConnection, webSocketDuplex } from '#wire/websocket.ts';

/** The client's handshake headers, and the answer to expect in `sec-websocket-accept`. */
function clientHandshake(subprotocols: readonly string[]): { headers: Record<string, string>; accept: string } {
  const key = randomBytes(16).toString('base64');
  const headers = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': key,
    ...(subprotocols.length === 0 ? {} : { 'sec-websocket-protocol': subprotocols.join(', ') }),
  };
  return { headers, accept: acceptKey(key) };
}

const success = { metadata: {}, status: 'Success' };
const failure = { metadata: {}, status: 'Failure', reason: 'NonZeroExitCode', details: { causes: [{ reason: 'ExitCode', message: '3' }] } };

/** What `run` says in its path: `cat` echoes stdin, `both` writes to stdout and stderr, `hang` waits for the client to go. */
class FarEnd {
  readonly sizes: TerminalSize[] = [];
  readonly gone = Promise.withResolvers<void>();

  async run(path: string, streams: RemoteCommandStreams): Promise<void> {
    streams.resize((size) => this.sizes.push(size));
    if (path === '/cat' && streams.stdin !== undefined && streams.stdout !== undefined) {
      await pipeline(streams.stdin, streams.stdout, { end: false });
      await streams.sendStatus(success);
    } else if (path === '/both') {
      streams.stdout?.write('out');
      streams.stderr?.write('err');
      await streams.sendStatus(failure);
    } else {
      streams.signal.addEventListener('abort', () => this.gone.resolve());
    }
  }

  forward(port: number, connection: Duplex): void {
    if (port === 9999) connection.destroy(new Error('connection refused: 9999'));
    else void pipeline(connection, connection).catch(() => {});
  }

  upgrade(path: string, headers: UpgradeHeaders, socket: Duplex, head: Uint8Array): void {
    try {
      if (path === '/portforward') {
        void negotiatePortForward(headers).accept(socket, head, (port, connection) => this.forward(port, connection));
        return;
      }
      const wanted = { stdin: path !== '/both', stdout: true, stderr: true, tty: path === '/tty' };
      void negotiateRemoteCommand(headers)
        .accept(socket, head, wanted)
        .then((streams) => this.run(path, streams));
    } catch (error) {
      assert.ok(error instanceof UpgradeError);
      socket.end(`HTTP/1.1 ${error.status} Refused\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`);
    }
  }
}

describe('remote commands and port forwards over real sockets', () => {
  let server: Server;
  let port: number;
  const far = new FarEnd();
  const open = new Set<Socket>();
  before(async () => {
    server = createServer();
    server.on('connection', (socket) => open.add(socket));
    server.on('upgrade', (request, socket, head) => far.upgrade(request.url ?? '', request.headers as UpgradeHeaders, socket, head));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    ({ port } = server.address() as AddressInfo);
  });
  after(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });

  /** A WebSocket of the `ws` package, and what came in by channel. */
  async function channelClient(path: string, protocol: string) {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, [protocol], { perMessageDeflate: false });
    const received = new Map<number, Buffer[]>();
    socket.on('message', (data: Buffer) => {
      const channel = data[0] ?? -1;
      received.set(channel, [...(received.get(channel) ?? []), data.subarray(1)]);
    });
    const closed = once(socket, 'close') as Promise<[number, Buffer]>;
    await once(socket, 'open');
    return { socket, received, closed, text: (channel: number) => Buffer.concat(received.get(channel) ?? []).toString() };
  }

  async function upgraded(
    path: string,
    headers: Record<string, string>,
  ): Promise<{ socket: Socket; headers: NodeJS.Dict<string | string[]>; head: Buffer }> {
    const request = httpRequest({ host: '127.0.0.1', port, path, headers });
    request.end();
    const [response, socket, head] = (await once(request, 'upgrade')) as [{ headers: NodeJS.Dict<string | string[]> }, Socket, Buffer];
    return { socket, headers: response.headers, head };
  }

  const spdy = (protocols: string) => ({ connection: 'Upgrade', upgrade: 'SPDY/3.1', 'x-stream-protocol-version': protocols });

  it('serves a WebSocket v5 command: output, then status, then close 1000', async () => {
    const client = await channelClient('/both', 'v5.channel.k8s.io');
    const [code] = await client.closed;
    assert.equal(client.socket.protocol, 'v5.channel.k8s.io');
    assert.deepEqual([client.text(1), client.text(2), JSON.parse(client.text(3)), code], ['out', 'err', failure, 1000]);
  });

  it('ends stdin at the v5 close signal', async () => {
    const client = await channelClient('/cat', 'v5.channel.k8s.io');
    client.socket.send(Buffer.from('\0hello'));
    client.socket.send(Buffer.from([255, 0]));
    await client.closed;
    assert.equal(client.text(1), 'hello');
    assert.deepEqual(JSON.parse(client.text(3)), success);
  });

  it('carries 20 MB through stdin and stdout of a WebSocket', async () => {
    const client = await channelClient('/cat', 'v5.channel.k8s.io');
    const block = Buffer.alloc(32 * 1024 + 1, 7);
    block[0] = 0;
    for (let sent = 0; sent < 640; sent += 1) client.socket.send(block);
    client.socket.send(Buffer.from([255, 0]));
    await client.closed;
    assert.equal(Buffer.concat(client.received.get(1) ?? []).length, 640 * 32 * 1024);
  });

  it('passes sizes on, and tells when the client goes away', async () => {
    const client = await channelClient('/tty', 'v4.channel.k8s.io');
    client.socket.send(Buffer.from('\x04{"Width":80,"Height":24}'));
    client.socket.send(Buffer.from('\x04nonsense'));
    client.socket.send(Buffer.from('\x04{"Width":-1,"Height":1e9}'));
    client.socket.close();
    await far.gone.promise;
    assert.deepEqual(far.sizes, [{ width: 80, height: 24 }]);
  });

  it('serves a SPDY v4 command, and prefers v4 where the client offers both', async () => {
    const { socket, headers, head } = await upgraded('/cat', spdy('v5.channel.k8s.io, v4.channel.k8s.io'));
    assert.equal(headers['x-stream-protocol-version'], 'v4.channel.k8s.io');
    const session = new SpdySession(socket, { role: 'client', head });
    const [error, stdin, stdout, stderr] = ['error', 'stdin', 'stdout', 'stderr'].map((streamtype) => session.open({ streamtype }));
    assert.ok(error && stdin && stdout && stderr);
    stderr.resume();
    stdin.end(Buffer.alloc(5 * 2 ** 20, 'x'));
    const echoed = createHash('sha1');
    let status = '';
    await Promise.all([
      (async () => {
        for await (const chunk of stdout as AsyncIterable<Buffer>) echoed.update(chunk);
      })(),
      (async () => {
        for await (const chunk of error as AsyncIterable<Buffer>) status += chunk.toString();
      })(),
    ]);
    assert.deepEqual(JSON.parse(status), success);
    assert.equal(
      echoed.digest('hex'),
      createHash('sha1')
        .update(Buffer.alloc(5 * 2 ** 20, 'x'))
        .digest('hex'),
    );
    await session.close();
  });

  async function checkForward(session: SpdySession): Promise<void> {
    const answers = [80, 81].map(async (port, index) => {
      const headers = { port: String(port), requestid: String(index) };
      const error = session.open({ streamtype: 'error', ...headers });
      const data = session.open({ streamtype: 'data', ...headers });
      error.end();
      data.end(Buffer.alloc(3 * 2 ** 20, port));
      let size = 0;
      for await (const chunk of data as AsyncIterable<Buffer>) size += chunk.length;
      const problems = await Array.fromAsync(error as AsyncIterable<Buffer>);
      return [size, Buffer.concat(problems).toString()];
    });
    assert.deepEqual(await Promise.all(answers), [
      [3 * 2 ** 20, ''],
      [3 * 2 ** 20, ''],
    ]);
    const refused = session.open({ streamtype: 'error', port: '9999', requestid: '9' });
    session.open({ streamtype: 'data', port: '9999', requestid: '9' }).resume();
    assert.equal(Buffer.concat(await Array.fromAsync(refused as AsyncIterable<Buffer>)).toString(), 'connection refused: 9999');
    await session.close();
  }

  it('forwards ports over SPDY', async () => {
    const { socket, headers, head } = await upgraded('/portforward', spdy('portforward.k8s.io'));
    assert.equal(headers['x-stream-protocol-version'], 'portforward.k8s.io');
    await checkForward(new SpdySession(socket, { role: 'client', head }));
  });

  it('forwards ports over SPDY in a WebSocket, its name with a slash echoed', async () => {
    const handshake = clientHandshake(['SPDY/3.1+portforward.k8s.io']);
    const { socket, headers, head } = await upgraded('/portforward', handshake.headers);
    assert.equal(headers['sec-websocket-protocol'], 'SPDY/3.1+portforward.k8s.io');
    assert.equal(headers['sec-websocket-accept'], handshake.accept);
    await checkForward(new SpdySession(webSocketDuplex(new WebSocketConnection(socket, { role: 'client', head })), { role: 'client' }));
  });

  it('refuses what it does not speak while an HTTP answer is possible', async () => {
    const ask = async (headers: Record<string, string>) => {
      const request = httpRequest({ host: '127.0.0.1', port, path: '/cat', headers });
      request.end();
      const [response] = (await once(request, 'response')) as [{ statusCode: number }];
      return response.statusCode;
    };
    assert.equal(await ask(spdy('v9.channel.k8s.io')), 403);
    assert.equal(await ask({ ...clientHandshake(['unknown']).headers }), 403);
    assert.equal(await ask({ connection: 'Upgrade', upgrade: 'h2c' }), 400);
    assert.equal(await ask({ ...clientHandshake(['v5.channel.k8s.io']).headers, 'sec-websocket-key': 'short' }), 400);
  });

  it('survives a client that sends nonsense after the handshake', async () => {
    const socket = connect(port, '127.0.0.1');
    const { headers } = clientHandshake(['v5.channel.k8s.io']);
    socket.write(
      `GET /cat HTTP/1.1\r\nhost: x\r\n${Object.entries(headers)
        .map(([name, value]) => `${name}: ${value}\r\n`)
        .join('')}\r\n`,
    );
    socket.write(Buffer.alloc(100, 0xff));
    socket.resume();
    await once(socket, 'close');
  });
});
