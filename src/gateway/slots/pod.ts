import type { DialTarget } from '#gateway/transport/transport.ts';

/** A kept connection to a container, as the pod sees it. */
export interface PooledConnection {
  readonly idleSince: number;
  discard(): void;
}

/** Connections to a container that carry many requests at a time. */
export interface SharedConnections {
  discardIdle(): void;
}

/** One container that can take requests. `running` is its part of the slots: it never exceeds the limit. */
export class Pod {
  readonly key: string;
  readonly target: DialTarget;
  /** Speaks HTTP/2 without TLS, by prior knowledge. */
  readonly http2: boolean;
  frozen: boolean;
  /** Gone from the endpoints: finishes what it has, gets nothing new. */
  draining = false;
  /** Since when it is draining (monotonic). */
  drainingSince = 0;
  running = 0;
  /** Upgraded connections (WebSockets) among those running. */
  tunnels = 0;
  requests = 0;
  /** Refused the last connection; not tried again before this time (monotonic). */
  downUntil = 0;
  failures = 0;
  /** Kept connections, the most recently used last. */
  readonly idle: PooledConnection[] = [];
  /** The same for HTTP/2. */
  shared: SharedConnections | null = null;

  constructor(key: string, target: DialTarget, frozen: boolean, http2 = false) {
    this.key = key;
    this.target = target;
    this.frozen = frozen;
    this.http2 = http2;
  }

  discardIdle(): void {
    for (const connection of this.idle.splice(0)) connection.discard();
    this.shared?.discardIdle();
  }
}
