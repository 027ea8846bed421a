import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { describe, test } from 'node:test';
import type { StatsMessage } from '#apis/dormouse/stats.ts';
import { StatsRelay } from '#platform/control/stats-relay.ts';

const turns = async () => {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};
const report = (second: number): StatsMessage => ({ type: 'report', second, revisions: [] });

/** Collects the JSON lines of a stream while it lasts. */
function collect(chunks: AsyncIterable<Uint8Array>): { readonly lines: unknown[]; readonly ended: Promise<void> } {
  const lines: unknown[] = [];
  const read = async () => {
    for await (const chunk of chunks) {
      for (const line of Buffer.from(chunk).toString().trim().split('\n')) lines.push(JSON.parse(line));
    }
  };
  return { lines, ended: read() };
}

function startGateway(relay: StatsRelay, name: string) {
  const body = new PassThrough();
  const { lines: replies, ended } = collect(relay.receive(body));
  const say = async (message: StatsMessage) => {
    body.write(`${JSON.stringify(message)}\n`);
    await turns();
  };
  body.write(`${JSON.stringify({ type: 'hello', gateway: name, version: 1 })}\n`);
  return { say, replies, ended, end: () => body.end() };
}

function startReader(relay: StatsRelay) {
  const stop = new AbortController();
  return { ...collect(relay.read(stop.signal)), stop: () => stop.abort() };
}

describe('the relay of counters', () => {
  test('a reader is told of the gateways there are, which are asked to send everything again', async () => {
    const relay = new StatsRelay();
    const gateway = startGateway(relay, 'g');
    await gateway.say(report(1));
    assert.deepEqual(gateway.replies, []);
    const reader = startReader(relay);
    await turns();
    assert.deepEqual(gateway.replies, [{ type: 'resend' }]);
    await gateway.say(report(1));
    assert.deepEqual(reader.lines, [
      { type: 'open', connection: 1, gateway: 'g' },
      { type: 'said', connection: 1, message: report(1) },
    ]);
    reader.stop();
    await reader.ended;
    gateway.end();
    await gateway.ended;
  });

  test('every reader hears every gateway, and when one has gone', async () => {
    const relay = new StatsRelay();
    const readers = [startReader(relay), startReader(relay)];
    const first = startGateway(relay, 'a');
    await turns();
    const second = startGateway(relay, 'b');
    await second.say(report(2));
    first.end();
    await first.ended;
    await turns();
    for (const { lines } of readers) {
      assert.deepEqual(lines, [
        { type: 'open', connection: 1, gateway: 'a' },
        { type: 'open', connection: 2, gateway: 'b' },
        { type: 'said', connection: 2, message: report(2) },
        { type: 'closed', connection: 1 },
      ]);
    }
    for (const reader of readers) reader.stop();
    second.end();
    await Promise.all([...readers.map(({ ended }) => ended), second.ended]);
  });

  test('a node hears the pokes alone', async () => {
    const relay = new StatsRelay();
    const stop = new AbortController();
    const node = collect(relay.readPokes(stop.signal));
    const gateway = startGateway(relay, 'g');
    await gateway.say(report(1));
    const poke: StatsMessage = { type: 'poke', namespace: 'n', revision: 'r', queued: 0, running: 1, frozen: ['n/pod'] };
    await gateway.say(poke);
    assert.deepEqual(node.lines, [{ type: 'said', connection: 1, message: poke }]);
    assert.deepEqual(gateway.replies, []);
    stop.abort();
    gateway.end();
    await Promise.all([node.ended, gateway.ended]);
  });

  test('who does not say hello, or no JSON, is cut off, and no reader hears of it', async () => {
    const relay = new StatsRelay();
    const reader = startReader(relay);
    for (const line of [JSON.stringify(report(1)), 'nonsense']) {
      const body = new PassThrough();
      const { ended } = collect(relay.receive(body));
      body.write(`${line}\n`);
      await assert.rejects(ended);
    }
    assert.deepEqual(reader.lines, []);
    reader.stop();
    await reader.ended;
  });

  test('a reader that falls far behind is ended; the others are not', async () => {
    const relay = new StatsRelay();
    const slow = relay.read(new AbortController().signal)[Symbol.asyncIterator]();
    const first = slow.next();
    const gateway = startGateway(relay, 'g');
    await first;
    const good = startReader(relay);
    for (let second = 1; second <= 10_001; second += 1) {
      void gateway.say(report(second));
      if (second % 100 === 0) await turns();
    }
    await turns();
    let frames = 0;
    for (let next = await slow.next(); next.done !== true; next = await slow.next()) {
      frames += Buffer.from(next.value).toString().trim().split('\n').length;
    }
    assert.equal(frames, 10_000);
    assert.equal(good.lines.length, 10_002);
    good.stop();
    gateway.end();
    await Promise.all([good.ended, gateway.ended]);
  });
});
