import type { StorageEvent, Watch } from './storage.ts';

export type WatchListener = (events: readonly StorageEvent[]) => void;

/**
 * The live end of all watches of one store. The driver calls `publish` once a group commit, in revision order.
 * Each watch has its own position, so a driver may feed a watch from the log first and then hand it over without a gap
 * or a duplicate: published events at or below the position are skipped.
 */
export class WatchHub {
  readonly #watches = new Set<HubWatch>();
  /** Batches waiting while another is being delivered: a listener that writes must not overtake what others still get. */
  readonly #batches: (readonly StorageEvent[])[] = [];
  #delivering = false;

  /** A watch that has seen everything up to `position` (of its prefix) and gets nothing until `goLive`. */
  open(prefix: string, position: number, listener: WatchListener): HubWatch {
    return new HubWatch(prefix, position, listener, this.#watches);
  }

  publish(events: readonly StorageEvent[]): void {
    this.#batches.push(events);
    if (this.#delivering) return;
    this.#delivering = true;
    for (let batch = this.#batches.shift(); batch !== undefined; batch = this.#batches.shift()) {
      for (const watch of this.#watches) watch.deliver(batch);
    }
    this.#delivering = false;
  }

  /** Ends every live watch; their `done` rejects with `cause`. */
  endAll(cause: unknown): void {
    for (const watch of this.#watches) watch.end(cause);
  }
}

class HubWatch implements Watch {
  readonly done: Promise<void>;
  readonly #done = Promise.withResolvers<void>();
  readonly #prefix: string;
  readonly #listener: WatchListener;
  readonly #live: Set<HubWatch>;
  #position: number;
  #ended = false;

  constructor(prefix: string, position: number, listener: WatchListener, live: Set<HubWatch>) {
    this.#prefix = prefix;
    this.#position = position;
    this.#listener = listener;
    this.#live = live;
    this.done = this.#done.promise;
    // Who does not look at `done` must not crash the process; who does still sees the rejection.
    this.done.catch(() => {});
  }

  get ended(): boolean {
    return this.#ended;
  }

  goLive(): void {
    if (!this.#ended) this.#live.add(this);
  }

  /** Passes on those `events` (in revision order) that are new to this watch and under its prefix. */
  deliver(events: readonly StorageEvent[]): void {
    const last = events.at(-1);
    if (this.#ended || last === undefined || last.revision <= this.#position) return;
    const fresh = events.filter((event) => event.revision > this.#position && event.key.startsWith(this.#prefix));
    this.#position = last.revision;
    if (fresh.length === 0) return;
    try {
      this.#listener(fresh);
    } catch (cause) {
      this.end(cause);
    }
  }

  /** Moves past history that held nothing for this watch. */
  skipTo(position: number): void {
    this.#position = Math.max(this.#position, position);
  }

  /** Ends the watch; `done` rejects with `cause`. */
  end(cause: unknown): void {
    if (!this.#finish()) return;
    this.#done.reject(cause);
  }

  [Symbol.dispose](): void {
    if (this.#finish()) this.#done.resolve();
  }

  #finish(): boolean {
    if (this.#ended) return false;
    this.#ended = true;
    this.#live.delete(this);
    return true;
  }
}
