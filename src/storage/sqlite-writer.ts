import { getCompileCacheDir } from 'node:module';
import { Worker } from 'node:worker_threads';
import { storageFailure } from './sqlite-errors.ts';
import type { Outcome } from './sqlite-log.ts';
import type { FailureText, Reply, Request, ThreadTask } from './sqlite-protocol.ts';
import { StorageFailure } from './storage.ts';
import type { Write } from './storage.ts';

/** The thread's entry: the source file, or beside a bundle the file `sqlite-thread.js` bundled from it. */
const threadEntry = new URL(import.meta.url.endsWith('.ts') ? './sqlite-thread.ts' : './sqlite-thread.js', import.meta.url);

/** Waiting writes beyond either bound are refused (`busy`). */
const pendingMax = { writes: 8192, characters: 64 * 2 ** 20 };

/** A committed write with what became of it. */
export interface Committed {
  readonly write: Write;
  readonly outcome: Outcome;
}

export interface WriterEvents {
  /** One group commit, in revision order. Runs before the writes of the group are acknowledged. */
  onCommitted(group: readonly Committed[]): void;
  onCompacted(compacted: number): void;
  onWarning(message: string, failure: FailureText): void;
  /** The writer has ended by itself; nothing more will be written. */
  onFailed(failure: StorageFailure): void;
}

interface Pending {
  readonly write: Write;
  readonly answer: PromiseWithResolvers<Outcome>;
}

/** This thread's side of the writer thread: queues, sends one message an event-loop turn, and settles in order. */
export class SqliteWriter {
  readonly #worker: Worker;
  readonly #events: WriterEvents;
  readonly #opened = Promise.withResolvers<{ revision: number; compacted: number }>();
  readonly #exited = Promise.withResolvers<void>();
  /** Everything not answered yet, oldest first; the last `#unsent` have not been sent either. */
  readonly #pending: Pending[] = [];
  readonly #compactions: { revision: number; answer: PromiseWithResolvers<void> }[] = [];
  #pendingCharacters = 0;
  #unsent = 0;
  #failure: StorageFailure | undefined;

  constructor(task: ThreadTask & { task: 'write' }, events: WriterEvents, entry: URL = threadEntry) {
    this.#events = events;
    this.#worker = startThread(task, entry);
    this.#worker.on('message', (reply: Reply) => this.#receive(reply));
    this.#worker.on('error', (error) => this.#fail(storageFailure('io', task.file, error.message, error)));
    this.#worker.on('exit', () => {
      this.#fail(storageFailure('closed', task.file));
      this.#exited.resolve();
    });
  }

  /** Settles when the thread has opened the file, or could not. */
  get opened(): Promise<{ revision: number; compacted: number }> {
    return this.#opened.promise;
  }

  write(write: Write): Promise<Outcome> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#pending.length >= pendingMax.writes || this.#pendingCharacters >= pendingMax.characters)
      return Promise.reject(storageFailure('busy', ''));
    const answer = Promise.withResolvers<Outcome>();
    this.#pending.push({ write, answer });
    this.#pendingCharacters += write.value?.length ?? 0;
    if (this.#unsent++ === 0) setImmediate(() => this.#flush());
    return answer.promise;
  }

  compact(revision: number): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const answer = Promise.withResolvers<void>();
    this.#compactions.push({ revision, answer });
    this.#send({ type: 'compact', revision });
    return answer.promise;
  }

  /** Resolves when everything accepted before is answered and the file is closed. */
  async close(): Promise<void> {
    this.#flush();
    this.#send({ type: 'close' });
    await this.#exited.promise;
  }

  #flush(): void {
    if (this.#unsent === 0) return;
    const writes = this.#pending.slice(-this.#unsent).map(({ write }) => write);
    this.#unsent = 0;
    this.#send({ type: 'writes', writes });
  }

  #send(request: Request): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a Worker has no origin
    this.#worker.postMessage(request);
  }

  #receive(reply: Reply): void {
    switch (reply.type) {
      case 'opened':
        return this.#opened.resolve(reply);
      case 'committed':
        return this.#acknowledge(reply.outcomes);
      case 'rejected':
        for (const { answer } of this.#take(reply.count)) answer.reject(toError(reply.failure));
        return;
      case 'compacted':
        return this.#settleCompactions(reply.compacted);
      case 'warning':
        return this.#events.onWarning(reply.message, reply.failure);
      case 'failed':
        return this.#fail(toError(reply.failure));
    }
  }

  #acknowledge(outcomes: readonly Outcome[]): void {
    const group = this.#take(outcomes.length).flatMap(({ write, answer }, index) => {
      const outcome = outcomes[index];
      return outcome === undefined ? [] : [{ write, outcome, answer }];
    });
    this.#events.onCommitted(group);
    for (const { answer, outcome } of group) answer.resolve(outcome);
  }

  #take(count: number): Pending[] {
    const taken = this.#pending.splice(0, count);
    for (const { write } of taken) this.#pendingCharacters -= write.value?.length ?? 0;
    return taken;
  }

  #settleCompactions(compacted: number): void {
    this.#events.onCompacted(compacted);
    for (let next = this.#compactions[0]; next !== undefined && next.revision <= compacted; next = this.#compactions[0]) {
      this.#compactions.shift();
      next.answer.resolve();
    }
  }

  /** Rejects everything unanswered, once; the first cause stays. */
  #fail(failure: StorageFailure): void {
    if (this.#failure !== undefined) return;
    this.#failure = failure;
    this.#unsent = 0;
    this.#opened.reject(failure);
    for (const { answer } of this.#take(this.#pending.length)) answer.reject(failure);
    for (const { answer } of this.#compactions.splice(0)) answer.reject(failure);
    this.#events.onFailed(failure);
  }
}

/** Copies the data file in a thread of its own; see `SqliteStorage.backup`. */
export function backupInThread(file: string, toFile: string, entry: URL = threadEntry): Promise<void> {
  const copied = Promise.withResolvers<void>();
  const worker = startThread({ task: 'backup', file, toFile }, entry);
  worker.on('message', (reply: Reply) => {
    if (reply.type === 'failed') copied.reject(toError(reply.failure));
  });
  worker.on('error', (error) => copied.reject(storageFailure('io', toFile, error.message, error)));
  worker.on('exit', () => copied.resolve());
  return copied.promise;
}

/**
 * The young generation is kept small: what passes through the thread lives for one commit. A thread does not inherit the
 * compile cache; without it, stripping types again costs 20 MB and 80 ms.
 */
function startThread(task: ThreadTask, entry: URL): Worker {
  const cache = getCompileCacheDir();
  return new Worker(entry, {
    workerData: task,
    name: `storage-${task.task}`,
    resourceLimits: { maxYoungGenerationSizeMb: 8 },
    env: cache === undefined ? process.env : { ...process.env, NODE_COMPILE_CACHE: cache },
  });
}

function toError({ code, message }: FailureText): StorageFailure {
  return new StorageFailure(code, message);
}
