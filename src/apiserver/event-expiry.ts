import type { CachedObject } from '#apiserver/cache/cached-object.ts';
import { resourcePrefix } from '#apiserver/cache/watch-cache.ts';
import type { ServerContext } from '#apiserver/context.ts';

/** As kube-apiserver's `--event-ttl`. */
const keepMs = 60 * 60_000;
const lookEveryMs = 5 * 60_000;
/** Deletions under way at a time. */
const batchSize = 50;

/**
 * Removes Events an hour after their last change, as Kubernetes does. Their age is told by their revision: every few minutes it is
 * noted how far the store has got. So none has to be read, and after a restart the hour begins again.
 */
export class EventExpiry implements Disposable {
  readonly #context: ServerContext;
  /** At `atMs` the store was at `revision`; oldest first. */
  readonly #marks: { readonly atMs: number; readonly revision: number }[] = [];
  #cancel: () => void;
  #stopped = false;

  constructor(context: ServerContext) {
    this.#context = context;
    this.#mark();
    this.#cancel = this.#later();
  }

  [Symbol.dispose](): void {
    this.#stopped = true;
    this.#cancel();
  }

  #later(): () => void {
    return this.#context.clock.after(lookEveryMs, () => {
      this.#mark();
      void this.#expire()
        .catch((error: unknown) => this.#context.logger.warn('old events could not be removed', { error }))
        .finally(() => {
          if (!this.#stopped) this.#cancel = this.#later();
        });
    });
  }

  #mark(): void {
    const { cache, clock } = this.#context;
    this.#marks.push({ atMs: clock.monotonic(), revision: cache.revision });
  }

  async #expire(): Promise<void> {
    const before = this.#context.clock.monotonic() - keepMs;
    let horizon = 0;
    while ((this.#marks[0]?.atMs ?? Infinity) <= before) horizon = this.#marks.shift()?.revision ?? horizon;
    if (horizon === 0) return;
    const events = this.#context.cache.resource('', 'events');
    const old = Array.from(events.range(resourcePrefix('', 'events'))).filter(({ revision }) => revision <= horizon);
    for (let at = 0; at < old.length && !this.#stopped; at += batchSize) {
      await Promise.all(old.slice(at, at + batchSize).map((event) => this.#remove(event)));
    }
  }

  /** One that has changed meanwhile stays. */
  async #remove({ key, revision }: CachedObject): Promise<void> {
    await this.#context.storage.write({ key, value: null, expected: revision });
  }
}
