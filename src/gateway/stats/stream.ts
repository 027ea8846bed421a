import type { StatsMessage, StatsPoke, StatsReport } from '#apis/dormouse/stats.ts';
import type { Client } from '#client/client.ts';
import { backoffMs, deferred, type Deferred } from '#core/async.ts';
import { sleep, type Clock } from '#core/clock.ts';
import type { Logger } from '#core/logger.ts';
import type { StatsSink } from '#gateway/stats/collector.ts';

export interface StatsStreamOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Name of this gateway, unique among the gateways of a cluster. */
  readonly gateway: string;
  /** What waits at this moment: sent first on every connection, since a poke may have been lost with the last one. */
  waiting(): readonly StatsPoke[];
}

const path = '/apis/dormouse.dev/v1/stats';
/** Seconds of reports kept for sending again: the autoscaler loses its windows when it restarts. */
const retainedReports = 600;
/** Messages an autoscaler that reads too slowly may be behind before the connection is started anew. */
const maxBehind = 5000;

/**
 * Sends the counters to the autoscaler as NDJSON over one long request. Survives everything: while there is no connection reports
 * are retained, and every new connection starts with the retained ones.
 */
export class StatsStream implements StatsSink {
  readonly #options: StatsStreamOptions;
  readonly #retained: StatsReport[] = [];
  #queue: StatsMessage[] = [];
  #connected = false;
  #wake: Deferred<void> | undefined;

  constructor(options: StatsStreamOptions) {
    this.#options = options;
  }

  report(report: StatsReport): void {
    this.#retained.push(report);
    if (this.#retained.length > retainedReports) this.#retained.shift();
    this.#send(report);
  }

  poke(poke: StatsPoke): void {
    this.#send(poke);
  }

  #send(message: StatsMessage): void {
    if (!this.#connected) return;
    this.#queue.push(message);
    this.#wake?.resolve();
  }

  /** Keeps a connection until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#options;
    let failures = 0;
    while (!signal.aborted) {
      const started = clock.monotonic();
      try {
        await this.#connect(signal);
        logger.debug('stats stream ended by the server');
      } catch (error) {
        if (signal.aborted) return;
        logger.debug('stats stream failed', { error });
      }
      failures = clock.monotonic() - started > 10_000 ? 0 : failures + 1;
      await sleep(clock, backoffMs(failures, 50, 2000), signal).catch(() => {});
    }
  }

  async #connect(signal: AbortSignal): Promise<void> {
    const end = new AbortController();
    const life = AbortSignal.any([signal, end.signal]);
    try {
      const response = await this.#options.client.stream({
        method: 'POST',
        path,
        headers: { 'content-type': 'application/x-ndjson' },
        body: this.#messages(life),
        signal: life,
      });
      if (response.status !== 200) throw new Error(`the stats endpoint answered ${response.status}`);
      // Acknowledgements need no action: what matters is to notice the end.
      for await (const _chunk of response.chunks) if (life.aborted) break;
    } finally {
      this.#connected = false;
      end.abort();
    }
  }

  async *#messages(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const aborted = deferred<void>();
    signal.addEventListener('abort', () => aborted.resolve(), { once: true });
    this.#queue = [{ type: 'hello', gateway: this.#options.gateway, version: 1 }, ...this.#retained, ...this.#options.waiting()];
    this.#connected = true;
    while (!signal.aborted) {
      if (this.#queue.length > maxBehind) throw new Error('the autoscaler does not keep up');
      const batch = this.#queue;
      this.#queue = [];
      if (batch.length > 0) yield Buffer.from(batch.map((message) => `${JSON.stringify(message)}\n`).join(''));
      if (this.#queue.length > 0) continue;
      this.#wake = deferred<void>();
      await Promise.race([this.#wake.promise, aborted.promise]);
    }
  }
}
