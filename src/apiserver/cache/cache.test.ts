import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CachedObject, type TextSource } from '#apiserver/cache/cached-object.ts';
import { HotObjects } from '#apiserver/cache/hot-objects.ts';
import { eventWindow, recentEvents, ResourceCache } from '#apiserver/cache/resource-cache.ts';

const text = (name: string) => JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'n' } });

function source(limit: number): TextSource & { reads: number } {
  return {
    reads: 0,
    hot: new HotObjects(limit, 0),
    valueOf(revision: number) {
      this.reads += 1;
      return text(`o${revision}`);
    },
    valuesOf(revisions: readonly number[]) {
      this.reads += 1;
      return revisions.map((revision) => text(`o${revision}`));
    },
  };
}

describe('cached objects', () => {
  test('what has been released is read again, and is the same instance to who kept it', () => {
    const from = source(1);
    const first = new CachedObject('/registry/core/configmaps/n/o1', 1, text('o1'), from);
    const kept = first.object;
    const second = new CachedObject('/registry/core/configmaps/n/o2', 2, undefined, from);
    assert.deepEqual(second.object.metadata, { resourceVersion: '2', name: 'o2', namespace: 'n' });
    assert.deepEqual([first.name, first.namespace], ['o1', 'n']);
    first.used = false;
    second.used = false;
    assert.equal(new CachedObject('/registry/core/configmaps/n/o3', 3, undefined, from).object.metadata.name, 'o3');
    const reads = from.reads;
    assert.equal(first.object, kept);
    assert.equal(from.reads, reads + 1);
  });

  test('passing over many reads them in one go and leaves no trace', () => {
    const from = source(10_000);
    const objects = [1, 2, 3].map((revision) => new CachedObject(`/registry/core/configmaps/n/o${revision}`, revision, undefined, from));
    const { object: used } = objects[0] as CachedObject;
    const { weight } = from.hot;
    const names = CachedObject.pass(objects, () => objects.map(({ object }) => object.metadata.name));
    assert.deepEqual([names, from.reads, from.hot.weight], [['o1', 'o2', 'o3'], 2, weight]);
    assert.equal(objects[0]?.object, used);
  });

  test('a state under another revision needs no storage', () => {
    const from = source(1);
    const object = new CachedObject('/registry/core/configmaps/n/o1', 1, text('o1'), from).at(7);
    assert.equal(object.object.metadata.resourceVersion, '7');
    assert.equal(from.reads, 0);
  });

  test('views are made once while the object is in use', () => {
    const object = new CachedObject('/registry/core/configmaps/n/o1', 1, text('o1'), source(10_000));
    const view = { id: 'v2', present: () => ({ ...object.object, apiVersion: 'v2' }) };
    assert.equal(object.objectIn(view), object.objectIn(view));
    assert.equal(object.objectIn({ id: 'same', present: (one) => one }), object.object);
    assert.match(object.jsonIn(view), /"v2"/);
    assert.equal(object.heldIn(view).object, object.objectIn(view));
  });
});

describe('the window of changes', () => {
  function change(cache: ResourceCache, revision: number): void {
    const key = `${cache.prefix}n/o${revision}`;
    cache.apply(new CachedObject(key, revision, text(`o${revision}`)), false, 100);
    cache.notify();
  }

  test('without followers only a few recent changes stay', () => {
    const cache = new ResourceCache('/registry/core/configmaps/', 0);
    for (let revision = 1; revision <= 1000; revision += 1) change(cache, revision);
    assert.ok(cache.windowStart >= 1000 - 2 * recentEvents);
    assert.equal(cache.eventAfter(999)?.revision, 1000);
    assert.equal(cache.size, 1000);
  });

  test('it reaches back to the slowest follower, up to its limit', () => {
    const cache = new ResourceCache('/registry/core/configmaps/', 0);
    let woken = 0;
    const leave = cache.follow({ position: 0, wake: () => (woken += 1) });
    for (let revision = 1; revision <= 500; revision += 1) change(cache, revision);
    assert.deepEqual([cache.windowStart, cache.eventAfter(0)?.revision, woken], [0, 1, 500]);
    for (let revision = 501; revision <= 3000; revision += 1) change(cache, revision);
    assert.ok(cache.windowStart >= 3000 - eventWindow - recentEvents && cache.windowStart > 0);
    leave();
    change(cache, 3001);
    assert.ok(cache.windowStart >= 3001 - recentEvents);
  });

  test('frames of changes everybody has seen are let go', () => {
    const cache = new ResourceCache('/registry/core/configmaps/', 0);
    const follower = { position: 0, wake() {} };
    cache.follow(follower);
    change(cache, 1);
    const event = cache.eventAfter(0);
    event?.frames.set('x', 'line');
    change(cache, 2);
    assert.equal(event?.frames.size, 1);
    follower.position = 2;
    change(cache, 3);
    assert.equal(event?.frames.size, 0);
  });

  test('very long changes are dropped sooner', () => {
    const cache = new ResourceCache('/registry/core/configmaps/', 0);
    cache.follow({ position: 0, wake() {} });
    for (let revision = 1; revision <= 50; revision += 1) {
      cache.apply(new CachedObject(`${cache.prefix}n/o`, revision, text('o')), false, 2 ** 20);
      cache.notify();
    }
    assert.equal(cache.windowStart, 50 - 32);
  });
});
