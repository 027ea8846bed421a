import { statsPath, type StatsMessage, type StatsPoke, type StatsReply, type StatsReport } from '#apis/dormouse/stats.ts';
import type { Client } from '#client/client.ts';
import { keepStream, streamLines } from '#client/keep-stream.ts';
import type { Clock } from '#core/clock.ts';
import type { Logger } from '#core/logger.ts';
import { Outbox } from '#core/outbox.ts';
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

/** Seconds of reports kept for sending again: the autoscaler loses its windows when it restarts. */
const retainedReports = 600;
/** Messages a server that reads too slowly may be behind before the connection is started anew. */
const maxBehind = 5000;
const maxReplyBytes = 1000;

/**
 * Sends the counters to the autoscaler (by way of the API server) as NDJSON over one long request. Survives everything: reports are
 * retained, and sent again on every new connection and to every new autoscaler.
 */
export class StatsStream implements StatsSink {
  readonly #options: StatsStreamOptions;
  readonly #retained: StatsReport[] = [];
  /** Of the present connection. */
  #outbox: Outbox<StatsMessage> | undefined;

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
    if (this.#outbox?.push(message) === false) this.#outbox.end();
  }

  /** Keeps a connection until the signal aborts. */
  run(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#options;
    return keepStream({ what: 'counters', clock, logger }, signal, () => this.#connect(signal));
  }

  async #connect(signal: AbortSignal): Promise<void> {
    const end = new AbortController();
    const life = AbortSignal.any([signal, end.signal]);
    const outbox = new Outbox<StatsMessage>(maxBehind);
    life.addEventListener('abort', () => outbox.end(), { once: true });
    this.#outbox = outbox;
    this.#send({ type: 'hello', gateway: this.#options.gateway, version: 1 });
    this.#sendAll();
    try {
      const headers = { 'content-type': 'application/x-ndjson' };
      const request = { method: 'POST', path: statsPath, headers, body: encoded(outbox), signal: life };
      for await (const reply of streamLines(this.#options.client, request, maxReplyBytes)) {
        if ((reply as StatsReply).type === 'resend') this.#sendAll();
      }
    } finally {
      this.#outbox = undefined;
      end.abort();
    }
  }

  /** What an autoscaler that knows nothing has to know. */
  #sendAll(): void {
    for (const message of [...this.#retained, ...this.#options.waiting()]) this.#send(message);
  }
}

async function* encoded(outbox: Outbox<StatsMessage>): AsyncGenerator<Uint8Array> {
  for await (const batch of outbox.batches()) yield Buffer.from(batch.map((message) => `${JSON.stringify(message)}\n`).join(''));
}
