/**
 * Carries requests to an API server: over HTTPS, or in process. Carries them only: it knows paths, not resources.
 * Bodies that come out are deep-frozen, and may be shared with other callers.
 */
export interface Transport extends AsyncDisposable {
  /** One request, one whole answer, whatever its status. Rejects with a retriable StatusError when there is none. */
  request(request: TransportRequest): Promise<TransportResponse>;
  /**
   * A watch. Frames come as the server sends them (`ERROR` included); the iteration ends when the server ends it, throws
   * StatusError when it cannot start or breaks, and the signal's reason when that aborts.
   */
  watch(request: TransportRequest & { readonly signal: AbortSignal }): AsyncIterable<TransportFrame>;
  /** An answer that is read while it comes (logs), to a body that may still be written meanwhile. */
  stream(request: TransportStreamRequest): Promise<TransportStreamResponse>;
}

export interface TransportRequest {
  readonly method: string;
  /** Percent-encoded, starts with `/`, without a query. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Any JSON value; never changed, never kept. */
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

export interface TransportResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Parsed and frozen when the answer is JSON; otherwise text. */
  readonly body: unknown;
}

export interface TransportFrame {
  readonly type: string;
  readonly object: unknown;
  /** Where the far end is in this process: the object, without the need to keep it. */
  readonly held?: unknown;
}

export interface TransportStreamRequest extends Omit<TransportRequest, 'body'> {
  readonly body?: AsyncIterable<Uint8Array>;
  readonly signal: AbortSignal;
}

export interface TransportStreamResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly chunks: AsyncIterable<Uint8Array>;
}
