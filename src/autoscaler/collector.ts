import type { RevisionSecond, StatsPoke, StatsReport } from '#apis/dormouse/stats.ts';
import type { Clock } from '#core/clock.ts';
import { BucketWindow } from '#autoscaler/window.ts';
import type { ScalingSpec } from '#autoscaler/spec.ts';

interface Series {
  concurrencyStable: BucketWindow;
  concurrencyPanic: BucketWindow;
  rpsStable: BucketWindow;
  rpsPanic: BucketWindow;
  /** Requests in containers and waiting, per gateway, at the end of its last second. */
  readonly load: Map<string, { readonly running: number; readonly queued: number; readonly second: number }>;
  /** What each gateway said of the recent seconds: several add up, one that sends a second again replaces its own word. */
  readonly said: Map<number, Map<string, { readonly concurrency: number; readonly requests: number }>>;
}

/** A gateway's word on running and waiting requests counts this long. */
const loadValidSeconds = 5;

/** Turns what gateways report into the windows the arithmetic works on. */
export class Collector {
  readonly #clock: Clock;
  readonly #series = new Map<string, Series>();
  /** Open connections of each gateway: a new one may come before the old one is noticed gone. */
  readonly #gateways = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A gateway that is connected and says nothing of a revision says that it has no requests. */
  connected(gateway: string): void {
    this.#gateways.set(gateway, (this.#gateways.get(gateway) ?? 0) + 1);
  }

  disconnected(gateway: string): void {
    const left = (this.#gateways.get(gateway) ?? 1) - 1;
    if (left > 0) {
      this.#gateways.set(gateway, left);
      return;
    }
    this.#gateways.delete(gateway);
    for (const series of this.#series.values()) series.load.delete(gateway);
  }

  get hasGateway(): boolean {
    return this.#gateways.size > 0;
  }

  /** Starts keeping a revision's windows, or gives them another length. `key` is `namespace/revision`. */
  track(key: string, spec: ScalingSpec): void {
    const stable = Math.round(spec.stableWindowMs / 1000);
    const panic = Math.max(1, Math.round(spec.panicWindowMs / 1000));
    const known = this.#series.get(key);
    if (known !== undefined && known.concurrencyStable.seconds === stable && known.concurrencyPanic.seconds === panic) return;
    this.#series.set(key, {
      concurrencyStable: new BucketWindow(stable),
      concurrencyPanic: new BucketWindow(panic),
      rpsStable: new BucketWindow(stable),
      rpsPanic: new BucketWindow(panic),
      load: new Map(),
      said: new Map(),
    });
  }

  forget(key: string): void {
    this.#series.delete(key);
  }

  report(gateway: string, { second, revisions }: StatsReport): void {
    for (const one of revisions) this.#record(gateway, second, one);
  }

  poke(gateway: string, { namespace, revision, queued, running }: StatsPoke): void {
    const second = this.#second();
    this.#series.get(`${namespace}/${revision}`)?.load.set(gateway, { running, queued, second });
  }

  /** Requests that are in containers or waiting, by the gateways' last word. */
  load(key: string): number {
    const series = this.#series.get(key);
    if (series === undefined) return 0;
    const oldest = this.#second() - loadValidSeconds;
    let sum = 0;
    for (const { running, queued, second } of series.load.values()) if (second >= oldest) sum += running + queued;
    return sum;
  }

  /**
   * Averages over the stable and the panic window; undefined while nothing is known. `partial` counts the present load as the
   * running second's value, for a tick between the seconds.
   */
  averages(key: string, spec: ScalingSpec, partial: boolean): { readonly stable: number; readonly panic: number } | undefined {
    const series = this.#series.get(key);
    if (series === undefined) return undefined;
    const second = this.#second();
    // The gateways report a second when it is over: the newest complete one is the last.
    const last = partial ? second : second - 1;
    if (this.hasGateway) for (const window of windowsOf(series)) window.add(last, 0);
    if (partial) {
      const load = this.load(key);
      series.concurrencyStable.set(second, load);
      series.concurrencyPanic.set(second, load);
    }
    const [stable, panic] =
      spec.metric === 'rps' ? [series.rpsStable, series.rpsPanic] : [series.concurrencyStable, series.concurrencyPanic];
    if (stable.isEmpty(last)) return undefined;
    return spec.weighted
      ? { stable: stable.weightedAverage(last), panic: panic.weightedAverage(last) }
      : { stable: stable.average(last), panic: panic.average(last) };
  }

  #record(gateway: string, second: number, { namespace, revision, averageConcurrency, requests, queued, running }: RevisionSecond): void {
    const series = this.#series.get(`${namespace}/${revision}`);
    if (series === undefined) return;
    series.load.set(gateway, { running, queued, second });
    const words = series.said.get(second) ?? new Map<string, { concurrency: number; requests: number }>();
    words.set(gateway, { concurrency: averageConcurrency, requests });
    series.said.set(second, words);
    for (const old of series.said.keys()) {
      if (old > second - series.concurrencyStable.seconds) break;
      series.said.delete(old);
    }
    const total = (field: 'concurrency' | 'requests') => [...words.values()].reduce((sum, word) => sum + word[field], 0);
    for (const window of [series.concurrencyStable, series.concurrencyPanic]) window.set(second, total('concurrency'));
    for (const window of [series.rpsStable, series.rpsPanic]) window.set(second, total('requests'));
  }

  #second(): number {
    return Math.floor(this.#clock.now() / 1000);
  }
}

function windowsOf(series: Series): BucketWindow[] {
  return [series.concurrencyStable, series.concurrencyPanic, series.rpsStable, series.rpsPanic];
}
