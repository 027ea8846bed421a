/** Something that holds memory it can get back later. */
export interface Releasable {
  /** Raised by every use. */
  used: boolean;
  release(): void;
}

/**
 * Which objects keep their contents in memory: the ones in use, up to a total weight. An object used since it was last looked at
 * gets another round (the clock algorithm), so a use costs one assignment.
 */
export class HotObjects {
  readonly #limit: number;
  readonly #target: number;
  /** With their weights, the one looked at longest ago first. */
  readonly #held = new Map<Releasable, number>();
  #weight = 0;

  constructor(limit: number) {
    this.#limit = limit;
    this.#target = limit * 0.9;
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

  /** Some room more than needed, so that it is not looked for with every object that comes. */
  #makeRoom(newest: Releasable): void {
    if (this.#weight <= this.#limit) return;
    for (const [object, weight] of this.#held) {
      if (this.#weight <= this.#target || this.#held.size === 1) return;
      if (object === newest) continue;
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
