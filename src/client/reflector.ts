import type { KubeObject } from '#apis/meta/object.ts';
import type { Held, ListOptions, ResourceClient, WatchEvent } from '#client/client.ts';
import { isExpired } from '#client/errors.ts';
import { heldItems, type Keep } from '#client/held.ts';
import { backoffMs } from '#core/async.ts';
import { sleep, type Clock } from '#core/clock.ts';
import { errorText } from '#core/errors.ts';
import type { Logger } from '#core/logger.ts';

export interface ReflectorOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Uniform in [0, 1); spreads retries and watch ends of many reflectors. */
  readonly random: () => number;
  readonly keep?: Keep;
}

/** Where a reflector delivers to. */
export interface Mirror<T extends KubeObject> {
  /** The whole state, as of one moment. */
  replace(objects: readonly Held<T>[]): void;
  change(event: WatchEvent<T>): void;
}

const firstRetryMs = 100;
const slowestRetryMs = 15_000;
const pageSize = 500;
/** Servers end a watch after `timeoutSeconds`; one that does not within this margin hangs. */
const hangMarginMs = 60_000;
const shortWatchMs = 1000;

/**
 * Keeps a mirror equal to what the server has: one list, then a watch from the list's version, resumed where it broke off.
 * When the history it needs is gone it lists again. Failures are retried for ever, with back-off and jitter; the mirror keeps
 * what it has meanwhile.
 */
export class Reflector<T extends KubeObject> {
  readonly #client: ResourceClient<T>;
  readonly #selector: Pick<ListOptions, 'namespace' | 'labelSelector' | 'fieldSelector'>;
  readonly #mirror: Mirror<T>;
  readonly #options: ReflectorOptions;
  /** Continue the watch behind this version; undefined: list first. */
  #resourceVersion: string | undefined;
  /** At least as new as everything seen before, `0` at the start (any state will do), '' after an expiry (the newest). */
  #listVersion = '0';
  #failures = 0;

  constructor(client: ResourceClient<T>, selector: ListOptions, mirror: Mirror<T>, options: ReflectorOptions) {
    this.#client = client;
    this.#selector = selector;
    this.#mirror = mirror;
    this.#options = options;
  }

  /** Runs until the signal aborts; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if (this.#resourceVersion === undefined) await this.#list(signal);
        else await this.#watch(signal, this.#resourceVersion);
      } catch (error) {
        if (signal.aborted) return;
        await this.#recover(error, signal);
      }
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    const version = this.#listVersion;
    const first = await this.#client.list({
      ...this.#selector,
      signal,
      ...(version === '' ? { limit: pageSize } : { resourceVersion: version }),
    });
    const items = heldItems(first, this.#options.keep);
    for (let next = first.metadata.continue; next;) {
      const page = await this.#client.list({ ...this.#selector, signal, limit: pageSize, continue: next });
      items.push(...heldItems(page, this.#options.keep));
      next = page.metadata.continue;
    }
    this.#reached(first.metadata.resourceVersion);
    this.#mirror.replace(items);
  }

  async #watch(signal: AbortSignal, resourceVersion: string): Promise<void> {
    const { clock, random } = this.#options;
    const timeoutSeconds = Math.round(300 * (1 + random()));
    const hung = new AbortController();
    const cancel = clock.after(timeoutSeconds * 1000 + hangMarginMs, () => hung.abort(new Error('the watch hangs')));
    const startedMs = clock.monotonic();
    let events = 0;
    try {
      const watch = this.#client.watch({
        ...this.#selector,
        resourceVersion,
        allowWatchBookmarks: true,
        timeoutSeconds,
        signal: AbortSignal.any([signal, hung.signal]),
      });
      for await (const event of watch) {
        events += 1;
        this.#failures = 0;
        if (event.type !== 'BOOKMARK') this.#mirror.change(event);
        this.#reached(event.object.metadata.resourceVersion);
      }
    } finally {
      cancel();
    }
    // A server that accepts watches and drops them at once must not be asked in a tight loop.
    if (events === 0 && clock.monotonic() - startedMs < shortWatchMs) await this.#backOff(signal);
    else this.#failures = 0;
  }

  #reached(resourceVersion: string | undefined): void {
    if (resourceVersion === undefined || resourceVersion === '') return;
    this.#resourceVersion = resourceVersion;
    this.#listVersion = resourceVersion;
  }

  async #recover(error: unknown, signal: AbortSignal): Promise<void> {
    const { logger } = this.#options;
    if (isExpired(error)) {
      logger.debug('history expired, listing again', { error: errorText(error) });
      this.#resourceVersion = undefined;
      this.#listVersion = '';
      if (this.#failures === 0) {
        this.#failures = 1;
        return;
      }
    } else if (this.#failures === 2) {
      // One hiccup is normal when the server restarts; say it once it lasts.
      logger.warn('cannot list or watch, retrying', { error: errorText(error) });
    }
    await this.#backOff(signal);
  }

  async #backOff(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    const ms = backoffMs(this.#failures, firstRetryMs, slowestRetryMs) * (0.5 + random());
    this.#failures += 1;
    await sleep(clock, ms, signal).catch(() => {});
  }
}
