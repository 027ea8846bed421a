import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeSync, closeSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, describe, test } from 'node:test';
import * as fc from 'fast-check';
import { MemoryStorage } from './memory-storage.ts';
import { migrations, openForWriting } from './sqlite-file.ts';
import { SqliteStorage } from './sqlite-storage.ts';
import { collector, describeStorage, put } from './storage-contract.ts';
import { StorageFailure } from './storage.ts';
import type { Storage } from './storage.ts';
import { until } from '#core/testing.ts';

const directory = mkdtempSync(join(tmpdir(), 'dormouse-storage-'));
let files = 0;
const newFile = () => join(directory, `${++files}`, 'state.db');

const failsWith = (code: StorageFailure['code'], text: RegExp) => (error: unknown) => {
  assert.ok(error instanceof StorageFailure, String(error));
  assert.equal(error.code, code);
  assert.match(error.message, text);
  return true;
};

function overwrite(file: string, position: number, bytes: Uint8Array): void {
  const descriptor = openSync(file, 'r+');
  writeSync(descriptor, bytes, 0, bytes.length, position);
  closeSync(descriptor);
}

describe('sqlite storage', () => {
  after(() => rmSync(directory, { recursive: true, force: true }));

  describeStorage('sqlite storage', () => SqliteStorage.open({ file: newFile() }));

  describe('reopened', () => {
    test('has every value, the history, and goes on with the next revision', async () => {
      const file = newFile();
      let listed;
      {
        await using storage = await SqliteStorage.open({ file });
        for (let i = 0; i < 10; i++) await put(storage, `/k/${i % 3}`, `${i}`);
        await storage.compact(4);
        listed = await storage.list('');
      }
      await using storage = await SqliteStorage.open({ file });
      assert.equal(storage.revision, 10);
      assert.equal(storage.compactedRevision, 4);
      assert.deepEqual(await storage.list(''), listed);
      const { events, listener } = collector();
      using _ = await storage.watch('', 4, listener);
      assert.equal(await put(storage, '/new', 'x'), 11);
      assert.deepEqual(
        events.map((event) => event.revision),
        [5, 6, 7, 8, 9, 10, 11],
      );
    });

    test('never gives a revision twice, even when the newest change was a compacted deletion', async () => {
      const file = newFile();
      {
        await using storage = await SqliteStorage.open({ file });
        await put(storage, '/a', '1');
        await put(storage, '/a', null);
        await storage.compact(2);
      }
      await using storage = await SqliteStorage.open({ file });
      assert.equal(await put(storage, '/a', '2'), 3);
    });

    test('writes accepted before closing are answered and kept', async () => {
      const file = newFile();
      const storage = await SqliteStorage.open({ file });
      const writes = Array.from({ length: 100 }, (_, i) => put(storage, `/k/${i}`, 'v'));
      await storage[Symbol.asyncDispose]();
      await Promise.all(writes);
      assert.equal(statSync(`${file}-wal`, { throwIfNoEntry: false }), undefined, 'closing moved the log into the file');
      await using again = await SqliteStorage.open({ file });
      assert.equal((await again.stats()).keys, 100);
    });
  });

  test('behaves like the memory storage, whatever is asked, also across restarts', async () => {
    const key = fc.constantFrom('/a', '/a/1', '/a/2', '/ab', '/b/1', '/b/😀', '/b/\uffee');
    const fraction = fc.integer({ min: 0, max: 100 });
    const step = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({
          do: fc.constant('write' as const),
          key,
          value: fc.option(fc.string({ unit: 'grapheme-ascii' })),
          expected: fc.constantFrom('any', 'new', 'current', 'stale'),
        }),
      },
      {
        weight: 3,
        arbitrary: fc.record({
          do: fc.constant('list' as const),
          prefix: fc.constantFrom('', '/a', '/a/', '/b/', '/c'),
          after: fc.option(key),
          limit: fc.option(fc.integer({ min: 1, max: 4 })),
          back: fc.option(fraction),
        }),
      },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('compact' as const), back: fraction }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('watch' as const), back: fraction }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('reopen' as const) }) },
    );
    type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

    const answer = async (ask: () => Promise<unknown>): Promise<unknown> =>
      ask().catch((error: Error) => `${error.name}: ${error.message}`);
    const perform = async (storage: Storage, step: Step): Promise<unknown> => {
      // `back` per cent of all revisions back from now, sometimes a future one.
      const revision = (back: number) => storage.revision + 1 - Math.ceil(((storage.revision + 1) * back) / 100);
      switch (step.do) {
        case 'write': {
          const current = (await storage.get(step.key))?.modRevision ?? 0;
          const expected = { any: undefined, new: 0, current, stale: current + 1 }[step.expected];
          return storage.write({ key: step.key, value: step.value, expected });
        }
        case 'list':
          return storage.list(step.prefix, {
            ...(step.after === null ? {} : { after: step.after }),
            ...(step.limit === null ? {} : { limit: step.limit }),
            ...(step.back === null ? {} : { revision: revision(step.back) }),
          });
        case 'compact':
          return storage.compact(revision(step.back));
        case 'watch': {
          const { events, listener } = collector();
          using _ = await storage.watch('/', revision(step.back), listener);
          return events;
        }
        case 'reopen':
          return undefined;
      }
    };

    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async (steps) => {
        const file = newFile();
        const model = new MemoryStorage();
        let storage = await SqliteStorage.open({ file });
        try {
          for (const step of steps) {
            if (step.do === 'reopen') {
              await storage[Symbol.asyncDispose]();
              storage = await SqliteStorage.open({ file });
            }
            assert.deepEqual(await answer(() => perform(storage, step)), await answer(() => perform(model, step)));
            assert.equal(storage.revision, model.revision);
            assert.equal(storage.compactedRevision, model.compactedRevision);
          }
        } finally {
          await storage[Symbol.asyncDispose]();
        }
      }),
      { numRuns: 40 },
    );
  });

  describe('retention', () => {
    test('forgets and frees old history by itself', async () => {
      const file = newFile();
      const value = 'x'.repeat(4000);
      await using storage = await SqliteStorage.open({ file, retention: { maxRevisions: 50, minRevisions: 10, checkEveryMs: 50 } });
      for (let i = 0; i < 50; i++) await Promise.all(Array.from({ length: 100 }, (_, k) => put(storage, `/k/${k}`, value)));
      await until('history is compacted', () => storage.compactedRevision >= 4950);
      using db = new DatabaseSync(file, { readOnly: true });
      const rows = () => Number(db.prepare('SELECT count(*) AS rows FROM log').get()?.rows);
      await until('of 5000 changes few more than the current ones are left', () => rows() <= 160);
      await until('freed pages have gone back to the file system', () => statSync(file).size < 10_000_000);
      assert.equal((await storage.list('')).entries.length, 100);
    });
  });

  describe('backup', () => {
    test('is a complete data file, taken while writes go on, that restores', async () => {
      const file = newFile();
      const copy = join(directory, 'copy.db');
      await using storage = await SqliteStorage.open({ file });
      for (let i = 0; i < 50; i++) await put(storage, `/k/${i}`, 'v'.repeat(2000));
      const before = await storage.list('');
      const stop = new AbortController();
      const writing = (async () => {
        for (let i = 0; !stop.signal.aborted; i++) await put(storage, '/busy', `${i}`);
      })();
      await storage.backup(copy);
      stop.abort();
      await writing;
      await assert.rejects(storage.backup(copy), failsWith('io', /exists already/));
      await assert.rejects(storage.backup(join(directory, 'missing', 'copy.db')), StorageFailure);
      await using restored = await SqliteStorage.open({ file: copy });
      const { entries } = await restored.list('/k/');
      assert.deepEqual(entries, before.entries);
      assert.ok(restored.revision >= before.revision);
    });
  });

  describe('refuses', () => {
    test('a file that is in use, and takes it once it is free', async () => {
      const file = newFile();
      const first = await SqliteStorage.open({ file });
      await assert.rejects(SqliteStorage.open({ file }), failsWith('locked', /in use by another process.*dormouse down/));
      await put(first, '/a', '1');
      await first[Symbol.asyncDispose]();
      await using second = await SqliteStorage.open({ file });
      assert.equal((await second.get('/a'))?.value, '1');
    });

    test('a file of a newer schema, leaving it as it is', async () => {
      const file = newFile();
      await (await SqliteStorage.open({ file }))[Symbol.asyncDispose]();
      const db = new DatabaseSync(file);
      db.exec('PRAGMA user_version = 99; PRAGMA wal_checkpoint(TRUNCATE)');
      db.close();
      await assert.rejects(SqliteStorage.open({ file }), failsWith('newer', /newer version \(schema 99/));
    });

    test('a damaged header, a damaged page, and other files, saying which file and what to do', async () => {
      const good = newFile();
      {
        await using storage = await SqliteStorage.open({ file: good });
        for (let i = 0; i < 200; i++) await put(storage, `/k/${i}`, 'v'.repeat(1000));
      }
      const size = statSync(good).size;
      const file = `${good}-broken`;
      const damages: [string, () => void][] = [
        ['header', () => overwrite(file, 0, Buffer.alloc(100, 0xa5))],
        ['page type', () => overwrite(file, 4096 * Math.floor(size / 8192), Buffer.alloc(64, 0xa5))],
        ['all pages', () => writeFileSync(file, Buffer.concat([readFileSync(good).subarray(0, 4096), Buffer.alloc(size - 4096)]))],
        ['cut in half', () => writeFileSync(file, readFileSync(good).subarray(0, size / 2))],
        ['text', () => writeFileSync(file, 'this is not a database, but it is long enough to be read as a header of one'.repeat(20))],
        [
          'other database',
          () => {
            rmSync(file);
            const db = new DatabaseSync(file);
            db.exec('CREATE TABLE t (a)');
            db.close();
          },
        ],
      ];
      for (const [what, damage] of damages) {
        copyFileSync(good, file);
        damage();
        await assert.rejects(
          SqliteStorage.open({ file }),
          failsWith('damaged', /state\.db-broken is damaged.*Restore a backup.*dormouse reset/),
          what,
        );
        for (const rest of ['-wal', '-shm']) rmSync(file + rest, { force: true });
      }
      copyFileSync(good, file);
      await using restored = await SqliteStorage.open({ file });
      assert.equal((await restored.stats()).keys, 200, 'following the message helps');
    });

    test('a directory that cannot be written', async () => {
      writeFileSync(join(directory, 'plain'), '');
      await assert.rejects(
        SqliteStorage.open({ file: join(directory, 'plain', 'state.db') }),
        failsWith('io', /cannot be read or written/),
      );
    });
  });

  test('more waiting writes than the bound are refused and none of the accepted is lost', async () => {
    await using storage = await SqliteStorage.open({ file: newFile() });
    const results = await Promise.allSettled(Array.from({ length: 10_000 }, (_, i) => put(storage, `/k/${i}`, 'v')));
    const refused = results.filter((result) => result.status === 'rejected');
    assert.ok(refused.length > 0);
    for (const { reason } of refused) assert.ok(failsWith('busy', /Try again/)(reason));
    assert.equal((await storage.stats()).keys, 10_000 - refused.length);
    assert.equal(storage.revision, 10_000 - refused.length);
    await put(storage, '/later', 'v');
  });

  test('when the writer fails, what waits is rejected and watches end', async () => {
    const file = newFile();
    await (await SqliteStorage.open({ file }))[Symbol.asyncDispose]();
    const failing = `
      const { parentPort } = require('node:worker_threads');
      parentPort.postMessage({ type: 'opened', revision: 0, compacted: 0 });
      parentPort.on('message', () => {
        parentPort.postMessage({ type: 'failed', failure: { code: 'io', message: 'the disk broke' } });
        parentPort.close();
      });`;
    const entry = join(directory, 'failing.cjs');
    writeFileSync(entry, failing);
    await using storage = await SqliteStorage.open({ file, threadEntry: new URL(`file://${entry}`) });
    const watch = await storage.watch('', 0, () => assert.fail('nothing was committed'));
    const writes = await Promise.allSettled([put(storage, '/a', '1'), put(storage, '/b', '1')]);
    for (const write of writes) assert.ok(write.status === 'rejected' && failsWith('io', /the disk broke/)(write.reason));
    await assert.rejects(watch.done, failsWith('io', /the disk broke/));
    await assert.rejects(storage.get('/a'), failsWith('io', /the disk broke/));
  });

  describe('migrations', () => {
    test('run once, in order, and leave the file untouched when one fails', () => {
      const file = newFile();
      openForWriting(file).close();
      const added = { version: 2, sql: 'ALTER TABLE horizon ADD COLUMN note TEXT; UPDATE horizon SET note = 2' };
      assert.throws(() => openForWriting(file, [...migrations, added, { version: 3, sql: 'ALTER TABLE missing ADD COLUMN x TEXT' }]));
      const half = openForWriting(file, [...migrations, added]);
      assert.deepEqual({ ...half.prepare('SELECT * FROM horizon').get() }, { id: 1, compacted: 0, swept: 0, note: '2' });
      half.close();
      assert.throws(() => openForWriting(file), failsWith('newer', /schema 2, this version knows up to 1/));
    });

    test('the file and its log are readable by their owner only', async () => {
      const file = newFile();
      await using storage = await SqliteStorage.open({ file });
      await put(storage, '/secret', 'x');
      for (const name of [file, `${file}-wal`, `${file}.lock`]) assert.equal(statSync(name).mode & 0o077, 0, name);
    });
  });
});
