import { maxStatsLineBytes, statsPath, type StatsFrame } from '#apis/dormouse/stats.ts';
import type { Client } from '#client/client.ts';
import { answerFailed } from '#client/errors.ts';
import { readJsonLines } from '#client/json-lines.ts';
import { backoffMs } from '#core/async.ts';
import { sleep, type Clock } from '#core/clock.ts';
import type { Logger } from '#core/logger.ts';
import type { Collector } from '#autoscaler/collector.ts';
import type { Scalers } from '#autoscaler/scaler.ts';

/** A connection that held this long was a good one: the next attempt comes at once. */
const steadyMs = 10_000;

/** Reads the gateways' counters from the API, over and over until told to stop. */
export class StatsReader {
  readonly #collector: Collector;
  readonly #scalers: Scalers;
  readonly #clock: Clock;
  /** The gateways heard on the present stream, by connection. */
  readonly #gateways = new Map<number, string>();

  constructor(collector: Collector, scalers: Scalers, clock: Clock) {
    this.#collector = collector;
    this.#scalers = scalers;
    this.#clock = clock;
  }

  /** Keeps a stream until the signal aborts. Never rejects. */
  async run(client: Client, logger: Logger, signal: AbortSignal): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      const startedMs = this.#clock.monotonic();
      try {
        await this.#read(client, signal);
      } catch (error) {
        if (!signal.aborted) logger.debug('counters cannot be read', { error });
      }
      failures = this.#clock.monotonic() - startedMs > steadyMs ? 0 : failures + 1;
      await sleep(this.#clock, backoffMs(failures, 50, 2000), signal).catch(() => {});
    }
  }

  async #read(client: Client, signal: AbortSignal): Promise<void> {
    const response = await client.stream({ method: 'GET', path: statsPath, query: { watch: 'true' }, signal });
    if (response.status !== 200) throw answerFailed(`GET ${statsPath}`, response.status, undefined);
    try {
      for await (const frame of readJsonLines(response.chunks, maxStatsLineBytes)) this.#take(frame as StatsFrame);
    } finally {
      for (const gateway of this.#gateways.values()) this.#collector.disconnected(gateway);
      this.#gateways.clear();
    }
  }

  #take(frame: StatsFrame): void {
    if (frame.type === 'open') {
      this.#gateways.set(frame.connection, frame.gateway);
      this.#collector.connected(frame.gateway);
      return;
    }
    const gateway = this.#gateways.get(frame.connection);
    if (gateway === undefined) return;
    if (frame.type === 'closed') {
      this.#gateways.delete(frame.connection);
      this.#collector.disconnected(gateway);
      return;
    }
    const { message } = frame;
    if (message.type === 'report') return this.#collector.report(gateway, message);
    this.#collector.poke(gateway, message);
    this.#scalers.earlyTick(`${message.namespace}/${message.revision}`);
  }
}
