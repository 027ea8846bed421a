import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, describe, test } from 'node:test';
import { SqliteLog } from './sqlite-log.ts';
import { SqliteReader } from './sqlite-reader.ts';
import { SqliteStorage } from './sqlite-storage.ts';
import { put } from './storage-contract.ts';
import { StorageFailure } from './storage.ts';

/** `DORMOUSE_KILLS=500` for a long run. */
const kills = Number(process.env.DORMOUSE_KILLS ?? 40);
/** `DORMOUSE_WAL_STEP=1` cuts the last transactions at every single byte. */
const walStep = Number(process.env.DORMOUSE_WAL_STEP ?? 41);

const child = join(import.meta.dirname, 'durability-child.ts');
const directory = mkdtempSync(join(tmpdir(), 'dormouse-durability-'));

interface Run {
  /** Lines that left the child. */
  readonly lines: string[];
  readonly pid: number;
  kill(): void;
  /** Resolves with what ended it, once everything it wrote has been read. */
  readonly ended: Promise<NodeJS.Signals | null>;
}

function startChild(args: readonly (string | number)[], onLine: (line: string, run: Run) => void): Run {
  const process_ = spawn(process.execPath, [child, ...args.map(String)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines: string[] = [];
  const reader = createInterface(process_.stdout);
  const ended = new Promise<NodeJS.Signals | null>((resolve) => {
    reader.on('close', () =>
      process_.exitCode === null && process_.signalCode === null
        ? process_.on('exit', (_, signal) => resolve(signal))
        : resolve(process_.signalCode),
    );
  });
  const run: Run = { lines, pid: process_.pid ?? 0, kill: () => void process_.kill('SIGKILL'), ended };
  reader.on('line', (line) => {
    lines.push(line);
    onLine(line, run);
  });
  return run;
}

/** What was acknowledged last about every key, over all runs. */
class Acknowledged {
  readonly #keys = new Map<string, { counter: number | 'gone'; revision: number }>();
  count = 0;

  note(lines: readonly string[]): void {
    for (const line of lines) {
      const [key, counter, revision] = line.split(' ');
      if (key === undefined || revision === undefined) continue;
      this.count++;
      this.#keys.set(key, { counter: counter === 'gone' ? 'gone' : Number(counter), revision: Number(revision) });
    }
  }

  /** Each key must be as acknowledged, or one step further (a write that was under way when the process died). */
  async check(storage: SqliteStorage): Promise<void> {
    const { entries, revision: head } = await storage.list('');
    const deleting = new Set<string>();
    const found = new Map(entries.map((entry) => [entry.key, entry]));
    for (const [key, { counter, revision }] of this.#keys) {
      assert.ok(revision <= head, `acknowledged revision ${revision} is beyond the newest, ${head}`);
      const entry = found.get(key);
      if (counter === 'gone') {
        assert.equal(entry, undefined, `${key}: its deletion was acknowledged`);
        continue;
      }
      if (entry === undefined) {
        // Each writer may have had one deletion under way.
        const writer = /^\/made\/(\d+)\//.exec(key)?.[1];
        assert.ok(writer !== undefined && !deleting.has(writer), `${key} was acknowledged at ${revision} and is missing`);
        deleting.add(writer);
        this.#keys.set(key, { counter: 'gone', revision });
        continue;
      }
      const stored = Number(entry.value.split(':')[0]);
      assert.ok(stored === counter || stored === counter + 1, `${key}: acknowledged ${counter}, found ${stored}`);
      assert.ok(stored === counter ? entry.modRevision === revision : entry.modRevision > revision, `${key}: revision`);
      // What was found is durable, and the next run goes on from there.
      this.#keys.set(key, { counter: stored, revision: entry.modRevision });
    }
  }
}

describe('durability', () => {
  after(() => {
    if (mounted) spawnSync('umount', ['-l', mountPoint]);
    rmSync(directory, { recursive: true, force: true });
  });

  test(`${kills} times SIGKILL under load lose no acknowledged write`, { timeout: 60_000 + kills * 2000 }, async (t) => {
    const file = join(directory, 'killed', 'state.db');
    const acknowledged = new Acknowledged();
    for (let round = 0; round < kills; round++) {
      // Mostly in the middle of writing; every fifth time anywhere, also while opening and recovering.
      const anywhere = round % 5 === 4;
      const killLater = (run: Run) => setTimeout(() => run.kill(), Math.random() * (round % 4 === 0 ? 600 : 120));
      let started = false;
      const run = startChild([file, 16, 1_000_000, 2000], (line, run) => {
        if (!anywhere && !started && line !== 'ready') killLater(run);
        started ||= line !== 'ready';
      });
      if (anywhere) killLater(run);
      assert.equal(await run.ended, 'SIGKILL', 'it did not end by itself');
      assert.ok(!run.lines.includes('finished'));
      acknowledged.note(run.lines.filter((line) => line !== 'ready'));
      if (!existsSync(file)) continue;
      await using storage = await SqliteStorage.open({ file });
      await acknowledged.check(storage);
    }
    assert.ok(acknowledged.count > kills * 20, `only ${acknowledged.count} writes were acknowledged`);
    t.diagnostic(`${acknowledged.count} acknowledged writes over ${kills} kills`);
  });

  test('another process is refused while one has the file, and not after it was killed', async () => {
    const file = join(directory, 'locked', 'state.db');
    const run = startChild([file, 1, 1, 10], (line, run) => {
      if (line !== 'finished') return;
      void SqliteStorage.open({ file })
        .then((storage) => storage[Symbol.asyncDispose]())
        .catch((error: unknown) => run.lines.push(error instanceof StorageFailure ? error.code : String(error)))
        .then(() => run.kill());
    });
    await run.ended;
    assert.deepEqual(run.lines, ['ready', '/w/0 1 1', 'finished', 'locked']);
    await using storage = await SqliteStorage.open({ file });
    assert.equal(storage.revision, 1);
  });

  test('the write-ahead log cut anywhere opens with everything synced before the cut', { timeout: 170_000 }, async (t) => {
    const { file, synced } = await writeAndKill();
    const wal = readFileSync(`${file}-wal`);
    const lastSync = synced.at(-1)?.walBytes ?? 0;
    const beforeLast = synced.at(-4)?.walBytes ?? 0;
    assert.ok(lastSync > 100_000 && lastSync <= wal.length);
    const cuts = new Set<number>([
      0,
      1,
      31,
      32,
      33,
      wal.length,
      ...synced.flatMap(({ walBytes }) => [walBytes - 1, walBytes, walBytes + 1]),
    ]);
    for (let cut = beforeLast; cut <= wal.length; cut += walStep) cuts.add(cut);
    for (let cut = 0; cut < beforeLast; cut += walStep * 100) cuts.add(cut);

    // In memory where possible: what a cut leaves is the same there, and opening syncs often.
    const cutDirectory = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : directory, 'dormouse-cut-'));
    try {
      for (const cut of [...cuts].filter((cut) => cut <= wal.length)) {
        for (const tail of ['missing', 'zero'] as const) {
          const copy = join(cutDirectory, 'state.db');
          copyFileSync(file, copy);
          const rest = tail === 'missing' ? Buffer.alloc(0) : Buffer.alloc(wal.length - cut);
          writeFileSync(`${copy}-wal`, Buffer.concat([wal.subarray(0, cut), rest]));
          const expected = synced.findLast(({ walBytes }) => walBytes <= cut)?.revision ?? 0;
          checkPrefix(copy, expected, `cut at ${cut}, rest ${tail}`);
          for (const name of ['', '-wal', '-shm']) rmSync(copy + name, { force: true });
        }
      }
    } finally {
      rmSync(cutDirectory, { recursive: true, force: true });
    }
    t.diagnostic(`${cuts.size * 2} cuts of a log of ${wal.length} bytes`);
  });

  /** Leaves a file whose write-ahead log was never moved into it, and what was synced when. */
  async function writeAndKill(): Promise<{ file: string; synced: { revision: number; walBytes: number }[] }> {
    const file = join(directory, 'cut', 'state.db');
    const synced: { revision: number; walBytes: number }[] = [];
    // Small enough that no checkpoint comes. The schema's own transactions are the first in the log.
    const log = spawnSync(process.execPath, ['--input-type=module', '-e', writeAndDie, file], { encoding: 'utf8' });
    for (const line of log.stdout.trim().split('\n')) {
      const [revision, walBytes] = line.split(' ').map(Number);
      synced.push({ revision: revision ?? 0, walBytes: walBytes ?? 0 });
    }
    assert.equal(log.signal, 'SIGKILL', log.stderr);
    return { file, synced };
  }

  const writeAndDie = `
    import { mkdirSync, statSync, writeSync } from 'node:fs';
    import { dirname } from 'node:path';
    import { SqliteLog } from ${JSON.stringify(join(import.meta.dirname, 'sqlite-log.ts'))};
    const file = process.argv[1];
    const log = new SqliteLog(file);
    for (let i = 1; i <= 30; i++) {
      log.commit([{ key: '/k/' + i, value: i + ':' + 'x'.repeat(1500), expected: 0 }, { key: '/all', value: String(i), expected: undefined }]);
      writeSync(1, log.revision + ' ' + statSync(file + '-wal').size + '\\n');
    }
    process.kill(process.pid, 'SIGKILL');
  `;

  /** The file holds a state that once was, not older than revision `atLeast`. */
  function checkPrefix(file: string, atLeast: number, what: string): void {
    using log = new SqliteLog(file);
    using reader = new SqliteReader(file);
    assert.ok(log.revision >= atLeast, `${what}: revision ${log.revision}, synced was ${atLeast}`);
    assert.equal(log.revision % 2, 0, `${what}: half a transaction`);
    const transactions = log.revision / 2;
    const { entries } = reader.list('/k/', {});
    assert.equal(entries.length, transactions, what);
    for (const { key, value, modRevision } of entries) {
      assert.equal(`/k/${value.split(':')[0]}`, key, what);
      assert.equal(modRevision, 2 * Number(value.split(':')[0]) - 1, what);
    }
    assert.equal(reader.get('/all')?.value, transactions === 0 ? undefined : String(transactions), what);
    const next = log.commit([{ key: '/next', value: 'x', expected: 0 }])[0];
    assert.ok(next?.ok && next.revision === transactions * 2 + 1, `${what}: writing goes on`);
  }

  const strace = spawnSync('strace', ['-V']).status === 0 && spawnSync('strace', ['-qq', '-e', 'trace=none', 'true']).status === 0;
  test('the log is synced before a write is acknowledged', { skip: !strace && 'strace is not installed or may not trace' }, async () => {
    const trace = join(directory, 'trace.txt');
    const file = join(directory, 'traced', 'state.db');
    const args = [
      '-f',
      '-y',
      '-qq',
      '-o',
      trace,
      '-e',
      'trace=fdatasync,fsync,pwrite64,write',
      process.execPath,
      child,
      file,
      '1',
      '9',
      '500',
    ];
    const traced = spawn('strace', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    for await (const line of createInterface(traced.stdout)) if (line === 'finished') break;
    process.kill(childOf(trace), 'SIGKILL');
    await new Promise((resolve) => traced.on('exit', resolve));
    assert.equal(checkOrder(readFileSync(trace, 'utf8')), 9);
  });

  function childOf(trace: string): number {
    return Number(/^\d+/.exec(readFileSync(trace, 'utf8'))?.[0]);
  }

  /** Between two acknowledgements there must be a write to the log and, after the last such write, a finished sync of it. */
  function checkOrder(trace: string): number {
    let state: 'nothing' | 'written' | 'syncing' | 'synced' = 'nothing';
    let acknowledgements = 0;
    const lines = trace.split('\n');
    for (const line of lines.slice(lines.findIndex((line) => line.includes('"ready')))) {
      const onWal = /state\.db-wal>/.test(line);
      if (onWal && /pwrite64\(/.test(line)) state = 'written';
      if (onWal && /f(data)?sync\(/.test(line) && state === 'written') state = line.endsWith(' = 0') ? 'synced' : 'syncing';
      if (/f(data)?sync resumed>.* = 0$/.test(line) && state === 'syncing') state = 'synced';
      if (!/write\(1<.*"\/w\/0 /.test(line)) continue;
      assert.equal(state, 'synced', `acknowledged too early: ${line}`);
      state = 'nothing';
      acknowledgements++;
    }
    return acknowledgements;
  }

  const mountPoint = join(directory, 'small');
  const mounted = mountSmall(mountPoint);
  test(
    'a full disk refuses the write, keeps what was acknowledged, and recovers',
    { skip: !mounted && 'a small tmpfs cannot be mounted here' },
    async () => {
      const file = join(mountPoint, 'state.db');
      const filler = join(mountPoint, 'filler');
      writeFileSync(filler, Buffer.alloc(2 * 2 ** 20));
      const value = 'x'.repeat(100_000);
      let kept = 0;
      {
        await using storage = await SqliteStorage.open({ file });
        const isFull = (error: unknown) =>
          error instanceof StorageFailure && error.code === 'full' && /no space left.*Free some space/.test(error.message);
        const fill = async () => {
          for (;;) {
            await put(storage, `/k/${kept}`, value);
            kept++;
          }
        };
        await assert.rejects(fill(), isFull);
        assert.ok(kept > 5);
        await assert.rejects(put(storage, `/k/${kept}`, value), isFull, 'as long as the disk is full');
        assert.equal(storage.revision, kept);
        assert.equal((await storage.list('/k/')).entries.length, kept, 'reading goes on');
        truncateSync(filler, 0);
        assert.equal(await put(storage, `/k/${kept++}`, value), kept, 'with space again it works, and no revision was lost');
        await assert.rejects(fill(), isFull, 'full again');
      }
      await using again = await SqliteStorage.open({ file });
      assert.equal(again.revision, kept);
      for (let i = 0; i < kept; i++) assert.equal((await again.get(`/k/${i}`))?.value, value);
    },
  );

  function mountSmall(path: string): boolean {
    mkdirSync(path, { recursive: true });
    return spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'none', path]).status === 0 && statSync(path).isDirectory();
  }
});
