import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import type { sendUnaryData, ServerDuplexStream, ServerUnaryCall } from '@grpc/grpc-js';
import { bindSocket } from '#gateway/gateway.ts';
import { call, grpcClient, startGrpcServer } from '#gateway/testing/grpc.ts';
import { eventually, RawClient } from '#gateway/testing/raw-client.ts';
import { httpUpstream } from '#gateway/testing/upstream.ts';

async function startGatewayProcess(fd: number, upstreamPort: number, protocol = 'http1'): Promise<ChildProcess> {
  const entry = join(import.meta.dirname, 'testing/inherited-gateway.ts');
  const child = spawn(process.execPath, [entry, String(upstreamPort), protocol], { stdio: ['ignore', 'inherit', 'inherit', fd, 'ipc'] });
  await once(child, 'message');
  return child;
}

async function ask(port: number): Promise<string> {
  using client = new RawClient(port).send('GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n');
  return (await client.untilEnd()).slice(0, 15);
}

/** Opens a new connection for every request until told to stop. */
async function keepAsking(port: number, stop: AbortSignal): Promise<string[]> {
  const answers: string[] = [];
  while (!stop.aborted) answers.push(await ask(port));
  return answers;
}

test('one gateway follows another on the same socket without a refused connection, also after a crash', async () => {
  await using upstream = await httpUpstream((_request, response) => response.end('ok'));
  const socket = bindSocket('127.0.0.1', 0);
  const first = await startGatewayProcess(socket.fd, upstream.port);
  const stop = new AbortController();
  const asking = [1, 2, 3, 4].map(() => keepAsking(socket.port, stop.signal));
  const second = await startGatewayProcess(socket.fd, upstream.port);
  first.kill('SIGTERM');
  await once(first, 'exit');
  stop.abort();
  const answers = (await Promise.all(asking)).flat();
  assert.ok(answers.length > 20);
  assert.deepEqual(
    answers.filter((answer) => answer !== 'HTTP/1.1 200 OK'),
    [],
  );
  second.kill('SIGKILL');
  await once(second, 'exit');
  const waiting = ask(socket.port);
  const third = await startGatewayProcess(socket.fd, upstream.port);
  assert.equal(await waiting, 'HTTP/1.1 200 OK');
  third.kill('SIGKILL');
  await once(third, 'exit');
  socket.close();
});

test('gRPC calls go on through a planned restart: the old gateway says goodbye, and not one call fails', async () => {
  await using server = await startGrpcServer({
    Unary: (request: ServerUnaryCall<string, string>, callback: sendUnaryData<string>) =>
      void setTimeout(callback, 2, null, request.request),
    Duplex: (stream: ServerDuplexStream<string, string>) => stream.end(),
  });
  const socket = bindSocket('127.0.0.1', 0);
  const first = await startGatewayProcess(socket.fd, server.port, 'h2c');
  const client = grpcClient(socket.port);
  const stop = new AbortController();
  const answers: unknown[] = [];
  const callers = Array.from({ length: 8 }, async () => {
    while (!stop.signal.aborted) answers.push(await call(client, 'hello'));
  });
  const second = await startGatewayProcess(socket.fd, server.port, 'h2c');
  first.kill('SIGTERM');
  await once(first, 'exit');
  const before = answers.length;
  await eventually(() => answers.length > before + 20, 'calls go on with the new gateway');
  stop.abort();
  await Promise.all(callers);
  assert.deepEqual(
    answers.filter((answer) => answer !== 'hello'),
    [],
  );
  client.close();
  second.kill('SIGKILL');
  await once(second, 'exit');
  socket.close();
});

test('a port that is taken cannot be bound', async () => {
  await using upstream = await httpUpstream(() => {});
  assert.throws(() => bindSocket('127.0.0.1', upstream.port), { code: 'EADDRINUSE' });
});

test('of a port bound on all addresses one may be taken by a listener of ours, and the port by nobody else', async () => {
  await using wide = await httpUpstream((_request, response) => response.end('unused'));
  const socket = bindSocket('0.0.0.0', 0);
  const process = await startGatewayProcess(socket.fd, wide.port);
  const near = createServer((connection) => connection.end('near'));
  await new Promise<void>((resolve) => near.listen({ host: '127.0.0.1', port: socket.port, reusePort: true }, resolve));
  using client = new RawClient(socket.port);
  assert.equal(await client.untilEnd(), 'near');
  assert.throws(() => bindSocket('0.0.0.0', socket.port), { code: 'EADDRINUSE' });
  near.close();
  process.kill('SIGKILL');
  await once(process, 'exit');
  socket.close();
});
