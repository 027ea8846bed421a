import type { RevisionSecond, StatsPoke, StatsReport } from '#apis/dormouse/stats.ts';
import type { Clock } from '#core/clock.ts';
import type { Meter, Metered, MeterSink, SecondOfMeter } from '#gateway/stats/meter.ts';

/** Where the counters go. Implementations must not throw. */
export interface StatsSink {
  report(report: StatsReport): void;
  poke(poke: StatsPoke): void;
}

export const noStats: StatsSink = { report: () => {}, poke: () => {} };

/** While requests keep queueing up, the autoscaler is poked again at most this often. */
const pokeEveryMs = 100;

/** What is said of a backend whose requests wait. */
export function pokeOf({ config: { namespace, name }, queued, running, thawing }: Metered): StatsPoke {
  return { type: 'poke', namespace, revision: name, queued, running, ...(thawing.length === 0 ? {} : { frozen: thawing }) };
}

/**
 * Gathers the seconds of all meters into one report a second. Works only while there is traffic: an idle gateway has no timer.
 */
export class StatsCollector implements MeterSink {
  wallOffsetMs: number;
  readonly #clock: Clock;
  readonly #sink: StatsSink;
  readonly #active = new Set<Meter>();
  readonly #seconds = new Map<number, RevisionSecond[]>();
  readonly #poked = new WeakMap<Metered, { at: number; scheduled: boolean }>();
  #ticking = false;

  constructor(clock: Clock, sink: StatsSink) {
    this.#clock = clock;
    this.#sink = sink;
    this.wallOffsetMs = clock.now() - clock.monotonic();
  }

  activate(meter: Meter): void {
    this.#active.add(meter);
    this.#schedule();
  }

  finished(meter: Meter, { second, averageConcurrency, requests }: SecondOfMeter): void {
    const backend = meter.of;
    if (!backend.config.isRevision) return;
    const { namespace, name } = backend.config;
    const entry = { namespace, revision: name, averageConcurrency, requests, queued: backend.queued, running: backend.running };
    const entries = this.#seconds.get(second);
    if (entries === undefined) this.#seconds.set(second, [entry]);
    else entries.push(entry);
  }

  /** Requests wait and nothing can take them: says so at once, then again every 100 ms for as long as it is true and called. */
  waiting(backend: Metered): void {
    if (!backend.config.isRevision) return;
    const now = this.#clock.monotonic();
    const last = this.#poked.get(backend);
    if (last !== undefined && now - last.at < pokeEveryMs) {
      if (!last.scheduled) this.#pokeLater(backend, last, pokeEveryMs - (now - last.at));
      return;
    }
    this.#poked.set(backend, { at: now, scheduled: false });
    this.#poke(backend);
  }

  #pokeLater(backend: Metered, last: { at: number; scheduled: boolean }, delayMs: number): void {
    last.scheduled = true;
    this.#clock.after(delayMs, () => {
      last.scheduled = false;
      last.at = this.#clock.monotonic();
      if (backend.queued > 0 || backend.thawing.length > 0) this.#poke(backend);
    });
  }

  #poke(backend: Metered): void {
    this.#sink.poke(pokeOf(backend));
  }

  #schedule(): void {
    if (this.#ticking) return;
    this.#ticking = true;
    const wall = this.#clock.monotonic() + this.wallOffsetMs;
    this.#clock.after(1000 - (wall % 1000) + 5, () => this.#tick());
  }

  #tick(): void {
    this.#ticking = false;
    const now = this.#clock.monotonic();
    for (const meter of this.#active) if (!meter.roll(now)) this.#active.delete(meter);
    const seconds = [...this.#seconds].sort(([a], [b]) => a - b);
    this.#seconds.clear();
    for (const [second, revisions] of seconds) this.#sink.report({ type: 'report', second, revisions });
    // The wall clock may have been set; never in the middle of a second that is being counted.
    this.wallOffsetMs = this.#clock.now() - now;
    if (this.#active.size > 0) this.#schedule();
  }
}
