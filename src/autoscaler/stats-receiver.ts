import type { StatsMessage, StatsReply } from '#apis/dormouse/stats.ts';
import type { Collector } from '#autoscaler/collector.ts';
import type { Scalers } from '#autoscaler/scaler.ts';

const maxLineBytes = 4 * 2 ** 20;

/** Reads gateways' streams of counters. One call a gateway connection. */
export class StatsReceiver {
  readonly #collector: Collector;
  readonly #scalers: Scalers;

  constructor(collector: Collector, scalers: Scalers) {
    this.#collector = collector;
    this.#scalers = scalers;
  }

  /** Takes newline-delimited StatsMessages until the stream ends; yields the replies as lines. Ends on a malformed line. */
  async *receive(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    let gateway: string | undefined;
    try {
      for await (const line of lines(chunks)) {
        const message = JSON.parse(line) as StatsMessage;
        if (message.type === 'hello') {
          gateway = message.gateway;
          this.#collector.connected(gateway);
          continue;
        }
        if (gateway === undefined) throw new Error('a gateway says hello first');
        if (message.type === 'poke') {
          this.#collector.poke(gateway, message);
          this.#scalers.earlyTick(`${message.namespace}/${message.revision}`);
        } else {
          this.#collector.report(gateway, message);
          const reply: StatsReply = { type: 'ack', second: message.second };
          yield Buffer.from(`${JSON.stringify(reply)}\n`);
        }
      }
    } finally {
      if (gateway !== undefined) this.#collector.disconnected(gateway);
    }
  }
}

async function* lines(chunks: AsyncIterable<Uint8Array>): AsyncIterable<string> {
  let rest = '';
  const decoder = new TextDecoder();
  for await (const chunk of chunks) {
    rest += decoder.decode(chunk, { stream: true });
    if (rest.length > maxLineBytes) throw new Error('a line of counters is too long');
    const parts = rest.split('\n');
    rest = parts.pop() ?? '';
    for (const part of parts) if (part !== '') yield part;
  }
}
