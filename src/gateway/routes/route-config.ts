import type { DialTarget } from '#gateway/transport/transport.ts';

/**
 * Everything the data plane needs to know, as plain JSON: what the watch side produces, what is kept on disk for a start without
 * API server, and what tests and benchmarks configure a proxy with.
 */
export interface RouteConfig {
  readonly rules: readonly RuleConfig[];
  readonly backends: readonly BackendConfig[];
  readonly certificates: readonly CertificateConfig[];
}

export type Visibility = 'external' | 'local';

export interface RuleConfig {
  /** Lower case, without port. */
  readonly hosts: readonly string[];
  readonly visibility: Visibility;
  /** 301 to https for requests that came without TLS. */
  readonly redirectToHttps?: boolean;
  /** What `K-Network-Hash: override` is answered with. */
  readonly probeHash?: string;
  readonly paths: readonly PathConfig[];
}

export interface PathConfig {
  /** Literal prefix; absent: everything. */
  readonly path?: string;
  /** Fields (any case) that must have exactly this value. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly rewriteHost?: string;
  readonly appendHeaders?: Readonly<Record<string, string>>;
  readonly splits: readonly SplitConfig[];
}

export interface SplitConfig {
  readonly backend: string;
  /** All splits of a path add up to 100. */
  readonly percent: number;
  readonly appendHeaders?: Readonly<Record<string, string>>;
}

export interface BackendConfig {
  /** Unique; `namespace/name:port`. */
  readonly key: string;
  readonly namespace: string;
  /** The revision, or for a plain Service its name. */
  readonly name: string;
  /** What the revision belongs to, for the request log. */
  readonly service?: string;
  readonly configuration?: string;
  /** Slots, queue, wake and counters apply; a plain Service without endpoints answers 503 at once, as a revision does that is gone. */
  readonly isRevision: boolean;
  /** The revision has been deleted: nothing will ever run for who waits. */
  readonly gone?: boolean;
  /** What its containers speak; default: http1. */
  readonly protocol?: 'http1' | 'h2c';
  /** Requests at a time in one container; 0: no limit. */
  readonly containerConcurrency: number;
  /** 0: none. */
  readonly timeoutMs: number;
  readonly responseStartTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly pods: readonly PodConfig[];
}

export interface PodConfig {
  /** Unique within the backend. */
  readonly key: string;
  readonly dial: DialTarget;
  /** Frozen: gets a request only when no other pod can take it; it thaws while the kernel holds the connection. */
  readonly frozen?: boolean;
}

export interface CertificateConfig {
  readonly hosts: readonly string[];
  /** PEM. */
  readonly certificate: string;
  readonly key: string;
}
