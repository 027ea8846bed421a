// budget: a test suite; its one function is the list of cases
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CompactedError, FutureRevisionError, StorageFailure } from './storage.ts';
import type { Storage, StorageEvent } from './storage.ts';

/** Writes without condition and returns the revision. */
export async function put(storage: Storage, key: string, value: string | null): Promise<number> {
  const result = await storage.write({ key, value, expected: undefined });
  assert.ok(result.ok, `unconditional write of ${key}`);
  return result.revision;
}

/** A listener that keeps what it got. */
export function collector(): { events: StorageEvent[]; listener: (events: readonly StorageEvent[]) => void } {
  const events: StorageEvent[] = [];
  return { events, listener: (batch) => void events.push(...batch) };
}

/** What every driver of `Storage` must do. `open` gives a new, empty store. */
export function describeStorage(name: string, open: () => Promise<Storage>): void {
  describe(`${name}: reads and writes`, () => {
    test('starts empty at revision 0', async () => {
      await using storage = await open();
      assert.equal(storage.revision, 0);
      assert.equal(storage.compactedRevision, 0);
      assert.equal(await storage.get('/a'), undefined);
      assert.deepEqual(await storage.list(''), { entries: [], revision: 0, more: false });
      assert.equal((await storage.stats()).keys, 0);
    });

    test('every successful write gets the next revision, a refused one none', async () => {
      await using storage = await open();
      assert.deepEqual(await storage.write({ key: '/a', value: '1', expected: 0 }), { ok: true, revision: 1 });
      const current = { key: '/a', value: '1', createRevision: 1, modRevision: 1 };
      assert.deepEqual(await storage.write({ key: '/a', value: 'x', expected: 0 }), { ok: false, current });
      assert.deepEqual(await storage.write({ key: '/a', value: 'x', expected: 7 }), { ok: false, current });
      assert.deepEqual(await storage.write({ key: '/b', value: 'x', expected: 1 }), { ok: false, current: undefined });
      assert.deepEqual(await storage.write({ key: '/a', value: '2', expected: 1 }), { ok: true, revision: 2 });
      assert.deepEqual(await storage.get('/a'), { key: '/a', value: '2', createRevision: 1, modRevision: 2 });
      assert.equal(storage.revision, 2);
    });

    test('a delete checks its condition, takes a revision, and a new key starts afresh', async () => {
      await using storage = await open();
      await put(storage, '/a', '1');
      assert.equal((await storage.write({ key: '/a', value: null, expected: 5 })).ok, false);
      assert.deepEqual(await storage.write({ key: '/a', value: null, expected: 1 }), { ok: true, revision: 2 });
      assert.equal(await storage.get('/a'), undefined);
      assert.deepEqual(await storage.write({ key: '/a', value: null, expected: undefined }), { ok: false, current: undefined });
      assert.deepEqual(await storage.write({ key: '/a', value: null, expected: 0 }), { ok: false, current: undefined });
      assert.deepEqual(await storage.write({ key: '/a', value: '3', expected: 0 }), { ok: true, revision: 3 });
      assert.deepEqual(await storage.get('/a'), { key: '/a', value: '3', createRevision: 3, modRevision: 3 });
    });

    test('of concurrent creates of one key exactly one wins', async () => {
      await using storage = await open();
      const results = await Promise.all(Array.from({ length: 20 }, (_, i) => storage.write({ key: '/a', value: `${i}`, expected: 0 })));
      assert.equal(results.filter((result) => result.ok).length, 1);
      assert.equal(storage.revision, 1);
    });

    test('a write is seen by the reads that follow it', async () => {
      await using storage = await open();
      for (let i = 1; i <= 20; i++) {
        await put(storage, `/k/${i}`, `v${i}`);
        assert.equal((await storage.get(`/k/${i}`))?.value, `v${i}`);
        const { entries, revision } = await storage.list('/k/');
        assert.equal(entries.length, i);
        assert.equal(revision, i);
      }
    });

    test('a value is found by the revision that wrote it, for as long as history is kept', async () => {
      await using storage = await open();
      const first = await put(storage, '/a', 'one');
      const second = await put(storage, '/a', 'two');
      const other = await put(storage, '/b', 'b');
      const gone = await put(storage, '/b', null);
      assert.deepEqual(
        [first, second, other].map((revision) => storage.valueOf(revision)),
        ['one', 'two', 'b'],
      );
      assert.deepEqual(storage.valuesOf([other, first]), ['b', 'one']);
      assert.throws(() => storage.valueOf(gone), CompactedError);
      assert.throws(() => storage.valuesOf([first, gone]), CompactedError);
      assert.throws(() => storage.valueOf(99), CompactedError);
      await put(storage, '/c', 'c');
      await storage.compact(gone + 1);
      assert.equal(storage.valueOf(second), 'two');
    });

    test('the index names every key with the revision of its value', async () => {
      await using storage = await open();
      await put(storage, '/b', '1');
      await put(storage, '/a', '2');
      await put(storage, '/b', '3');
      await put(storage, '/c', '4');
      await put(storage, '/c', null);
      const entries = [
        { key: '/a', modRevision: 2 },
        { key: '/b', modRevision: 3 },
      ];
      assert.deepEqual(await storage.index(), { entries, revision: 5 });
    });

    test('values come back unchanged', async () => {
      await using storage = await open();
      for (const value of ['', '{"a":"ü€😀"}', 'x'.repeat(300_000), "'; drop table log; --"]) {
        await put(storage, '/a', value);
        assert.equal((await storage.get('/a'))?.value, value);
      }
    });

    test('keys and values that cannot be kept faithfully are refused', async () => {
      await using storage = await open();
      for (const key of ['', 'a\0b', 'a\ud800', 'x'.repeat(3000)])
        await assert.rejects(storage.write({ key, value: '', expected: undefined }), RangeError);
      for (const value of ['\0', '\udfff']) await assert.rejects(storage.write({ key: '/a', value, expected: undefined }), RangeError);
      for (const expected of [-1, 0.5, NaN]) await assert.rejects(storage.write({ key: '/a', value: '', expected }), RangeError);
      await assert.rejects(storage.list('', { limit: 0 }), RangeError);
      await assert.rejects(storage.list('', { revision: -1 }), RangeError);
      assert.equal(storage.revision, 0);
    });

    test('a closed store refuses everything', async () => {
      const storage = await open();
      const watch = await storage.watch('', 0, () => {});
      await storage[Symbol.asyncDispose]();
      await storage[Symbol.asyncDispose]();
      const closed = (error: unknown) => error instanceof StorageFailure && error.code === 'closed';
      await assert.rejects(storage.get('/a'), closed);
      await assert.rejects(storage.list(''), closed);
      await assert.rejects(storage.write({ key: '/a', value: '', expected: undefined }), closed);
      await assert.rejects(
        storage.watch('', 0, () => {}),
        closed,
      );
      await assert.rejects(watch.done, closed);
    });
  });

  describe(`${name}: lists`, () => {
    test('lists a prefix in byte order and nothing else', async () => {
      await using storage = await open();
      const keys = ['/a/1', '/a/10', '/a/2', '/a0', '/a', '/b/1', '/a/\uffee', '/a/😀', '/a/ä'];
      for (const key of keys) await put(storage, key, key);
      const listed = async (prefix: string) => (await storage.list(prefix)).entries.map((entry) => entry.key);
      assert.deepEqual(await listed('/a/'), ['/a/1', '/a/10', '/a/2', '/a/ä', '/a/\uffee', '/a/😀']);
      assert.deepEqual(await listed('/a'), ['/a', '/a/1', '/a/10', '/a/2', '/a/ä', '/a/\uffee', '/a/😀', '/a0']);
      assert.deepEqual(await listed('/c'), []);
      assert.equal((await listed('')).length, keys.length);
    });

    test('limit and after walk a prefix page by page', async () => {
      await using storage = await open();
      for (let i = 0; i < 10; i++) await put(storage, `/a/${i}`, `${i}`);
      await put(storage, '/b', 'b');
      const first = await storage.list('/a/', { limit: 4 });
      assert.deepEqual(
        first.entries.map((entry) => entry.value),
        ['0', '1', '2', '3'],
      );
      assert.equal(first.more, true);
      const last = await storage.list('/a/', { limit: 6, after: '/a/3' });
      assert.equal(last.entries.length, 6);
      assert.equal(last.more, false);
      assert.equal((await storage.list('/a/', { after: '/0' })).entries.length, 10);
      assert.equal((await storage.list('/a/', { after: '/z' })).entries.length, 0);
    });

    test('an earlier revision reads as it was, also page by page', async () => {
      await using storage = await open();
      await put(storage, '/a', '1');
      await put(storage, '/b', '1');
      await put(storage, '/c', '1');
      const before = storage.revision;
      const then = await storage.list('/');
      await put(storage, '/b', '2');
      await put(storage, '/b', '3');
      await put(storage, '/c', null);
      await put(storage, '/aa', 'new');
      await put(storage, '/c', 'again');
      await put(storage, '/c', null);
      assert.deepEqual(await storage.list('/', { revision: before }), then);
      const page = await storage.list('/', { revision: before, limit: 1, after: '/a' });
      assert.deepEqual(page, { entries: then.entries.slice(1, 2), revision: before, more: true });
      assert.deepEqual((await storage.list('/', { revision: 1 })).entries, then.entries.slice(0, 1));
      assert.deepEqual((await storage.list('/', { revision: 0 })).entries, []);
      await assert.rejects(storage.list('/', { revision: storage.revision + 1 }), FutureRevisionError);
    });
  });

  describe(`${name}: watches`, () => {
    test('history comes first, then live, without a gap or a duplicate', async () => {
      await using storage = await open();
      await put(storage, '/a/1', 'one');
      await put(storage, '/b', 'other');
      await put(storage, '/a/1', 'two');
      const { events, listener } = collector();
      using watch = await storage.watch('/a/', 0, listener);
      assert.equal(events.length, 2, 'history was delivered before watch() resolved');
      await put(storage, '/a/1', null);
      await put(storage, '/b', 'other');
      await put(storage, '/a/1', 'three');
      assert.deepEqual(events, [
        { type: 'put', key: '/a/1', revision: 1, value: 'one', previous: undefined, createRevision: 1 },
        { type: 'put', key: '/a/1', revision: 3, value: 'two', previous: 'one', createRevision: 1 },
        { type: 'delete', key: '/a/1', revision: 4, value: 'two', previous: 'two', createRevision: 1 },
        { type: 'put', key: '/a/1', revision: 6, value: 'three', previous: undefined, createRevision: 6 },
      ]);
      assert.ok(watch);
    });

    test('starts after the given revision', async () => {
      await using storage = await open();
      for (let i = 1; i <= 5; i++) await put(storage, '/a', `${i}`);
      const { events, listener } = collector();
      using _ = await storage.watch('', 3, listener);
      assert.deepEqual(
        events.map((event) => event.revision),
        [4, 5],
      );
      await assert.rejects(storage.watch('', 6, listener), FutureRevisionError);
      await assert.rejects(storage.watch('', -1, listener), RangeError);
    });

    test('a write has reached live watches before it is acknowledged', async () => {
      await using storage = await open();
      const { events, listener } = collector();
      using _ = await storage.watch('', 0, listener);
      await Promise.all(
        Array.from({ length: 50 }, async (_, i) => {
          const revision = await put(storage, `/k/${i}`, 'v');
          assert.ok(events.some((event) => event.revision === revision));
        }),
      );
      assert.deepEqual(
        events.map((event) => event.revision),
        Array.from({ length: 50 }, (_, i) => i + 1),
      );
    });

    test('watches opened in the middle of writing miss and repeat nothing', async () => {
      await using storage = await open();
      const seen: { from: number; events: StorageEvent[] }[] = [];
      const writers = Array.from({ length: 8 }, async (_, w) => {
        for (let i = 0; i < 40; i++) {
          await put(storage, `/k/${(w + i) % 10}`, `${w}.${i}`);
          if (i % 10 === w) {
            const { events, listener } = collector();
            const from = i % 4 === 0 ? 0 : storage.revision;
            await storage.watch('/k/', from, listener);
            seen.push({ from, events });
          }
        }
      });
      await Promise.all(writers);
      for (const { from, events } of seen) {
        assert.deepEqual(
          events.map((event) => event.revision),
          Array.from({ length: storage.revision - from }, (_, i) => from + i + 1),
        );
      }
      assert.ok(seen.length >= 30);
    });

    test('a disposed watch gets nothing more and its done resolves', async () => {
      await using storage = await open();
      const { events, listener } = collector();
      const watch = await storage.watch('', 0, listener);
      await put(storage, '/a', '1');
      watch[Symbol.dispose]();
      await put(storage, '/a', '2');
      assert.equal(events.length, 1);
      await watch.done;
    });

    test('a listener that throws ends only its own watch', async () => {
      await using storage = await open();
      const { events, listener } = collector();
      const bad = await storage.watch('', 0, () => {
        throw new Error('listener broke');
      });
      using _ = await storage.watch('', 0, listener);
      await put(storage, '/a', '1');
      await put(storage, '/a', '2');
      assert.equal(events.length, 2);
      await assert.rejects(bad.done, /listener broke/);
    });

    test('a listener that writes does not disturb the order others see', async () => {
      await using storage = await open();
      const writes: Promise<unknown>[] = [];
      using _first = await storage.watch('/a', 0, ([event]) => {
        if (event?.value === '1') writes.push(put(storage, '/a', 'echo'));
      });
      const { events, listener } = collector();
      using _second = await storage.watch('', 0, listener);
      await put(storage, '/a', '1');
      await Promise.all(writes);
      assert.deepEqual(
        events.map((event) => event.value),
        ['1', 'echo'],
      );
    });
  });

  describe(`${name}: compaction`, () => {
    test('forgets what is older and keeps every current value', async () => {
      await using storage = await open();
      await put(storage, '/keep', '1');
      for (let i = 2; i <= 6; i++) await put(storage, '/a', `${i}`);
      await put(storage, '/gone', '7');
      await put(storage, '/gone', null);
      await put(storage, '/a', '9');
      const now = await storage.list('');
      const at5 = await storage.list('', { revision: 5 });
      await storage.compact(5);
      assert.equal(storage.compactedRevision, 5);
      assert.deepEqual(await storage.list(''), now);
      assert.deepEqual(await storage.list('', { revision: 5 }), at5);
      const compacted = (error: unknown) => error instanceof CompactedError && error.compactedRevision === 5;
      await assert.rejects(storage.list('', { revision: 4 }), compacted);
      await assert.rejects(
        storage.watch('', 4, () => {}),
        compacted,
      );
      const { events, listener } = collector();
      using _ = await storage.watch('', 5, listener);
      assert.deepEqual(
        events.map((event) => [event.revision, event.previous]),
        [
          [6, '5'],
          [7, undefined],
          [8, '7'],
          [9, '6'],
        ],
      );
    });

    test('to the current revision leaves only current values, and goes on', async () => {
      await using storage = await open();
      for (let i = 0; i < 5; i++) await put(storage, '/a', `${i}`);
      await put(storage, '/b', '1');
      await put(storage, '/b', null);
      await storage.compact(storage.revision);
      await storage.compact(2);
      assert.equal(storage.compactedRevision, 7, 'an older compaction changes nothing');
      assert.deepEqual(
        (await storage.list('')).entries.map((entry) => [entry.key, entry.value]),
        [['/a', '4']],
      );
      await assert.rejects(storage.compact(8), FutureRevisionError);
      const { events, listener } = collector();
      using _ = await storage.watch('', 7, listener);
      await put(storage, '/a', null);
      assert.deepEqual(
        events.map((event) => [event.type, event.revision, event.value]),
        [['delete', 8, '4']],
      );
    });
  });
}
