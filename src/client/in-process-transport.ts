import type { UserInfo } from '#apis/definition.ts';
import { notUnderstood } from '#client/errors.ts';
import { jsonCopy } from '#client/json.ts';
import type {
  Transport,
  TransportFrame,
  TransportRequest,
  TransportResponse,
  TransportStreamRequest,
  TransportStreamResponse,
} from '#client/transport.ts';
import { deepFreeze } from '#machinery/deep.ts';

/** What this transport needs of the API server; `ApiServer` of the apiserver part fits by its shape. */
export interface InProcessServer {
  handle(request: InProcessRequest): Promise<InProcessResponse>;
}
export interface InProcessRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string>>;
  readonly credentials: { readonly kind: 'user'; readonly user: UserInfo };
  readonly body?: InProcessBody;
  readonly signal: AbortSignal;
}
export interface InProcessBody {
  read(): Promise<{ readonly object: unknown } | { readonly bytes: Uint8Array }>;
  stream(): AsyncIterable<Uint8Array>;
}
export interface InProcessResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: InProcessResponseBody;
}
export type InProcessResponseBody =
  | { readonly kind: 'object'; readonly object: unknown; readonly contentType: string }
  | { readonly kind: 'list'; readonly list: object; readonly contentType: string; readonly chunks: () => Iterable<string> }
  | { readonly kind: 'watch'; readonly events: AsyncIterable<InProcessFrame>; readonly contentType: string }
  | { readonly kind: 'text'; readonly text: string; readonly contentType: string }
  | { readonly kind: 'stream'; readonly chunks: AsyncIterable<Uint8Array>; readonly contentType: string }
  | { readonly kind: 'upgrade' }
  | { readonly kind: 'none' };
interface InProcessFrame extends TransportFrame {
  line(): Uint8Array;
}

/**
 * Enters the API server's own pipeline as `user`: authorization, admission and limits apply as to anybody from outside.
 * Objects are shared with the server's cache instead of being copied; they are frozen.
 */
export function inProcessTransport(server: InProcessServer, user: UserInfo, userAgent = 'dormouse'): Transport {
  return new InProcessTransport(server, user, userAgent);
}

class InProcessTransport implements Transport {
  readonly #server: InProcessServer;
  readonly #user: UserInfo;
  readonly #userAgent: string;
  readonly #closed = new AbortController();

  constructor(server: InProcessServer, user: UserInfo, userAgent: string) {
    this.#server = server;
    this.#user = user;
    this.#userAgent = userAgent;
  }

  async request(request: TransportRequest): Promise<TransportResponse> {
    const { body, status, headers } = await this.#handle(request, objectBody(request.body));
    return { status, headers: flatHeaders(headers), body: await this.#whole(request, body) };
  }

  async *watch(request: TransportRequest & { signal: AbortSignal }): AsyncIterable<TransportFrame> {
    // Leaving the iteration early must end the watch on the server's side too.
    const left = new AbortController();
    try {
      const signal = AbortSignal.any([request.signal, left.signal]);
      const { status, body } = await this.#handle({ ...request, signal });
      if (body.kind === 'watch') yield* body.events;
      else yield { type: 'ERROR', object: status < 400 ? undefined : await this.#whole(request, body) };
      request.signal.throwIfAborted();
    } finally {
      left.abort();
    }
  }

  async stream(request: TransportStreamRequest): Promise<TransportStreamResponse> {
    const { body: source, ...rest } = request;
    const { status, headers, body } = await this.#handle(rest, source === undefined ? undefined : streamBody(source));
    const chunks = body.kind === 'stream' ? body.chunks : asChunks(body);
    return { status, headers: flatHeaders(headers), chunks };
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    return Promise.resolve();
  }

  async #handle(request: Omit<TransportRequest, 'body'>, body?: InProcessBody): Promise<InProcessResponse> {
    const { method, path, signal } = request;
    signal?.throwIfAborted();
    this.#closed.signal.throwIfAborted();
    const gone = signal === undefined ? this.#closed.signal : AbortSignal.any([signal, this.#closed.signal]);
    const headers: Record<string, string> = { accept: 'application/json', 'user-agent': this.#userAgent, ...request.headers };
    if (body !== undefined) headers['content-type'] ??= 'application/json';
    const response = await this.#server.handle({
      method,
      path,
      query: new URLSearchParams(request.query),
      headers,
      credentials: { kind: 'user', user: this.#user },
      ...(body === undefined ? {} : { body }),
      signal: gone,
    });
    signal?.throwIfAborted();
    return response;
  }

  async #whole(request: TransportRequest, body: InProcessResponseBody): Promise<unknown> {
    if (body.kind === 'object') return deepFreeze(body.object);
    if (body.kind === 'list') return Object.freeze(body.list);
    if (body.kind === 'text') return parsedText(body.text, body.contentType);
    if (body.kind === 'none') return '';
    if (body.kind === 'upgrade' || body.kind === 'watch')
      throw notUnderstood(`${request.method} ${request.path}`, `answered with a ${body.kind}`);
    const parts: Uint8Array[] = [];
    for await (const chunk of body.chunks) parts.push(chunk);
    return parsedText(Buffer.concat(parts).toString(), body.contentType);
  }
}

function objectBody(object: unknown): InProcessBody | undefined {
  if (object === undefined) return undefined;
  return {
    read: () => Promise.resolve({ object: jsonCopy(object) }),
    async *stream() {
      yield await Promise.resolve(Buffer.from(JSON.stringify(object)));
    },
  };
}

function streamBody(chunks: AsyncIterable<Uint8Array>): InProcessBody {
  return {
    async read() {
      const parts: Uint8Array[] = [];
      for await (const chunk of chunks) parts.push(chunk);
      return { bytes: Buffer.concat(parts) };
    },
    stream: () => chunks,
  };
}

async function* asChunks(body: InProcessResponseBody): AsyncIterable<Uint8Array> {
  if (body.kind === 'object') yield Buffer.from(JSON.stringify(body.object));
  else if (body.kind === 'list') for (const chunk of body.chunks()) yield Buffer.from(chunk);
  else if (body.kind === 'text') yield Buffer.from(body.text);
  else if (body.kind === 'watch') for await (const frame of body.events) yield frame.line();
}

/** As it would come off the wire: JSON parsed, anything else as text. */
function parsedText(text: string, contentType: string): unknown {
  return contentType.startsWith('application/json') && text !== '' ? deepFreeze(JSON.parse(text)) : text;
}

function flatHeaders(headers: Readonly<Record<string, string | readonly string[]>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, typeof value === 'string' ? value : value.join(', ')]));
}
