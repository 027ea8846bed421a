import type { Clock } from '#core/clock.ts';
import type { Logger } from '#core/logger.ts';
import type { ForwardedLines } from '#gateway/proxy/compose.ts';
import { Deadlines, type DeadlineList } from '#gateway/proxy/deadlines.ts';
import type { Visibility } from '#gateway/routes/route-config.ts';
import { RouteTable } from '#gateway/routes/route-table.ts';
import type { Pod } from '#gateway/slots/pod.ts';
import type { Transport, Wire } from '#gateway/transport/transport.ts';

/** The gateway's own bounds. Durations in milliseconds; those of a revision come with its backend. */
export interface ProxyLimits {
  /** Connections of clients, all listeners together. Beyond: 503 and close. */
  readonly maxConnections: number;
  /** Requests at a time on one HTTP/2 connection; a client that opens more is refused those. */
  readonly maxStreamsPerConnection: number;
  /** The same on all HTTP/2 connections together. */
  readonly maxStreams: number;
  /** Request or response head, request line included. */
  readonly maxHeadBytes: number;
  /** Request bytes kept for one connection while its request waits or an earlier one runs; then reading stops. */
  readonly maxHeldBytes: number;
  /** The same for all connections together; then 503. */
  readonly maxTotalHeldBytes: number;
  /** Unread request content that is thrown away after an early response before the connection is given up. */
  readonly maxDiscardedBytes: number;
  readonly idleMs: number;
  readonly headMs: number;
  readonly bodyMs: number;
  /** A client that takes no byte for so long is cut off. */
  readonly writeMs: number;
  readonly lingerMs: number;
  readonly connectMs: number;
  /** Refused connections are tried again for so long. */
  readonly connectTotalMs: number;
  /** Unused connections to containers are kept so long, or a little less than the container announces. */
  readonly upstreamIdleMs: number;
  /** Wait for a slot at most, besides the revision's own timeout. 0: only that. */
  readonly queueMs: number;
}

export const defaultLimits: ProxyLimits = {
  maxConnections: 50_000,
  maxStreamsPerConnection: 250,
  maxStreams: 20_000,
  maxHeadBytes: 32 * 1024,
  maxHeldBytes: 64 * 1024,
  maxTotalHeldBytes: 64 * 1024 * 1024,
  maxDiscardedBytes: 256 * 1024,
  idleMs: 120_000,
  headMs: 10_000,
  bodyMs: 60_000,
  writeMs: 60_000,
  lingerMs: 2000,
  connectMs: 2000,
  connectTotalMs: 10_000,
  upstreamIdleMs: 30_000,
  queueMs: 0,
};

/** One finished request, for the access log. */
export interface AccessRecord {
  readonly time: number;
  readonly remote: string;
  /** As Go spells it: HTTP/1.0, HTTP/1.1 or HTTP/2.0. */
  readonly proto: string;
  readonly method: string;
  readonly target: string;
  readonly host: string;
  readonly userAgent: string;
  readonly requestId: string;
  readonly traceId: string;
  /** The field lines of the request, as the client sent them. */
  readonly headLines: string;
  readonly status: number;
  readonly durationMs: number;
  readonly responseBytes: number;
  readonly namespace: string;
  readonly revision: string;
  /** Of the revision; '' where there is none. */
  readonly service: string;
  readonly configuration: string;
  readonly pod: string;
  /** '' when the request reached no pod, or one that is dialled in another way. */
  readonly podIp: string;
}

/** How the clients of one listener are treated. */
export interface Side {
  readonly visibility: Visibility;
  readonly scheme: 'http' | 'https';
  /** Forwarding fields of these clients are believed and extended. */
  readonly trusted: boolean;
  /** Where redirects to https lead. */
  readonly httpsPort: number;
  readonly lines: Map<string, ForwardedLines>;
}

/** A client's connection, as seen when the gateway ends. */
export interface ClientEnd {
  /** No request is on it. */
  readonly idle: boolean;
  /** The gateway ends. `now`: no further request is taken, else a moment is left for those under way. */
  retire(now: boolean): void;
  destroy(): void;
}

/** Calls back once, never before it returns; the result cancels. `reused`: the connection has carried requests before. */
export type ConnectToPod = (pod: Pod, callback: (wire: Wire | undefined, reused: boolean) => void) => () => void;

/** What HTTP/2 adds: both ends of it look like wires of HTTP/1.1. */
export interface EngineOfHttp2 {
  /** Makes an HTTP/2 connection of one whose first bytes, `unread`, say so; false: it cannot be one. */
  accept(side: Side, wire: Wire, unread: Buffer): boolean;
  connect(...call: Parameters<ConnectToPod>): () => void;
}

/** What all connections of one proxy share. */
export class ProxyContext {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: ProxyLimits;
  readonly deadlines: Deadlines;
  readonly idle: DeadlineList;
  readonly head: DeadlineList;
  readonly body: DeadlineList;
  readonly write: DeadlineList;
  readonly linger: DeadlineList;
  readonly clients = new Set<ClientEnd>();
  /** Open HTTP/2 streams of all clients. */
  streams = 0;
  readonly table = new RouteTable();
  draining = false;
  heldBytes = 0;
  /** Answers given without a container, by status. */
  readonly ownAnswers = new Map<number, number>();
  accessLog: ((record: AccessRecord) => void) | undefined;
  readonly http2: EngineOfHttp2;

  constructor(transport: Transport, clock: Clock, logger: Logger, limits: ProxyLimits, http2: EngineOfHttp2) {
    this.http2 = http2;
    this.transport = transport;
    this.clock = clock;
    this.logger = logger;
    this.limits = limits;
    this.deadlines = new Deadlines(clock);
    this.idle = this.deadlines.of(limits.idleMs);
    this.head = this.deadlines.of(limits.headMs);
    this.body = this.deadlines.of(limits.bodyMs);
    this.write = this.deadlines.of(limits.writeMs);
    this.linger = this.deadlines.of(limits.lingerMs);
  }

  /** A new connection to a container, in the protocol it speaks. */
  connect(...[pod, callback]: Parameters<ConnectToPod>): () => void {
    if (pod.http2) return this.http2.connect(pod, callback);
    return this.transport.connect(pod.target, (wire) => callback(wire, false));
  }
}
