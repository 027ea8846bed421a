import type { Duplex } from 'node:stream';
import type { UserInfo } from '#apis/definition.ts';
import type { KubeObject, ListMeta, WatchEventType } from '#apis/meta/object.ts';

/**
 * One request, whatever carried it: the HTTPS front and the in-process client build the same thing and both go through
 * `ApiServer.handle`, so authentication, authorization, limits and admission cannot be gone around.
 */
export interface ApiRequest {
  /** Upper case. */
  readonly method: string;
  /** As sent: percent-encoded, starts with `/`, no query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Names in lower case; repeated headers joined with `, `. */
  readonly headers: Readonly<Record<string, string>>;
  readonly credentials: Credentials;
  /** Absent: no body. */
  readonly body?: RequestBody;
  /** Aborted when the caller has gone away; ends watches and streams. */
  readonly signal: AbortSignal;
}

/**
 * `user`: an identity established beforehand (in-process callers). `wire`: what the connection says; a bearer token is
 * looked for in the `authorization` header.
 */
export type Credentials =
  | { readonly kind: 'user'; readonly user: UserInfo }
  | { readonly kind: 'wire'; readonly certificate?: PeerCertificate; readonly remoteAddress?: string };

/** Subject of a client certificate that was verified against the cluster's CA. */
export interface PeerCertificate {
  readonly commonName: string;
  readonly organizations: readonly string[];
}

export interface RequestBody {
  /** The whole body; StatusError RequestEntityTooLarge (413) beyond the limit. `object` is taken over, never copied. */
  read(): Promise<{ readonly object: unknown } | { readonly bytes: Uint8Array }>;
  /** The body as it comes, without a limit; for proxies and long streams. */
  stream(): AsyncIterable<Uint8Array>;
}

export interface ApiResponse {
  readonly status: number;
  /** Names in lower case. Content type comes with the body. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: ResponseBody;
}

export type ResponseBody =
  /** One object, deep-frozen and shared with the watch cache. `json`: its encoding when there is one already. */
  | { readonly kind: 'object'; readonly object: unknown; readonly contentType: string; readonly json?: () => string }
  /** A list; the items are deep-frozen and shared. `chunks` is the same list encoded, in pieces of moderate size. */
  | { readonly kind: 'list'; readonly list: ListView; readonly contentType: string; readonly chunks: () => Iterable<string> }
  /** A watch; ends when the server ends it or the request's signal aborts. Iterate once. */
  | { readonly kind: 'watch'; readonly events: AsyncIterable<WatchFrame>; readonly contentType: string }
  | { readonly kind: 'text'; readonly text: string; readonly contentType: string }
  | { readonly kind: 'stream'; readonly chunks: AsyncIterable<Uint8Array>; readonly contentType: string }
  /** Takes over the connection, answer head included (`HTTP/1.1 101 …`). `head` are bytes that came behind the request. */
  | { readonly kind: 'upgrade'; accept(socket: Duplex, head: Uint8Array): void }
  | { readonly kind: 'none' };

export interface ListView {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ListMeta;
  readonly items: readonly KubeObject[];
  /** The items for who does not want to keep them all in memory. */
  readonly held: readonly Held[];
}

/** An object that can be had again at any time; always the same state. */
export interface Held {
  readonly resourceVersion: string;
  readonly object: KubeObject;
}

/** One event of a watch. `line` is its encoding (`{"type":…,"object":…}` and a newline), made once for all watchers. */
export interface WatchFrame {
  readonly type: WatchEventType;
  /** Deep-frozen; a metav1.Status when the type is ERROR. */
  readonly object: unknown;
  /** The object for who does not want to keep it; absent where it is no stored state. */
  readonly held?: Held;
  line(): Uint8Array;
}

/** The API server as its transports see it. */
export interface ApiServer extends AsyncDisposable {
  /** Never rejects: failures come back as a response with a metav1.Status. */
  handle(request: ApiRequest): Promise<ApiResponse>;
  /** False until the cache is filled and the bootstrap objects exist. */
  readonly ready: boolean;
  /** Registers a handler for a subresource such as `pods/exec`; platform wiring, before traffic. */
  addSubresource(handler: SubresourceHandler): void;
  /** Registers who answers creates of a kind that is never stored; platform wiring, before traffic. */
  addReview(responder: ReviewResponder): void;
  /** Registers a handler for a path outside the resource routes, e.g. `/metrics`. */
  addRoute(route: RawRoute): void;
}

/** Serves one subresource that is not stored: logs, exec, proxy … */
export interface SubresourceHandler {
  readonly group: string;
  readonly plural: string;
  /** `log`, `exec`, `proxy` …; what follows it in the path is `rest`. */
  readonly name: string;
  /** As in discovery: `get` for log, `create` and `get` for exec and its kind. */
  readonly verbs: readonly string[];
  /** Kind named in discovery, e.g. `PodExecOptions`. */
  readonly kind: string;
  /** The parent exists and the caller may use the subresource; StatusErrors become the answer. */
  handle(call: SubresourceCall): Promise<ApiResponse>;
}

export interface SubresourceCall {
  readonly request: ApiRequest;
  readonly user: UserInfo;
  readonly namespace: string;
  readonly name: string;
  /** The path behind the subresource, with its leading slash, or empty. */
  readonly rest: string;
  /** The object the subresource belongs to, frozen. For `proxy` the name may carry `scheme:name:port`; then it is already looked up by name. */
  readonly parent: KubeObject;
}

/** Answers a kind of which objects are only ever created and never stored: a question in its spec, the answer in its status. */
export interface ReviewResponder {
  readonly group: string;
  readonly plural: string;
  /** The status of the answer. The question is valid and the caller may ask it; StatusErrors become the answer. */
  answer(question: ReviewQuestion): Promise<unknown>;
}

export interface ReviewQuestion {
  readonly namespace: string;
  readonly object: KubeObject;
  readonly user: UserInfo;
  readonly signal: AbortSignal;
}

/** A path served outside the resource routes. Authorized as a non-resource URL, unless `public`. */
export interface RawRoute {
  /** Exact path, or a prefix when it ends with `/`. */
  readonly path: string;
  readonly methods: readonly string[];
  readonly public?: boolean;
  /** Authorized as the resource its path names, for kinds that are served from elsewhere than the storage. */
  readonly asResource?: boolean;
  handle(request: ApiRequest, user: UserInfo): Promise<ApiResponse>;
}
