import { availableParallelism, cpus } from 'node:os';
import type { Clock } from '#core/clock.ts';

export interface StartPaceOptions {
  readonly clock: Clock;
  readonly processors: number;
  /** The share of all processors' time, 0 to 1, that nobody has used since the last call. */
  readonly idleShare: () => number;
}

/** Enough to keep the processors busy while some of the starting programs wait for something. */
const startsPerProcessor = 4;
/** A program that is not ready after this time holds up nobody any longer. */
const longestMs = 2000;
const lookAgainMs = 50;
/** With less than this to spare, one more start would only slow down the others. */
const spareShare = 0.2;

/**
 * How many pods are on their way to ready at once. A hundred that start side by side all become ready at the end; a few at a time and the
 * first are ready long before, nobody looks in vain at the others meanwhile, and the last is no later. Pods that wait for something
 * else than the processors do not count: whenever there is processor time to spare, one more may start.
 */
export class StartPace {
  readonly #options: StartPaceOptions;
  readonly #waiting = new Set<() => void>();
  #starting = 0;
  #isWatching = false;

  constructor(options: StartPaceOptions) {
    this.#options = options;
  }

  /**
   * Resolves when a pod may start, in the order of asking, with what to call when it is ready or has ended. Rejects with the
   * signal's reason when that aborts first.
   */
  enter(signal: AbortSignal): Promise<() => void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason as Error);
      const onAbort = () => {
        this.#waiting.delete(start);
        reject(signal.reason as Error);
      };
      const start = () => {
        signal.removeEventListener('abort', onAbort);
        resolve(this.#start());
      };
      if (this.#starting < this.#limit) return start();
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.add(start);
      this.#watch();
    });
  }

  get #limit(): number {
    return this.#options.processors * startsPerProcessor;
  }

  #start(): () => void {
    this.#starting += 1;
    let isOver = false;
    const over = () => {
      if (isOver) return;
      isOver = true;
      cancel();
      this.#starting -= 1;
      if (this.#starting < this.#limit) this.#next();
    };
    const cancel = this.#options.clock.after(longestMs, over);
    return over;
  }

  #next(): void {
    const [start] = this.#waiting;
    if (start === undefined) return;
    this.#waiting.delete(start);
    start();
  }

  /** While somebody waits: lets one more start whenever there is time to spare. */
  #watch(): void {
    if (this.#isWatching) return;
    this.#isWatching = true;
    this.#options.idleShare();
    const look = () => {
      if (this.#options.idleShare() >= spareShare) this.#next();
      this.#isWatching = this.#waiting.size > 0;
      if (this.#isWatching) this.#options.clock.after(lookAgainMs, look);
    };
    this.#options.clock.after(lookAgainMs, look);
  }
}

/** The pace of this machine's starts. */
export function machineStartPace(clock: Clock): StartPace {
  return new StartPace({ clock, processors: availableParallelism(), idleShare: idleMeter() });
}

function idleMeter(): () => number {
  let last = { idle: 0, all: 0 };
  return () => {
    const now = processorTimes();
    const [idle, all] = [now.idle - last.idle, now.all - last.all];
    last = now;
    return all === 0 ? 0 : idle / all;
  };
}

function processorTimes(): { readonly idle: number; readonly all: number } {
  const times = cpus().map((processor) => processor.times);
  const idle = times.reduce((sum, one) => sum + one.idle, 0);
  const all = times.reduce((sum, { user, nice, sys, irq }) => sum + user + nice + sys + irq, idle);
  return { idle, all };
}
