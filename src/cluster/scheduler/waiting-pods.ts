import type { Clock } from '#core/clock.ts';

const atOnce = 50;
const pauseMs = 100;

/**
 * Pods that found no place. When room appears they are tried again a few at a time, the one tried longest ago first, so that
 * thousands of them cost little each time a pod ends.
 */
export class WaitingPods {
  readonly #clock: Clock;
  readonly #retry: (key: string) => void;
  readonly #keys = new Set<string>();
  #left = 0;
  #pumping = false;

  constructor(clock: Clock, retry: (key: string) => void) {
    this.#clock = clock;
    this.#retry = retry;
  }

  /** Tried in vain: last in the line. */
  add(key: string): void {
    this.#keys.delete(key);
    this.#keys.add(key);
  }

  remove(key: string): void {
    this.#keys.delete(key);
  }

  /** Something has changed that may help any of them. */
  wake(): void {
    this.#left = this.#keys.size;
    if (!this.#pumping) this.#pump();
  }

  #pump(): void {
    const batch: string[] = [];
    for (const key of this.#keys) {
      if (batch.length >= Math.min(atOnce, this.#left)) break;
      batch.push(key);
    }
    this.#left -= batch.length;
    for (const key of batch) {
      this.add(key);
      this.#retry(key);
    }
    this.#pumping = this.#left > 0 && batch.length > 0;
    if (this.#pumping) this.#clock.after(pauseMs, () => this.#pump());
  }
}
