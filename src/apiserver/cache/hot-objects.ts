/** Something that holds memory it can get back later. */
export interface Releasable {
  /** Raised by every use. */
  used: boolean;
  release(): void;
}

/**
 * Which objects keep their contents in memory: the ones in use, up to a total weight, and of the others a few. An object used since
 * it was last looked at gets another round (the clock algorithm), so a use costs one assignment.
 */
export class HotObjects {
  readonly #limit: number;
  readonly #target: number;
  readonly #kept: number;
  /** With their weights, the one looked at longest ago first. */
  readonly #held = new Map<Releasable, number>();
  #weight = 0;

  /** At most `limit` in all; `kept` of what nobody uses. */
  constructor(limit: number, kept: number) {
    this.#limit = limit;
    this.#target = limit * 0.9;
    this.#kept = kept;
  }

  /** Of everything held. */
  get weight(): number {
    return this.#weight;
  }

  /** Takes an object whose contents have been loaded; others may have to let go of theirs. */
  add(object: Releasable, weight: number): void {
    this.#held.set(object, weight);
    this.#weight += weight;
    this.#makeRoom(object);
  }

  /** Contents of an object have become heavier. */
  grow(object: Releasable, weight: number): void {
    const before = this.#held.get(object);
    if (before === undefined) return;
    this.#held.set(object, before + weight);
    this.#weight += weight;
    this.#makeRoom(object);
  }

  /** To be called from time to time: what has not been used since the last two calls goes, but for what may be kept. */
  age(): void {
    this.#sweep(this.#kept, this.#held.size);
  }

  /** Some room more than needed, so that it is not looked for with every object that comes. */
  #makeRoom(newest: Releasable): void {
    // The first round may find everything in use, the second does not.
    if (this.#weight > this.#limit) this.#sweep(this.#target, 2 * this.#held.size, newest);
  }

  /** Looks at so many objects, the one looked at longest ago first, until no more than `target` is left. */
  #sweep(target: number, looks: number, spared?: Releasable): void {
    let left = looks;
    for (const [object, weight] of this.#held) {
      if (this.#weight <= target || left === 0) return;
      left -= 1;
      if (object === spared) continue;
      this.#held.delete(object);
      if (object.used) {
        object.used = false;
        this.#held.set(object, weight);
      } else {
        this.#weight -= weight;
        object.release();
      }
    }
  }
}
