import { maxStatsLineBytes, statsPath, type StatsFrame } from '#apis/dormouse/stats.ts';
import type { Client } from '#client/client.ts';
import { keepStream, streamLines } from '#client/keep-stream.ts';
import type { Clock } from '#core/clock.ts';
import type { Logger } from '#core/logger.ts';
import type { Collector } from '#autoscaler/collector.ts';
import type { Scalers } from '#autoscaler/scaler.ts';

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
  run(client: Client, logger: Logger, signal: AbortSignal): Promise<void> {
    return keepStream({ what: 'counters', clock: this.#clock, logger }, signal, () => this.#read(client, signal));
  }

  async #read(client: Client, signal: AbortSignal): Promise<void> {
    try {
      const request = { method: 'GET', path: statsPath, query: { watch: 'true' }, signal };
      for await (const frame of streamLines(client, request, maxStatsLineBytes)) this.#take(frame as StatsFrame);
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
    if (message.type === 'report') {
      for (const { namespace, revision } of message.revisions) this.#scalers.wake(`${namespace}/${revision}`);
      return this.#collector.report(gateway, message);
    }
    this.#scalers.wake(`${message.namespace}/${message.revision}`);
    this.#collector.poke(gateway, message);
    this.#scalers.earlyTick(`${message.namespace}/${message.revision}`);
  }
}
