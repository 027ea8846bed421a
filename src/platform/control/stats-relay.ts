import { maxStatsLineBytes, statsPath, type StatsFrame, type StatsMessage, type StatsReply } from '#apis/dormouse/stats.ts';
import { badRequest } from '#apis/meta/status.ts';
import type { ApiServer } from '#apiserver/request.ts';
import { readJsonLines } from '#client/json-lines.ts';
import { Outbox } from '#core/outbox.ts';

/** Frames an autoscaler may be behind before its stream is ended; it comes back, and everything is sent again. */
const maxBehind = 10_000;
/** More than this many replies are never due at a time. */
const maxReplies = 16;

interface Gateway {
  readonly name: string;
  readonly replies: Outbox<StatsReply>;
}

/**
 * Passes the gateways' counters on to the autoscalers that read them. Keeps nothing: gateways retain their last minutes, and are
 * asked for them when an autoscaler comes.
 */
export class StatsRelay {
  readonly #gateways = new Map<number, Gateway>();
  readonly #readers = new Set<Outbox<StatsFrame>>();
  /** Those who want the pokes alone. */
  readonly #poked = new Set<Outbox<StatsFrame>>();
  #connections = 0;

  /** One gateway's stream of StatsMessages, until it ends; yields the replies. */
  async *receive(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    const replies = new Outbox<StatsReply>(maxReplies);
    const heard = this.#hear(chunks, replies).finally(() => replies.end());
    heard.catch(() => {});
    for await (const batch of replies.batches()) yield lines(batch);
    await heard;
  }

  /** What an autoscaler reads: the gateways there are, then everything they say. */
  async *read(signal: AbortSignal): AsyncIterable<Uint8Array> {
    const frames = new Outbox<StatsFrame>(maxBehind);
    for (const [connection, { name }] of this.#gateways) frames.push({ type: 'open', connection, gateway: name });
    for (const { replies } of this.#gateways.values()) replies.push({ type: 'resend' });
    yield* deliver(frames, this.#readers, signal);
  }

  /** The pokes alone, as frames, from now on. */
  readPokes(signal: AbortSignal): AsyncIterable<Uint8Array> {
    return deliver(new Outbox<StatsFrame>(maxBehind), this.#poked, signal);
  }

  async #hear(chunks: AsyncIterable<Uint8Array>, replies: Outbox<StatsReply>): Promise<void> {
    const connection = (this.#connections += 1);
    try {
      for await (const line of readJsonLines(chunks, maxStatsLineBytes)) {
        const message = line as StatsMessage;
        if (message.type === 'hello') {
          this.#gateways.set(connection, { name: message.gateway, replies });
          this.#tell({ type: 'open', connection, gateway: message.gateway });
        } else if (this.#gateways.has(connection)) this.#tell({ type: 'said', connection, message });
        else throw badRequest('a gateway says hello first');
      }
    } finally {
      if (this.#gateways.delete(connection)) this.#tell({ type: 'closed', connection });
    }
  }

  #tell(frame: StatsFrame): void {
    // Nodes first: a request is waiting for them, while the autoscaler only follows.
    if (frame.type === 'said' && frame.message.type === 'poke') push(frame, this.#poked);
    push(frame, this.#readers);
  }
}

function push(frame: StatsFrame, readers: Set<Outbox<StatsFrame>>): void {
  for (const reader of readers) {
    if (reader.push(frame)) continue;
    readers.delete(reader);
    reader.end();
  }
}

/** What is put into the box, while it is one of `readers`. */
async function* deliver(frames: Outbox<StatsFrame>, readers: Set<Outbox<StatsFrame>>, signal: AbortSignal): AsyncIterable<Uint8Array> {
  readers.add(frames);
  const end = () => frames.end();
  signal.addEventListener('abort', end, { once: true });
  try {
    for await (const batch of frames.batches()) {
      if (signal.aborted) return;
      yield lines(batch);
    }
  } finally {
    signal.removeEventListener('abort', end);
    readers.delete(frames);
  }
}

function lines(batch: readonly object[]): Uint8Array {
  return Buffer.from(batch.map((one) => `${JSON.stringify(one)}\n`).join(''));
}

/** Serves both ends of the relay as the resource `stats` of our own group. */
export function addStatsRelay(server: ApiServer): void {
  const relay = new StatsRelay();
  server.addRoute({
    path: statsPath,
    methods: ['GET', 'POST'],
    asResource: true,
    handle({ method, query, body, signal }) {
      const stream = (chunks: AsyncIterable<Uint8Array>) =>
        Promise.resolve({ status: 200, headers: {}, body: { kind: 'stream', chunks, contentType: 'application/x-ndjson' } } as const);
      if (method === 'GET') {
        if (!query.has('watch')) return Promise.reject(badRequest('the counters are a stream: ask with ?watch=true'));
        return stream(query.has('pokes') ? relay.readPokes(signal) : relay.read(signal));
      }
      if (body === undefined) return Promise.reject(badRequest('the counters are sent as the body, one JSON object a line'));
      return stream(relay.receive(body.stream()));
    },
  });
}
