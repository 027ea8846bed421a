/**
 * The stream between gateway and autoscaler: newline-delimited JSON over one long request
 * (`POST /apis/dormouse.dev/v1/stats`, client certificate of the gateway; the answer streams `StatsReply` lines back).
 * Lives below both sides.
 */
export type StatsMessage = StatsHello | StatsReport | StatsPoke;

/** First message: who is speaking. */
export interface StatsHello {
  readonly type: 'hello';
  readonly gateway: string;
  readonly version: 1;
}

/** One second of counters, for revisions with traffic or waiting requests in it; on reconnect the retained window is sent again. */
export interface StatsReport {
  readonly type: 'report';
  /** Start of the bucket, whole seconds since the epoch. */
  readonly second: number;
  readonly revisions: readonly RevisionSecond[];
}

export interface RevisionSecond {
  readonly namespace: string;
  readonly revision: string;
  /** Time integral of requests inside containers and waiting, divided by one second. */
  readonly averageConcurrency: number;
  /** Requests that arrived in this second. */
  readonly requests: number;
  /** Waiting for a slot at the end of the second. */
  readonly queued: number;
  /** In a container at the end of the second (WebSockets and streams included). */
  readonly running: number;
}

/** Requests wait and nothing can take them: tick now (the arithmetic may only raise). */
export interface StatsPoke {
  readonly type: 'poke';
  readonly namespace: string;
  readonly revision: string;
  readonly queued: number;
  readonly running: number;
}

export type StatsReply = { readonly type: 'ack'; readonly second: number };
