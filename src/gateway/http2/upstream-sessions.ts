import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { UpstreamStreamWire, type StreamSource } from '#gateway/http2/upstream-stream.ts';
import type { ProxyContext } from '#gateway/proxy/context.ts';
import { Deadline, type Expirable } from '#gateway/proxy/deadlines.ts';
import type { Pod, SharedConnections } from '#gateway/slots/pod.ts';
import type { Wire } from '#gateway/transport/transport.ts';

/** Requests on one connection at a time; a container may allow fewer. */
const maxStreams = 100;
/** Room for the windows of all streams, so that a slow client holds up nobody else on the connection. */
const windowBytes = maxStreams * 64 * 1024;

type Wanted = (session: ClientHttp2Session | undefined) => void;

/** One connection to a container. */
class SharedSession implements Expirable {
  readonly session: ClientHttp2Session;
  streams = 0;
  readonly #pod: PodSessions;
  readonly #context: ProxyContext;
  readonly #deadline = new Deadline(this);

  constructor(pod: PodSessions, context: ProxyContext, session: ClientHttp2Session) {
    this.#pod = pod;
    this.#context = context;
    this.session = session;
  }

  get usable(): boolean {
    const { session } = this;
    return !session.closed && !session.destroyed && this.streams < Math.min(maxStreams, session.remoteSettings.maxConcurrentStreams ?? 100);
  }

  take(): ClientHttp2Session {
    this.streams++;
    this.#deadline.cancel();
    return this.session;
  }

  give(): void {
    this.streams--;
    if (this.streams > 0 || this.session.destroyed) return;
    if (this.#pod.ending) this.session.close();
    else this.#context.deadlines.of(this.#context.limits.upstreamIdleMs).set(this.#deadline, this.#context.clock.monotonic());
  }

  over(): void {
    this.#deadline.cancel();
  }

  expired(): void {
    this.session.close();
  }
}

/**
 * The HTTP/2 connections (prior knowledge, no TLS) to one container. Requests share them; another is opened only when all are full. One
 * that the container says goodbye on takes no further requests.
 */
export class PodSessions implements SharedConnections, StreamSource {
  ending = false;
  readonly #context: ProxyContext;
  readonly #pod: Pod;
  readonly #sessions = new Map<ClientHttp2Session, SharedSession>();
  #opening: { readonly session: ClientHttp2Session; readonly waiting: Set<Wanted> } | null = null;

  constructor(context: ProxyContext, pod: Pod) {
    this.#context = context;
    this.#pod = pod;
  }

  /** A wire for one request; `reused`: others were on its connection before. Undefined: the container cannot be reached. */
  connect(callback: (wire: Wire | undefined, reused: boolean) => void): () => void {
    const reused = this.#sessions.size > 0;
    return this.session((session) => {
      callback(session === undefined ? undefined : new UpstreamStreamWire(this, session, this.#context.logger), reused);
    });
  }

  session(callback: Wanted): () => void {
    const shared = [...this.#sessions.values()].find(({ usable }) => usable);
    if (shared === undefined) return this.#wait(callback);
    const session = shared.take();
    let over = false;
    queueMicrotask(() => {
      if (over) this.done(session);
      else callback(session);
    });
    return () => (over = true);
  }

  #wait(callback: Wanted): () => void {
    if (this.#opening === null || this.#opening.waiting.size >= maxStreams) this.#opening = this.#open();
    const { waiting, session } = this.#opening;
    waiting.add(callback);
    return () => {
      if (!waiting.delete(callback) || waiting.size > 0 || !session.connecting) return;
      if (this.#opening?.session === session) this.#opening = null;
      session.destroy();
    };
  }

  #open(): { readonly session: ClientHttp2Session; readonly waiting: Set<Wanted> } {
    const waiting = new Set<Wanted>();
    const session = connectHttp2('http://container', {
      createConnection: () => connectSocket({ ...this.#pod.target, noDelay: true }),
      settings: { enablePush: false, maxHeaderListSize: this.#context.limits.maxHeadBytes },
      maxSessionMemory: 50,
      strictSingleValueFields: false,
    } as Parameters<typeof connectHttp2>[1]);
    const settle = (shared: SharedSession | undefined) => {
      if (this.#opening?.session === session) this.#opening = null;
      const wanted = [...waiting];
      waiting.clear();
      // All are counted before the first may find the session full or done with.
      const taken = wanted.map(() => shared?.take());
      for (const [index, callback] of wanted.entries()) callback(taken[index]);
    };
    session.once('connect', () => {
      // The event comes for a session that was given up, too.
      if (session.destroyed) return;
      session.setLocalWindowSize(windowBytes);
      const shared = new SharedSession(this, this.#context, session);
      this.#sessions.set(session, shared);
      settle(shared);
    });
    // Whatever went wrong, the streams are told one by one.
    session.on('error', () => {});
    session.once('close', () => {
      this.#sessions.get(session)?.over();
      this.#sessions.delete(session);
      settle(undefined);
    });
    return { session, waiting };
  }

  done(session: ClientHttp2Session): void {
    this.#sessions.get(session)?.give();
  }

  discardIdle(): void {
    this.ending = this.#pod.draining;
    for (const { session, streams } of this.#sessions.values()) if (streams === 0) session.close();
  }
}
