import { writeSync } from 'node:fs';
import { SqliteStorage } from './sqlite-storage.ts';

/**
 * The process that durability.itest.ts kills: `durability-child.ts <file> <writers> <writes each> <characters>`. Every
 * writer updates a key of its own (value: a counter and padding) and now and then creates and deletes others. A line
 * `<key> <counter> <revision>` leaves, by a system call of its own, after the write was acknowledged.
 */
const [file = '', writers = '1', writes = '1', characters = '0'] = process.argv.slice(2);
const padding = 'x'.repeat(Number(characters));
// Little history, so that sweeping, vacuuming and checkpoints are going on when the kill comes.
const storage = await SqliteStorage.open({ file, retention: { maxRevisions: 300, minRevisions: 50, checkEveryMs: 5 } });

/** Written when this returns, whatever kills the process then; waits while the reader has fallen behind. */
function say(line: string): void {
  for (;;) {
    try {
      writeSync(1, `${line}\n`);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

async function acknowledged(key: string, counter: number, expected: number | undefined, value: string | null): Promise<number> {
  const result = await storage.write({ key, value, expected });
  if (!result.ok) throw new Error(`${key}: expected ${expected}, found ${result.current?.modRevision}`);
  say(`${key} ${value === null ? 'gone' : counter} ${result.revision}`);
  return result.revision;
}

async function runWriter(id: number): Promise<void> {
  const key = `/w/${id}`;
  const before = await storage.get(key);
  let revision = before?.modRevision ?? 0;
  const first = before === undefined ? 1 : Number(before.value.split(':')[0]) + 1;
  let made: string | undefined;
  for (let counter = first; counter < first + Number(writes); counter++) {
    revision = await acknowledged(key, counter, revision, `${counter}:${padding}`);
    if (counter % 10 !== 0) continue;
    if (made !== undefined && counter % 20 === 0) await acknowledged(made, counter, undefined, null);
    made = `/made/${id}/${counter}`;
    await acknowledged(made, counter, 0, `${counter}:${padding}`);
  }
}

say('ready');
await Promise.all(Array.from({ length: Number(writers) }, (_, id) => runWriter(id)));
say('finished');
// Stays until it is killed, so that nothing is tidied up.
setInterval(() => {}, 60_000);
