import { Mutex } from '#core/async.ts';
import { errorText } from '#core/errors.ts';
import type { Logger } from '#core/logger.ts';
import type { SlotFactory, SlotKind } from '#providers/local/network/slot-factory.ts';
import type { SlotRecord } from '#providers/local/state.ts';

/**
 * Ready slots, so that a pod's start does not wait for namespaces and interfaces. `take` gives one at once when there is one of the usual kind, and
 * makes one otherwise; the pool is filled again in the background, one at a time.
 */
export class SlotPool {
  readonly #factory: SlotFactory;
  readonly #size: number;
  readonly #logger: Logger;
  readonly #ready: SlotRecord[];
  readonly #filling = new Mutex();
  #closed = false;

  constructor(factory: SlotFactory, size: number, ready: readonly SlotRecord[], logger: Logger) {
    this.#factory = factory;
    this.#size = size;
    this.#ready = [...ready];
    this.#logger = logger;
  }

  async take(kind: SlotKind): Promise<SlotRecord> {
    const usual = !kind.hostNetwork && !kind.shareProcessNamespace;
    for (let slot = usual ? this.#ready.shift() : undefined; slot !== undefined; slot = this.#ready.shift()) {
      if (this.#factory.isWhole(slot)) return slot;
      await this.#factory.remove(slot);
    }
    return this.#factory.create(kind);
  }

  /** Makes slots until the pool is full again; never rejects. */
  fill(): Promise<void> {
    return this.#filling.run(async () => {
      while (!this.#closed && this.#ready.length < this.#size) {
        try {
          this.#ready.push(await this.#factory.create({ hostNetwork: false, shareProcessNamespace: false }));
        } catch (error) {
          this.#logger.warn('preparing a sandbox failed', { reason: errorText(error) });
          return;
        }
      }
    });
  }

  /** Ends refilling and removes what is ready. */
  async clear(): Promise<void> {
    await this.close();
    for (const slot of this.#ready.splice(0)) await this.#factory.remove(slot);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#filling.run(() => Promise.resolve());
  }
}
