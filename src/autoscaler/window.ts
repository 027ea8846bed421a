/**
 * Values of one-second buckets over a sliding window, averaged as Knative's autoscaler does (TimedFloat64Buckets and
 * WeightedFloat64Buckets): seconds without a value count as zero; a window that is not yet full is averaged over the seconds
 * since the first value.
 */
export class BucketWindow {
  readonly #seconds: number;
  /** Absent while every value is zero: most revisions sleep. */
  #values: Float64Array | undefined;
  #first: number | undefined;
  #last = 0;

  constructor(windowSeconds: number) {
    this.#seconds = Math.max(1, Math.round(windowSeconds));
  }

  get seconds(): number {
    return this.#seconds;
  }

  /** Adds `value` to the bucket of `second` (whole seconds since the epoch); values older than the window are dropped. */
  add(second: number, value: number): void {
    this.#advance(second);
    if (second <= this.#last - this.#seconds) return;
    this.#put(second, this.#at(second) + value);
  }

  /** Puts `value` in place of what the bucket of `second` holds. */
  set(second: number, value: number): void {
    this.#advance(second);
    if (second > this.#last - this.#seconds) this.#put(second, value);
  }

  /** No value was ever put in, or the last one has left the window: there is nothing to decide on. */
  isEmpty(nowSecond: number): boolean {
    return this.#first === undefined || nowSecond - this.#last >= this.#seconds;
  }

  /** Sum of the window's buckets divided by the number of valid ones, rounded to six decimals. */
  average(nowSecond: number): number {
    const valid = this.#valid(nowSecond);
    if (valid === 0) return 0;
    let sum = 0;
    for (let second = nowSecond - valid + 1; second <= nowSecond; second += 1) sum += this.#at(second);
    return roundTo6(sum / valid);
  }

  /** The newest bucket weighs `a`, each older one (1 − a) times the one after it. */
  weightedAverage(nowSecond: number): number {
    const valid = this.#valid(nowSecond);
    if (valid === 0) return 0;
    const multiplier = decayMultiplier(this.#seconds);
    let weight = multiplier;
    let sum = 0;
    for (let age = 0; age < valid; age += 1) {
      sum += this.#at(nowSecond - age) * weight;
      weight *= 1 - multiplier;
    }
    return roundTo6(sum);
  }

  #valid(nowSecond: number): number {
    if (this.#first === undefined || this.isEmpty(nowSecond)) return 0;
    return Math.min(this.#seconds, nowSecond - this.#first + 1);
  }

  #at(second: number): number {
    if (second > this.#last || second <= this.#last - this.#seconds) return 0;
    return this.#values?.[this.#slot(second)] ?? 0;
  }

  #put(second: number, value: number): void {
    if (this.#values === undefined && value === 0) return;
    this.#values ??= new Float64Array(this.#seconds);
    this.#values[this.#slot(second)] = value;
  }

  #slot(second: number): number {
    return ((second % this.#seconds) + this.#seconds) % this.#seconds;
  }

  #advance(second: number): void {
    if (this.#first === undefined || second - this.#last >= this.#seconds) {
      this.#values = undefined;
      this.#first = second;
      this.#last = second;
      return;
    }
    for (let next = this.#last + 1; next <= second; next += 1) this.#put(next, 0);
    this.#last = Math.max(this.#last, second);
    if (second > this.#last - this.#seconds) this.#first = Math.min(this.#first, second);
  }
}

/** So that all buckets together weigh 0.9999, and the newest at least 0.2. */
function decayMultiplier(buckets: number): number {
  return Math.max(1 - (1 - 0.9999) ** (1 / buckets), 0.2);
}

function roundTo6(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}
