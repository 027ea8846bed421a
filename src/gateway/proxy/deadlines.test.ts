import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '#core/clock.ts';
import { Deadline, Deadlines } from '#gateway/proxy/deadlines.ts';

describe('deadlines', () => {
  test('fire in order, not when cancelled, later when set again', async () => {
    const clock = new FakeClock();
    const list = new Deadlines(clock).of(1000);
    const fired: string[] = [];
    const make = (name: string) => new Deadline({ expired: () => void fired.push(name) });
    const [a, b, c] = ['a', 'b', 'c'].map(make) as [Deadline, Deadline, Deadline];
    for (const one of [a, b, c]) list.set(one, clock.monotonic());
    await clock.advance(600);
    list.set(a, clock.monotonic());
    b.cancel();
    b.cancel();
    await clock.advance(500);
    assert.deepEqual(fired, ['c']);
    await clock.advance(600);
    assert.deepEqual(fired, ['c', 'a']);
    list.set(b, clock.monotonic());
    await clock.advance(1100);
    assert.deepEqual(fired, ['c', 'a', 'b']);
  });

  test('one that is moved to another duration leaves the first list', async () => {
    const clock = new FakeClock();
    const deadlines = new Deadlines(clock);
    let fired = 0;
    const one = new Deadline({ expired: () => fired++ });
    deadlines.of(100).set(one, clock.monotonic());
    deadlines.of(5000).set(one, clock.monotonic());
    await clock.advance(1000);
    assert.equal(fired, 0);
    await clock.advance(4500);
    assert.equal(fired, 1);
  });
});
