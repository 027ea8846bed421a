import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import {
  Metadata,
  status,
  type ClientDuplexStream,
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServiceError,
  type StatusObject,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { startProxy } from '#gateway/testing/each-transport.ts';
import { call, duplex, grpcClient, startGrpcServer } from '#gateway/testing/grpc.ts';
import { eventually } from '#gateway/testing/raw-client.ts';
import { singleRoute, testBackend } from '#gateway/testing/routes.ts';

const failureOf = async (answer: Promise<string | ServiceError>): Promise<number> => {
  const result = await answer;
  return typeof result === 'string' ? status.OK : result.code;
};

const echoing: UntypedServiceImplementation = {
  Unary(request: ServerUnaryCall<string, string>, callback: sendUnaryData<string>) {
    const { request: text } = request;
    if (text === 'fail') callback({ code: status.FAILED_PRECONDITION, details: 'not today' });
    else if (text !== 'never') callback(null, `${text} for ${String(request.metadata.get('x-user')[0])}`);
  },
  Duplex(stream: ServerDuplexStream<string, string>) {
    stream.on('data', (text: string) => {
      if (text === 'enough') stream.emit('error', { code: status.OUT_OF_RANGE, details: 'enough' });
      else stream.write(text.toUpperCase());
    });
    stream.on('end', () => stream.end());
  },
};

test('gRPC: unary calls, large messages, errors with and without a message before', async () => {
  await using server = await startGrpcServer(echoing);
  await using it = await startProxy(singleRoute([server.port], { protocol: 'h2c' }));
  const client = grpcClient(it.port);
  const metadata = new Metadata();
  metadata.set('x-user', 'ann');
  assert.equal(await call(client, 'hello', 10_000, metadata), 'hello for ann');
  const large = 'x'.repeat(2_000_000);
  assert.equal(await call(client, large, 10_000, metadata), `${large} for ann`);
  const failed = (await call(client, 'fail')) as ServiceError;
  assert.deepEqual([failed.code, failed.details], [status.FAILED_PRECONDITION, 'not today']);
  const calls = await Promise.all(Array.from({ length: 50 }, (_, index) => call(client, `${index}`, 10_000, metadata)));
  assert.deepEqual(
    calls,
    calls.map((_, index) => `${index} for ann`),
  );
  client.close();
});

test('gRPC: both sides stream in turn; the server may end first, with its status', async () => {
  await using server = await startGrpcServer(echoing);
  await using it = await startProxy(singleRoute([server.port], { protocol: 'h2c' }));
  const client = grpcClient(it.port);
  const open = (): ClientDuplexStream<string, string> =>
    client.makeBidiStreamRequest(duplex.path, duplex.requestSerialize, duplex.responseDeserialize);
  const talk = open();
  for (const word of ['one', 'two', 'three']) {
    talk.write(word);
    const [answer] = (await once(talk, 'data')) as [string];
    assert.equal(answer, word.toUpperCase());
  }
  talk.end();
  talk.resume();
  const over = await new Promise<StatusObject>((resolve) => talk.once('status', resolve));
  assert.equal(over.code, status.OK);
  const cut = open();
  cut.on('error', () => {});
  cut.resume();
  cut.write('one');
  cut.write('enough');
  const ended = await new Promise<StatusObject>((resolve) => cut.once('status', resolve));
  assert.deepEqual([ended.code, ended.details], [status.OUT_OF_RANGE, 'enough']);
  await eventually(() => it.proxy.backends.get('app')?.running === 0, 'the slots are free');
  client.close();
});

test('gRPC: a deadline reaches the container and frees the slot; what the gateway answers itself has a code', async () => {
  await using server = await startGrpcServer(echoing);
  await using it = await startProxy(singleRoute([server.port], { protocol: 'h2c', containerConcurrency: 1, timeoutMs: 300 }));
  const client = grpcClient(it.port);
  assert.equal(await failureOf(call(client, 'never', 50)), status.DEADLINE_EXCEEDED);
  await eventually(() => it.proxy.backends.get('app')?.running === 0, 'the slot is free');
  // 504 and 404, as gRPC clients translate them.
  assert.equal(await failureOf(call(client, 'never')), status.UNAVAILABLE);
  it.proxy.setRules('', []);
  assert.equal(await failureOf(call(client, 'hello')), status.UNIMPLEMENTED);
  client.close();
});

test('gRPC: a call wakes a revision without pods and waits for it', async () => {
  await using server = await startGrpcServer(echoing);
  let poked = () => {};
  const waking = new Promise<void>((resolve) => (poked = resolve));
  await using it = await startProxy(singleRoute([], { protocol: 'h2c' }), { stats: { report: () => {}, poke: () => poked() } });
  const client = grpcClient(it.port);
  const answer = call(client, 'hello');
  await waking;
  it.proxy.setBackend(testBackend('app', [server.port], { protocol: 'h2c' }));
  assert.equal(await answer, 'hello for undefined');
  client.close();
});
