import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FakeClock } from '#core/clock.ts';
import { StartPace } from '#node/engine-provider/start-pace.ts';

const never = new AbortController().signal;

/** One processor, so four at a time; `idle` is what the processors have to spare. */
function rig() {
  const clock = new FakeClock();
  const machine = { idle: 0 };
  const pace = new StartPace({ clock, processors: 1, idleShare: () => machine.idle });
  const started: number[] = [];
  const leave: (() => void)[] = [];
  const enter = (index: number, signal = never) =>
    pace.enter(signal).then((over) => {
      started.push(index);
      leave[index] = over;
    });
  return { clock, machine, started, leave, enter };
}

describe('pace of starting pods', () => {
  it('lets a few start at a time, the others in the order of asking', async () => {
    const { clock, started, leave, enter } = rig();
    for (let index = 0; index < 7; index += 1) void enter(index);
    await clock.advance(0);
    assert.deepEqual(started, [0, 1, 2, 3]);
    leave[2]?.();
    leave[2]?.();
    await clock.advance(0);
    assert.deepEqual(started, [0, 1, 2, 3, 4]);
    leave[0]?.();
    leave[1]?.();
    await clock.advance(0);
    assert.deepEqual(started, [0, 1, 2, 3, 4, 5, 6]);
  });

  it('does not wait for a pod that takes long', async () => {
    const { clock, started, enter } = rig();
    for (let index = 0; index < 5; index += 1) void enter(index);
    await clock.advance(1999);
    assert.equal(started.length, 4);
    await clock.advance(1);
    assert.equal(started.length, 5);
  });

  it('lets more start while the processors have time to spare', async () => {
    const { clock, machine, started, enter } = rig();
    for (let index = 0; index < 7; index += 1) void enter(index);
    await clock.advance(100);
    assert.equal(started.length, 4);
    machine.idle = 0.5;
    await clock.advance(50);
    assert.equal(started.length, 5);
    await clock.advance(100);
    assert.equal(started.length, 7);
  });

  it('forgets a pod that is stopped while it waits', async () => {
    const { clock, started, leave, enter } = rig();
    const stop = new AbortController();
    for (let index = 0; index < 4; index += 1) void enter(index);
    const stopped = assert.rejects(enter(4, stop.signal), /stopped/);
    void enter(5);
    stop.abort(new Error('stopped'));
    await stopped;
    leave[0]?.();
    await clock.advance(0);
    assert.deepEqual(started, [0, 1, 2, 3, 5]);
    await assert.rejects(enter(6, stop.signal), /stopped/);
  });
});
