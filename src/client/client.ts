import type { Resource } from '#apis/definition.ts';
import type { KubeObject, ObjectList } from '#apis/meta/object.ts';
import type { TransportRequest, TransportResponse, TransportStreamRequest, TransportStreamResponse } from '#client/transport.ts';

/**
 * The only way to the API for everything above it: controllers, gateway, node agent, CLI. Two transports stand behind it,
 * HTTPS and in-process; both pass authentication, RBAC and admission. Failures are StatusError.
 * Objects that come out are deep-frozen and shared: copy before changing (structuredClone).
 */
export interface Client {
  of<T extends KubeObject>(resource: Resource<T>): ResourceClient<T>;
  /** A raw request, for streams' hand-shakes, discovery and the like. `path` starts with `/`. */
  raw(request: RawRequest): Promise<RawResponse>;
  /** An answer read while it comes (logs), to a request body that may still be written meanwhile. Any status is returned. */
  stream(request: TransportStreamRequest): Promise<TransportStreamResponse>;
}

export type RawRequest = TransportRequest;
export type RawResponse = TransportResponse;

export interface ListOptions {
  /** Absent: all namespaces. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly limit?: number;
  readonly continue?: string;
  readonly resourceVersion?: string;
  readonly resourceVersionMatch?: 'Exact' | 'NotOlderThan';
  readonly signal?: AbortSignal;
}
export interface WatchOptions {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly resourceVersion?: string;
  readonly allowWatchBookmarks?: boolean;
  readonly sendInitialEvents?: boolean;
  readonly timeoutSeconds?: number;
  readonly signal: AbortSignal;
}
/** An object that can be had again at any time (always the same state): who keeps this need not keep the object. */
export interface Held<T extends KubeObject> {
  readonly resourceVersion: string;
  readonly object: T;
}
/** `held`: where the server is in this process, the items without the need to keep them. Reading `items` then parses them all. */
export interface ClientList<T extends KubeObject> extends ObjectList<T> {
  readonly held?: readonly Held<T>[];
}
export type WatchEvent<T extends KubeObject> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T; readonly held?: Held<T> }
  | { readonly type: 'BOOKMARK'; readonly object: KubeObject };

export interface WriteOptions {
  readonly signal?: AbortSignal;
  readonly fieldManager?: string;
  readonly dryRun?: boolean;
  readonly fieldValidation?: 'Ignore' | 'Warn' | 'Strict';
}
export interface DeleteOptions {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan';
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
  readonly dryRun?: boolean;
}
export type Patch =
  | { readonly type: 'json'; readonly body: readonly unknown[] }
  | { readonly type: 'merge' | 'strategic'; readonly body: unknown }
  | { readonly type: 'apply'; readonly body: unknown; readonly force?: boolean };

/** One resource. `namespace` is undefined for cluster-scoped kinds. Subresource '' is the object itself. */
export interface ResourceClient<T extends KubeObject> {
  readonly resource: Resource<T>;
  /** Of a subresource, e.g. `scale`, what the server says it is. */
  get(namespace: string | undefined, name: string, subresource?: string): Promise<T>;
  list(options?: ListOptions): Promise<ClientList<T>>;
  /** Ends normally when the server ends it; throws StatusError `Expired`/`Gone` when history is too old. */
  watch(options: WatchOptions): AsyncIterable<WatchEvent<T>>;
  /** Namespace and name are read from the object's metadata. */
  create(object: T, options?: WriteOptions): Promise<T>;
  update(object: T, options?: WriteOptions & { readonly subresource?: string }): Promise<T>;
  patch(namespace: string | undefined, name: string, patch: Patch, options?: WriteOptions & { readonly subresource?: string }): Promise<T>;
  /** The object when it is still there (finalizers, grace), otherwise undefined. NotFound is thrown. */
  delete(namespace: string | undefined, name: string, options?: DeleteOptions): Promise<T | undefined>;
  deleteCollection(list: ListOptions, options?: DeleteOptions): Promise<void>;
  /** POST to a subresource, e.g. `binding`, `eviction`, `token`. */
  createSubresource(namespace: string | undefined, name: string, subresource: string, body: unknown): Promise<unknown>;
}
