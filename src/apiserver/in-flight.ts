import { apiError } from '#apiserver/errors.ts';

export interface InFlightLimits {
  /** Requests that only read, at one time. */
  readonly reads: number;
  /** Requests that write, at one time. */
  readonly writes: number;
}

export const defaultInFlightLimits: InFlightLimits = { reads: 400, writes: 200 };

/** Counts requests being worked on and turns away what is above the limit (429). Watches and streams are not counted. */
export class InFlight {
  readonly #limits: InFlightLimits;
  #reads = 0;
  #writes = 0;

  constructor(limits: InFlightLimits) {
    this.#limits = limits;
  }

  /** Returns the release; throws StatusError TooManyRequests when full, unless the caller is `exempt`. */
  enter(method: string, exempt: boolean): () => void {
    const reading = method === 'GET' || method === 'HEAD';
    const full = reading ? this.#reads >= this.#limits.reads : this.#writes >= this.#limits.writes;
    if (full && !exempt) throw apiError('tooManyRequests');
    this.#count(reading, 1);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#count(reading, -1);
    };
  }

  #count(reading: boolean, by: number): void {
    if (reading) this.#reads += by;
    else this.#writes += by;
  }
}
