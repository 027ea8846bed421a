import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { WorkQueue } from '#controller/work-queue.ts';
import { FakeClock } from '#core/clock.ts';

const queueOf = (options: { maxKeys?: number; onOverflow?: () => void } = {}) => {
  const clock = new FakeClock();
  return { clock, queue: new WorkQueue({ clock, ...options }) };
};

describe('WorkQueue', () => {
  it('hands out changed keys before slow ones, each once', async () => {
    const { queue } = queueOf();
    queue.addSlow('a');
    queue.addSlow('b');
    queue.add('c');
    queue.add('b');
    queue.add('c');
    assert.deepEqual([await queue.take(), await queue.take(), await queue.take()], ['c', 'b', 'a']);
    assert.equal(queue.depth, 0);
  });

  it('never hands out a key that is being worked on, and remembers that it changed', async () => {
    const { queue } = queueOf();
    queue.add('a');
    assert.equal(await queue.take(), 'a');
    queue.add('a');
    queue.add('a');
    let second: string | undefined = 'none yet';
    const taken = queue.take().then((key) => (second = key));
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(second, 'none yet');
    queue.done('a');
    await taken;
    assert.equal(second, 'a');
  });

  it('lets urgent queues go first', async () => {
    const clock = new FakeClock();
    const taken: string[] = [];
    const other = new WorkQueue({ clock });
    const urgent = new WorkQueue({ clock, isUrgent: () => true });
    const both = [other, urgent].map((queue) => queue.take().then((key = '') => taken.push(key)));
    other.add('report');
    urgent.add('pod');
    await Promise.all(both);
    assert.deepEqual(taken, ['pod', 'report']);
  });

  it('doubles the delay of a failing key up to about 16 minutes and starts over after a success', () => {
    const { queue } = queueOf();
    const delays = Array.from({ length: 20 }, () => queue.retry('a'));
    assert.deepEqual(delays.slice(0, 4), [5, 10, 20, 40]);
    assert.equal(delays.at(-1), 1_000_000);
    queue.forget('a');
    assert.equal(queue.retry('a'), 5);
  });

  it('lets the delay due first win', async () => {
    const { queue, clock } = queueOf();
    queue.addAfter('a', 1000);
    queue.addAfter('a', 100);
    queue.addAfter('a', 500);
    await clock.advance(99);
    assert.equal(queue.depth, 0);
    await clock.advance(1);
    assert.equal(queue.depth, 1);
    await queue.take();
    await clock.advance(10_000);
    assert.equal(queue.idle, false);
    queue.done('a');
    assert.equal(queue.idle, true, 'the later delays are gone');
  });

  it('drops keys beyond its bound and says so once there is room', async () => {
    let overflows = 0;
    const { queue } = queueOf({ maxKeys: 4, onOverflow: () => (overflows += 1) });
    for (const key of ['a', 'b', 'c', 'd', 'e', 'f']) queue.add(key);
    assert.equal(queue.depth, 4);
    for (let taken = 0; taken < 4; taken += 1) await queue.take();
    assert.equal(overflows, 1);
  });

  it('ends every take when it is closed', async () => {
    const { queue } = queueOf();
    const waiting = [queue.take(), queue.take()];
    queue.close();
    assert.deepEqual(await Promise.all(waiting), [undefined, undefined]);
    queue.add('a');
    assert.equal(await queue.take(), undefined);
  });

  it('loses no key and doubles none, whatever the order of calls', async () => {
    const step = fc.record({ what: fc.constantFrom('add', 'addSlow', 'take', 'done'), key: fc.constantFrom('a', 'b', 'c') });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const { queue } = queueOf();
        const working = new Set<string>();
        const owed = new Set<string>();
        for (const { what, key } of steps) {
          if (what === 'add' || what === 'addSlow') {
            queue[what](key);
            owed.add(key);
          } else if (what === 'done' && working.delete(key)) queue.done(key);
          else if (what === 'take' && [...owed].some((one) => !working.has(one))) {
            const taken = (await queue.take()) ?? '';
            assert.ok(owed.delete(taken) && !working.has(taken));
            working.add(taken);
          }
        }
        for (const key of working) queue.done(key);
        assert.equal(queue.depth, owed.size);
      }),
    );
  });
});
