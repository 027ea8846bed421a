/** Exponential back-off: `baseMs · 2^failures`, never above `maxMs`. */
export function backoffMs(failures: number, baseMs: number, maxMs: number): number {
  return Math.min(maxMs, baseMs * 2 ** Math.min(failures, 30));
}

/** Runs asynchronous sections one after the other, in the order they were asked for. */
export class Mutex {
  #tail: Promise<unknown> = Promise.resolve();

  run<T>(section: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(section);
    this.#tail = result.catch(() => {});
    return result;
  }
}

/** Waits until every attempt has ended; then the first failure is thrown. */
export async function settleAll(attempts: readonly Promise<unknown>[]): Promise<void> {
  const failed = (await Promise.allSettled(attempts)).find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
