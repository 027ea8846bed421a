/** Lets others wait for something to become true; whoever changes what it depends on calls `notify`. */
export class Changes {
  #waiters: (() => void)[] = [];

  notify(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }

  /** Resolves when `condition` holds; it is looked at now and after every change. Rejects when the signal aborts. */
  async until(condition: () => boolean, signal: AbortSignal): Promise<void> {
    const wake = () => this.notify();
    signal.addEventListener('abort', wake, { once: true });
    try {
      while (!condition()) {
        signal.throwIfAborted();
        await new Promise<void>((resolve) => this.#waiters.push(resolve));
      }
    } finally {
      signal.removeEventListener('abort', wake);
    }
  }
}
