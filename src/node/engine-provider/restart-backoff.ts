import { backoffMs } from '#core/async.ts';

const baseMs = 10_000;
const maxMs = 300_000;
/** A container that ran this long starts over without delay. */
const forgetAfterMs = 2 * maxMs;

/**
 * kubelet's crash-loop back-off of one container: the first restart is immediate, then 10 s, 20 s … 5 min, counted from
 * the end of the container; ten quiet minutes reset it.
 */
export class RestartBackoff {
  #failures: number;
  #lastRestartMs: number | undefined;

  /** `restarts` and `lastStartMs`: what is known of the container's past, when an agent takes it over. */
  constructor(restarts = 0, lastStartMs?: number) {
    this.#failures = restarts;
    this.#lastRestartMs = lastStartMs;
  }

  /** How long to wait after a container that ended at `finishedAtMs` before it is started again; counts the restart. */
  next(finishedAtMs: number): number {
    if (this.#lastRestartMs !== undefined && finishedAtMs - this.#lastRestartMs > forgetAfterMs) this.#failures = 0;
    const delayMs = this.#failures === 0 ? 0 : backoffMs(this.#failures - 1, baseMs, maxMs);
    this.#failures += 1;
    this.#lastRestartMs = finishedAtMs + delayMs;
    return delayMs;
  }
}

/** `10s`, `2m40s`, `5m0s`: durations as Go prints them in back-off messages. */
export function goDuration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds}s`;
  return `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}
