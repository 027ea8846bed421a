/** Upper bounds in milliseconds; a last bucket takes the rest. */
export const latencyBoundsMs: readonly number[] = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000];

const noCounts = new Float64Array(latencyBoundsMs.length + 1);

/** Counts durations by bucket. */
export class LatencyHistogram {
  /** Made with the first value: there is one histogram a revision, and most revisions sleep. */
  #counts: Float64Array | undefined;
  sumMs = 0;

  observe(durationMs: number): void {
    let index = 0;
    while (index < latencyBoundsMs.length && durationMs > (latencyBoundsMs[index] as number)) index++;
    this.#counts ??= new Float64Array(noCounts.length);
    this.#counts[index] = (this.#counts[index] as number) + 1;
    this.sumMs += durationMs;
  }

  /** By bucket; to be read only. */
  get counts(): Float64Array {
    return this.#counts ?? noCounts;
  }

  get total(): number {
    return this.counts.reduce((sum, count) => sum + count, 0);
  }
}
