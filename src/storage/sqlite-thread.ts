import { closeSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { RetentionPolicy } from './retention.ts';
import { toStorageFailure } from './sqlite-errors.ts';
import { lockFile, openForReading, syncDirectory } from './sqlite-file.ts';
import { SqliteLog } from './sqlite-log.ts';
import type { FailureText, Reply, Request, ThreadTask } from './sqlite-protocol.ts';
import type { StorageFailure, Write } from './storage.ts';

/** A commit takes at most this much, so that the first in the group does not wait long for the last. */
const groupMax = { writes: 1000, characters: 8 * 2 ** 20 };
/** Housekeeping comes in steps of a few milliseconds, between commits; under constant load after this many. */
const stepAfterCommits = 16;
const sweepRows = 200;
const vacuumPages = 200;
/** After these the file is as it was before: the disk is full, or someone's SQLite shell holds the write lock. */
const recoverable: readonly StorageFailure['code'][] = ['full', 'locked'];

/**
 * The writer thread's loop. Whatever requests have arrived by the end of an event-loop turn becomes one commit, and the
 * answer leaves after the commit has returned: under load groups grow by themselves, alone a write waits for nobody.
 */
class Writer {
  readonly #port: MessagePort;
  readonly #file: string;
  readonly #lock: Disposable;
  readonly #log: SqliteLog;
  readonly #policy: RetentionPolicy;
  readonly #timer: NodeJS.Timeout;
  #queue: Write[] = [];
  #closing = false;
  #scheduled = false;
  #commitsSinceStep = 0;
  #housekeeping = false;

  constructor(port: MessagePort, { file, retention }: ThreadTask & { task: 'write' }) {
    this.#port = port;
    this.#file = file;
    this.#lock = lockFile(file);
    this.#log = openLog(file, this.#lock);
    this.#policy = new RetentionPolicy(retention, this.#log.revision, performance.now());
    this.#timer = setInterval(() => this.#forget(), retention.checkEveryMs);
  }

  start(): void {
    this.#port.on('message', (request: Request) => this.#receive(request));
    this.#reply({ type: 'opened', revision: this.#log.revision, compacted: this.#log.compacted });
    this.#startHousekeeping();
  }

  #receive(request: Request): void {
    if (request.type === 'writes') this.#queue.push(...request.writes);
    if (request.type === 'compact') this.#compact(request.revision);
    if (request.type === 'close') this.#closing = true;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#turn();
    });
  }

  #turn(): void {
    if (this.#queue.length > 0) this.#commit(takeGroup(this.#queue));
    else if (this.#closing) return this.#close();
    if (this.#housekeeping && (this.#queue.length === 0 || ++this.#commitsSinceStep >= stepAfterCommits)) this.#step();
    if (this.#queue.length > 0 || this.#closing || this.#housekeeping) this.#schedule();
  }

  #commit(group: readonly Write[]): void {
    try {
      const outcomes = this.#log.commit(group);
      this.#reply({ type: 'committed', outcomes });
      this.#policy.note(this.#log.revision, characters(group), performance.now());
    } catch (error) {
      const failure = this.#failureText(error);
      if (!recoverable.includes(failure.code)) return this.#fail(failure);
      this.#reply({ type: 'rejected', count: group.length, failure });
    }
  }

  #forget(): void {
    const horizon = this.#policy.horizon(performance.now());
    if (horizon > this.#log.compacted) this.#compact(horizon);
    else this.#startHousekeeping();
  }

  #compact(revision: number): void {
    this.#attempt('compaction failed', () => this.#log.compact(revision));
    this.#reply({ type: 'compacted', compacted: this.#log.compacted });
    this.#startHousekeeping();
  }

  #startHousekeeping(): void {
    this.#housekeeping = true;
    this.#schedule();
  }

  #step(): void {
    this.#commitsSinceStep = 0;
    this.#housekeeping = this.#attempt('housekeeping failed', () => this.#log.sweep(sweepRows) || this.#log.vacuum(vacuumPages)) ?? false;
  }

  /** Housekeeping that finds the disk full (or the file locked) is tried again at the next retention check. */
  #attempt<T>(message: string, action: () => T): T | undefined {
    try {
      return action();
    } catch (error) {
      const failure = this.#failureText(error);
      if (recoverable.includes(failure.code)) this.#reply({ type: 'warning', message, failure });
      else this.#fail(failure);
      return undefined;
    }
  }

  /** After an I/O error nobody knows what is on the disk: going on could acknowledge what is not. */
  #fail(failure: FailureText): void {
    this.#reply({ type: 'failed', failure });
    this.#queue = [];
    this.#close();
  }

  #close(): void {
    clearInterval(this.#timer);
    this.#scheduled = true;
    this.#port.close();
    this.#log[Symbol.dispose]();
    this.#lock[Symbol.dispose]();
  }

  #failureText(error: unknown): FailureText {
    const { code, message } = toStorageFailure(error, this.#file);
    return { code, message };
  }

  #reply(reply: Reply): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a MessagePort has no origin
    this.#port.postMessage(reply);
  }
}

function openLog(file: string, lock: Disposable): SqliteLog {
  try {
    return new SqliteLog(file);
  } catch (error) {
    lock[Symbol.dispose]();
    throw error;
  }
}

/** Removes from the queue what goes into one commit: at least one write. */
function takeGroup(queue: Write[]): Write[] {
  let size = 0;
  const end = queue.findIndex((write, index) => {
    size += write.value?.length ?? 0;
    return index > 0 && (index >= groupMax.writes || size > groupMax.characters);
  });
  return queue.splice(0, end === -1 ? queue.length : end);
}

function characters(writes: readonly Write[]): number {
  return writes.reduce((sum, { key, value }) => sum + key.length + (value?.length ?? 0), 0);
}

/** `VACUUM INTO` copies one committed state while the writer goes on. `toFile` appears whole and durable, or not at all. */
function backup({ file, toFile }: ThreadTask & { task: 'backup' }): void {
  const unfinished = `${toFile}.unfinished`;
  rmSync(unfinished, { force: true });
  try {
    const db = openForReading(file);
    try {
      db.prepare('VACUUM INTO ?').run(unfinished);
    } finally {
      db.close();
    }
    const descriptor = openSync(unfinished, 'r+');
    fsyncSync(descriptor);
    closeSync(descriptor);
    renameSync(unfinished, toFile);
    syncDirectory(dirname(toFile));
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw error;
  }
}

function run(port: MessagePort, task: ThreadTask): void {
  try {
    if (task.task === 'write') new Writer(port, task).start();
    else backup(task);
  } catch (error) {
    const { code, message } = toStorageFailure(error, task.task === 'backup' ? task.toFile : task.file);
    port.postMessage({ type: 'failed', failure: { code, message } } satisfies Reply);
  }
}

if (parentPort !== null) run(parentPort, workerData as ThreadTask);
