/** One finished second of one backend. */
export interface SecondOfMeter {
  /** Whole seconds since the epoch. */
  readonly second: number;
  /** Integral of the active requests over the second. */
  readonly averageConcurrency: number;
  readonly requests: number;
}

/** What a meter counts for. */
export interface Metered {
  readonly config: { readonly namespace: string; readonly name: string; readonly isRevision: boolean };
  readonly queued: number;
  readonly running: number;
  /** Keys of the frozen pods that have requests. */
  readonly thawing: readonly string[];
}

/** Where meters put their finished seconds, and what keeps them ticking. */
export interface MeterSink {
  /** Milliseconds to add to monotonic time to get wall time. */
  readonly wallOffsetMs: number;
  /** The meter has something to count from now on. */
  activate(meter: Meter): void;
  finished(meter: Meter, second: SecondOfMeter): void;
}

/**
 * Time integral of the active requests of one backend, cut exactly at whole seconds of wall time. Costs two calls a request:
 * one when it arrives, one when it is over.
 */
export class Meter {
  /** Requests that arrived and are not over: waiting or in a container. */
  active = 0;
  total = 0;
  readonly of: Metered;
  readonly #sink: MeterSink;
  #area = 0;
  #at = 0;
  #requests = 0;
  #second = 0;
  #end = 0;
  #listed = false;

  constructor(sink: MeterSink, of: Metered) {
    this.#sink = sink;
    this.of = of;
  }

  arrive(now: number): void {
    if (!this.#listed) this.#begin(now);
    else if (now >= this.#end) this.roll(now);
    this.#area += this.active * (now - this.#at);
    this.#at = now;
    this.active++;
    this.total++;
    this.#requests++;
  }

  depart(now: number): void {
    if (now >= this.#end) this.roll(now);
    this.#area += this.active * (now - this.#at);
    this.#at = now;
    this.active--;
  }

  /** Finishes the seconds that are over. False: nothing is going on any more, the sink may forget the meter. */
  roll(now: number): boolean {
    while (now >= this.#end) {
      this.#area += this.active * (this.#end - this.#at);
      this.#at = this.#end;
      if (this.#area > 0 || this.#requests > 0) {
        this.#sink.finished(this, { second: this.#second, averageConcurrency: this.#area / 1000, requests: this.#requests });
      } else if (this.active === 0) {
        this.#listed = false;
        return false;
      }
      this.#area = 0;
      this.#requests = 0;
      this.#second++;
      this.#end += 1000;
    }
    return true;
  }

  #begin(now: number): void {
    this.#listed = true;
    const wall = now + this.#sink.wallOffsetMs;
    this.#second = Math.floor(wall / 1000);
    this.#end = now + ((this.#second + 1) * 1000 - wall);
    this.#at = now;
    this.#area = 0;
    this.#requests = 0;
    this.#sink.activate(this);
  }
}
