import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FakeClock } from '#core/clock.ts';
import { retry } from '#core/retry.ts';

describe('retry', () => {
  const settled = () => new Promise((resolve) => setImmediate(resolve));

  it('tries again after pauses that double up to their limit', async () => {
    const clock = new FakeClock();
    const tries: number[] = [];
    const startMs = clock.now();
    const work = () => {
      tries.push(clock.now() - startMs);
      return tries.length < 5 ? Promise.reject(new Error('no')) : Promise.resolve('done');
    };
    const result = retry(work, { clock, signal: new AbortController().signal, baseMs: 100, maxMs: 300, onFailure: () => {} });
    for (const stepMs of [100, 200, 300, 300]) {
      await settled();
      await clock.advance(stepMs);
    }
    assert.equal(await result, 'done');
    assert.deepEqual(tries, [0, 100, 300, 600, 900]);
  });

  it('ends when the signal aborts, or when whoever hears of the failure throws', async () => {
    const clock = new FakeClock();
    const stop = new AbortController();
    const work = () => Promise.reject(new Error('no'));
    const options = { clock, signal: stop.signal, baseMs: 100, maxMs: 300 };
    await assert.rejects(
      retry(work, {
        ...options,
        onFailure(error, failures) {
          throw new Error(`gave up after ${failures}`, { cause: error });
        },
      }),
      /gave up after 1/,
    );
    const ended = assert.rejects(retry(work, { ...options, onFailure: () => {} }), /enough/);
    await settled();
    stop.abort(new Error('enough'));
    await ended;
  });
});
