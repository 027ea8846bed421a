import type { Clock } from '#core/clock.ts';

const forgottenAfterMs = 300_000;

/**
 * What a controller has done that its cache does not show yet. Without it a reconcile on an old cache would create or delete
 * the same things twice. Entries that never show up (the write was undone at once) are forgotten after five minutes.
 */
export class Expectations {
  readonly #clock: Clock;
  readonly #pending = new Map<string, Map<string, number>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `key` waits for the cache to show `what` (a uid created or deleted). */
  expect(key: string, what: string): void {
    const own = this.#pending.get(key) ?? new Map<string, number>();
    own.set(what, this.#clock.monotonic() + forgottenAfterMs);
    this.#pending.set(key, own);
  }

  seen(key: string, what: string): void {
    const own = this.#pending.get(key);
    own?.delete(what);
    if (own?.size === 0) this.#pending.delete(key);
  }

  /** Nothing is outstanding: the cache shows all that was done. */
  met(key: string): boolean {
    const own = this.#pending.get(key);
    if (own === undefined) return true;
    const now = this.#clock.monotonic();
    for (const [what, until] of own) if (until < now) own.delete(what);
    if (own.size === 0) this.#pending.delete(key);
    return own.size === 0;
  }

  forget(key: string): void {
    this.#pending.delete(key);
  }
}
