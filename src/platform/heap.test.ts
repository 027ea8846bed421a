import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '#core/clock.ts';
import { collectWhenIdle, limitGrowth, v8Heap } from '#platform/heap.ts';

const megabyte = 2 ** 20;

class FakeHeap {
  share = 0;
  used = 30 * megabyte;
  live = 20 * megabyte;
  collections = 0;
  growth = 0;
  growBy = (percent: number) => {
    this.growth = percent;
  };
  utilization = () => this.share;
  usedBytes = () => this.used;
  collect = () => {
    this.collections += 1;
    this.used = this.live;
  };
}

describe('collecting when idle', () => {
  test('an idle process gives garbage back, and is left alone until there is more', async () => {
    const [clock, heap] = [new FakeClock(), new FakeHeap()];
    collectWhenIdle(clock, new AbortController().signal, heap);
    await clock.advance(5000);
    assert.deepEqual([heap.collections, heap.used], [1, heap.live]);
    heap.used += 3 * megabyte;
    await clock.advance(50_000);
    assert.equal(heap.collections, 1);
    heap.used += 3 * megabyte;
    await clock.advance(5000);
    assert.equal(heap.collections, 2);
  });

  test('what caches let go of later is given back too, once', async () => {
    const [clock, heap] = [new FakeClock(), new FakeHeap()];
    collectWhenIdle(clock, new AbortController().signal, heap);
    await clock.advance(5000);
    heap.live -= 10 * megabyte;
    await clock.advance(60_000);
    assert.deepEqual([heap.collections, heap.used], [2, heap.live]);
    await clock.advance(600_000);
    assert.equal(heap.collections, 2);
  });

  test('a busy process is not stopped for it', async () => {
    const [clock, heap] = [new FakeClock(), new FakeHeap()];
    heap.share = 0.3;
    collectWhenIdle(clock, new AbortController().signal, heap);
    await clock.advance(60_000);
    assert.equal(heap.collections, 0);
  });

  test('a large heap grows slowly, a small one as it likes', async () => {
    const [clock, heap] = [new FakeClock(), new FakeHeap()];
    limitGrowth(clock, new AbortController().signal, heap);
    await clock.advance(1000);
    assert.equal(heap.growth, 0);
    heap.used = 200 * megabyte;
    await clock.advance(1000);
    assert.equal(heap.growth, 50);
    heap.used = 100 * megabyte;
    await clock.advance(1000);
    assert.equal(heap.growth, 0);
  });

  test('it ends with the process', async () => {
    const [clock, heap, life] = [new FakeClock(), new FakeHeap(), new AbortController()];
    collectWhenIdle(clock, life.signal, heap);
    life.abort();
    await clock.advance(60_000);
    assert.equal(heap.collections, 0);
  });

  test("V8's heap shrinks by what nobody holds any more", () => {
    const heap = v8Heap();
    let held: unknown[] | undefined = Array.from({ length: 200_000 }, (_, index) => ({ index }));
    const before = heap.usedBytes();
    assert.equal(held.length, 200_000);
    held = undefined;
    heap.collect();
    assert.ok(heap.usedBytes() < before - 4 * megabyte);
  });
});
