/**
 * The gateways' counters on their way to the autoscaler, by way of the API server, which relays them:
 *
 *     gateway ─POST /apis/dormouse.dev/v1/stats→ API server ─GET /apis/dormouse.dev/v1/stats?watch=true→ autoscaler
 *
 * Nodes read the pokes alone (`&pokes=true`), for their frozen pods: they need not wait until the autoscaler has written its decision.
 *
 * All are long requests of newline-delimited JSON, authorized as the verbs `create` and `watch` of the resource `stats`. A gateway
 * sends StatsMessages and hears StatsReplies; autoscalers and nodes read StatsFrames. Lives below them all.
 */
export type StatsMessage = StatsHello | StatsReport | StatsPoke;

/** First message: who is speaking. */
export interface StatsHello {
  readonly type: 'hello';
  readonly gateway: string;
  readonly version: 1;
}

/** One second of counters, for revisions with traffic or waiting requests in it. */
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

/** Requests wait and nothing can take them, or only what is frozen: tick now (the arithmetic may only raise). */
export interface StatsPoke {
  readonly type: 'poke';
  readonly namespace: string;
  readonly revision: string;
  readonly queued: number;
  readonly running: number;
  /** Pods (`namespace/name`) that have been given requests although they are frozen. Their nodes thaw them at once. */
  readonly frozen?: readonly string[];
}

/** An autoscaler has come that knows nothing yet: what the gateway has retained and what waits now is sent again. */
export interface StatsReply {
  readonly type: 'resend';
}

/** What is read. Gateways come and go in its stream, and are told apart by their connection. */
export type StatsFrame =
  | { readonly type: 'open'; readonly connection: number; readonly gateway: string }
  | { readonly type: 'said'; readonly connection: number; readonly message: StatsReport | StatsPoke }
  | { readonly type: 'closed'; readonly connection: number };

export const statsPath = '/apis/dormouse.dev/v1/stats';
/** A second of a gateway with very many busy revisions fits; nothing honest is longer. */
export const maxStatsLineBytes = 4 * 2 ** 20;
