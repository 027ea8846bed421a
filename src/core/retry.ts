import { backoffMs } from '#core/async.ts';
import { sleep, type Clock } from '#core/clock.ts';

export interface RetryOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** The pause after the first failure; each further one doubles it, up to `maxMs`. */
  readonly baseMs: number;
  readonly maxMs: number;
  /** Hears of each failure before the pause; what it throws ends the attempts. */
  readonly onFailure: (error: unknown, failures: number) => void;
}

/** Does the work until it succeeds, with growing pauses. Rejects when the signal aborts, or with what `onFailure` throws. */
export async function retry<T>(work: () => Promise<T>, { clock, signal, baseMs, maxMs, onFailure }: RetryOptions): Promise<T> {
  for (let failures = 0; ; failures += 1) {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      onFailure(error, failures + 1);
      await sleep(clock, backoffMs(failures, baseMs, maxMs), signal);
    }
  }
}
