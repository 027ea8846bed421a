import { constants, performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { ClientStreamWire } from '#gateway/http2/client-stream.ts';
import type { FlatFields } from '#gateway/http2/to-bytes.ts';
import { ClientConnection } from '#gateway/proxy/client-connection.ts';
import type { ClientEnd, ProxyContext, Side } from '#gateway/proxy/context.ts';
import { Deadline, type DeadlineList, type Expirable } from '#gateway/proxy/deadlines.ts';

/** Request content that may be under way on one connection: what waits in one stream must not hold up the others at once. */
const windowBytes = 1024 * 1024;
/** In a GOAWAY that only announces the end: streams opened meanwhile still count (RFC 9113 §6.8). */
const anyStream = 2 ** 31 - 1;

/**
 * One client's HTTP/2 connection. Its streams are connections of their own for everything above; here are only the limits that belong
 * to the connection: streams at a time, size of heads, floods of resets, settings, pings and broken frames, idleness.
 */
export class Http2Client implements ClientEnd, Expirable {
  readonly #context: ProxyContext;
  readonly #side: Side;
  readonly #session: ServerHttp2Session;
  readonly #remoteAddress: string;
  readonly #deadline = new Deadline(this);
  readonly #streams = new Set<ClientEnd>();
  /** The client knows that the connection will end. */
  #announced = false;
  /** An answer of the client is waited for, because nothing else tells whether it is still there. */
  #pinging = false;

  /** Takes over a socket whose unread bytes begin with the connection preface. */
  constructor(context: ProxyContext, side: Side, socket: Socket) {
    this.#context = context;
    this.#side = side;
    this.#remoteAddress = (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
    const { limits } = context;
    // HTTP/1.1 clients may end their side and still get an answer; here it means that the client is gone.
    socket.allowHalfOpen = false;
    this.#session = performServerHandshake(socket, {
      settings: { maxConcurrentStreams: limits.maxStreamsPerConnection, maxHeaderListSize: limits.maxHeadBytes, enablePush: false },
      maxSessionInvalidFrames: 100,
      maxSessionRejectedStreams: 2 * limits.maxStreamsPerConnection,
      maxOutstandingPings: 10,
      strictSingleValueFields: false,
      ...resetLimits,
    } as Parameters<typeof performServerHandshake>[1]);
    context.clients.add(this);
    this.#wait(context.head);
    this.#session
      .once('connect', () => this.#session.destroyed || this.#session.setLocalWindowSize(windowBytes))
      .once('remoteSettings', () => this.#wait(context.idle))
      .on('stream', (stream, _fields, _flags, flat: unknown) => this.#request(stream, flat as FlatFields))
      // Broken frames and broken connections are the client's affair; 'close' follows.
      .on('error', () => {})
      .once('close', () => {
        this.#deadline.cancel();
        context.clients.delete(this);
      });
  }

  #wait(list: DeadlineList): void {
    list.set(this.#deadline, this.#context.clock.monotonic());
  }

  /** A stream is over. */
  #rest(): void {
    if (this.#streams.size === 0 && !this.#session.destroyed && !this.#pinging) this.#wait(this.#context.idle);
  }

  #request(stream: ServerHttp2Stream, fields: FlatFields): void {
    const context = this.#context;
    if (context.streams >= context.limits.maxStreams) {
      stream.on('error', () => {});
      return stream.close(constants.NGHTTP2_REFUSED_STREAM);
    }
    context.streams++;
    const wire = new ClientStreamWire(stream, this.#remoteAddress, context.logger);
    stream.once('close', () => {
      context.streams--;
      this.#rest();
    });
    void new ClientConnection(context, this.#side, wire, { registry: this.#streams, version: 2 });
    if (wire.start(fields)) return;
    stream.close(constants.NGHTTP2_PROTOCOL_ERROR);
  }

  get idle(): boolean {
    return this.#streams.size === 0;
  }

  retire(now: boolean): void {
    if (this.#session.closed || this.#session.destroyed) return;
    if (now) this.#session.close();
    else if (!this.#announced) this.#session.goaway(constants.NGHTTP2_NO_ERROR, anyStream);
    this.#announced = true;
  }

  destroy(): void {
    this.#session.destroy();
  }

  /** Idle for long, or streams have been open for long: a client that is still there answers. */
  expired(): void {
    if (this.#session.destroyed) return;
    if (this.#pinging) return this.destroy();
    if (this.#streams.size > 0) return this.#ping();
    this.#session.close();
    // A peer that does not take the goodbye.
    this.#context.clock.after(this.#context.limits.lingerMs, () => this.#session.destroy());
  }

  #ping(): void {
    this.#pinging = true;
    this.#wait(this.#context.head);
    this.#session.ping(() => {
      this.#pinging = false;
      if (!this.#session.destroyed) this.#wait(this.#context.idle);
    });
  }
}

/** Streams that clients open and reset at once: so many in a burst, then so many a second; beyond, the connection ends. */
const resetLimits = { streamResetBurst: 1000, streamResetRate: 100 };
