import { backoffMs } from '#core/async.ts';
import type { Clock } from '#core/clock.ts';

export interface WorkQueueOptions {
  readonly clock: Clock;
  /** Waiting keys beyond this many are dropped; `onOverflow` runs once there is room again, to enqueue everything anew. */
  readonly maxKeys?: number;
  readonly onOverflow?: () => void;
  /** Asked each time: its keys are handed out a turn before those of other queues. */
  readonly isUrgent?: () => boolean;
}

const firstRetryMs = 5;
/** 2^n · 5 ms up to about 16 minutes, the steps of controller-runtime. */
const slowestRetryMs = 1_000_000;

/**
 * Keys waiting to be worked on, each at most once. Changed keys (`add`) go before those that are only looked at again
 * (`addSlow`). A key being worked on is never handed out a second time: added meanwhile, it waits for `done`.
 */
export class WorkQueue {
  readonly #clock: Clock;
  readonly #maxKeys: number;
  readonly #onOverflow: () => void;
  readonly #isUrgent: () => boolean;
  readonly #fast = new Set<string>();
  readonly #slow = new Set<string>();
  readonly #working = new Set<string>();
  readonly #again = new Map<string, 'fast' | 'slow'>();
  readonly #failures = new Map<string, number>();
  readonly #delayed = new Map<string, { dueMs: number; cancel: () => void }>();
  readonly #waiting: PromiseWithResolvers<string | undefined>[] = [];
  #isHanding = false;
  #overflowed = false;
  #closed = false;

  constructor(options: WorkQueueOptions) {
    this.#clock = options.clock;
    this.#maxKeys = options.maxKeys ?? 100_000;
    this.#onOverflow = options.onOverflow ?? (() => {});
    this.#isUrgent = options.isUrgent ?? (() => false);
  }

  /** Keys waiting to be handed out now. */
  get depth(): number {
    return this.#fast.size + this.#slow.size + this.#again.size;
  }

  /** Nothing waits now and nothing is being worked on; keys with a delay do not count. */
  get idle(): boolean {
    return this.depth === 0 && this.#working.size === 0;
  }

  add(key: string): void {
    this.#put(key, 'fast');
  }

  addSlow(key: string): void {
    this.#put(key, 'slow');
  }

  /** Adds the key after a delay; of several delays for one key the one due first counts. */
  addAfter(key: string, delayMs: number): void {
    if (this.#closed) return;
    if (delayMs <= 0) return this.add(key);
    const dueMs = this.#clock.monotonic() + delayMs;
    const known = this.#delayed.get(key);
    if (known !== undefined) {
      if (known.dueMs <= dueMs) return;
      known.cancel();
    } else if (this.#delayed.size >= this.#maxKeys) {
      this.#overflowed = true;
      return;
    }
    const cancel = this.#clock.after(delayMs, () => {
      this.#delayed.delete(key);
      this.add(key);
    });
    this.#delayed.set(key, { dueMs, cancel });
  }

  /** Adds a failed key after its back-off, and returns that delay. */
  retry(key: string): number {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    const delayMs = backoffMs(failures, firstRetryMs, slowestRetryMs);
    this.addAfter(key, delayMs);
    return delayMs;
  }

  failuresOf(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  /** The key went well: its next failure starts at the shortest delay. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** The next key, as soon as there is one; undefined once the queue is closed. The caller must call `done` with it. */
  take(): Promise<string | undefined> {
    if (this.#closed) return Promise.resolve(undefined);
    const waiter = Promise.withResolvers<string | undefined>();
    this.#waiting.push(waiter);
    this.#hand();
    return waiter.promise;
  }

  done(key: string): void {
    this.#working.delete(key);
    const lane = this.#again.get(key);
    if (lane === undefined) return;
    this.#again.delete(key);
    this.#put(key, lane);
  }

  /** Drops what waits; every `take` gets undefined. */
  close(): void {
    this.#closed = true;
    for (const { cancel } of this.#delayed.values()) cancel();
    this.#delayed.clear();
    this.#fast.clear();
    this.#slow.clear();
    this.#again.clear();
    for (const waiter of this.#waiting.splice(0)) waiter.resolve(undefined);
  }

  #put(key: string, lane: 'fast' | 'slow'): void {
    if (this.#closed) return;
    if (this.#working.has(key)) {
      if (lane === 'fast' || !this.#again.has(key)) this.#again.set(key, lane);
      return;
    }
    if (this.#fast.has(key)) return;
    const promoted = lane === 'fast' && this.#slow.delete(key);
    if (!promoted && this.#slow.has(key)) return;
    if (this.depth >= this.#maxKeys) {
      this.#overflowed = true;
      return;
    }
    (lane === 'fast' ? this.#fast : this.#slow).add(key);
    this.#hand();
  }

  /**
   * Work begins in a turn of its own: where the API server is in this process, what it has to tell other processes leaves with the present
   * turn, and what they have to do goes first. A key that changes again meanwhile is worked on once.
   */
  #hand(): void {
    if (this.#isHanding || this.#waiting.length === 0 || this.#fast.size + this.#slow.size === 0) return;
    this.#isHanding = true;
    if (this.#isUrgent()) setImmediate(() => this.#handNow());
    else setImmediate(() => setImmediate(() => this.#handNow()));
  }

  #handNow(): void {
    this.#isHanding = false;
    while (this.#waiting.length > 0) {
      const key = this.#next();
      if (key === undefined) return;
      this.#waiting.shift()?.resolve(key);
    }
  }

  #next(): string | undefined {
    const [key] = this.#fast.size > 0 ? this.#fast : this.#slow;
    if (key === undefined) return undefined;
    this.#fast.delete(key);
    this.#slow.delete(key);
    this.#working.add(key);
    if (this.#overflowed && this.depth < this.#maxKeys / 2) {
      this.#overflowed = false;
      this.#onOverflow();
    }
    return key;
  }
}
