/** What is on its way to one reader that may be slow: bounded, and handed over in batches. One reader at a time. */
export class Outbox<T> {
  readonly #limit: number;
  #items: T[] = [];
  #ended = false;
  #wake = Promise.withResolvers<void>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** False when the reader is too far behind, or there will be none any more: the item is lost. */
  push(item: T): boolean {
    if (this.#ended || this.#items.length >= this.#limit) return false;
    this.#items.push(item);
    this.#wake.resolve();
    return true;
  }

  /** What is in it is still handed over. */
  end(): void {
    this.#ended = true;
    this.#wake.resolve();
  }

  /** Everything there is, again and again, until it has ended. */
  async *batches(): AsyncGenerator<readonly T[]> {
    for (;;) {
      const batch = this.#items;
      this.#items = [];
      if (batch.length > 0) yield batch;
      if (this.#items.length > 0) continue;
      if (this.#ended) return;
      this.#wake = Promise.withResolvers<void>();
      await this.#wake.promise;
    }
  }
}
