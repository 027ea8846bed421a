import type { ClientRequest, IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { pipeline } from 'node:stream';
import { StatusError } from '#apis/meta/status.ts';
import { answerFailed, answerTooLarge, connectionFailed, isStatus, notUnderstood, requestTimedOut } from '#client/errors.ts';
import { readJsonLines } from '#client/json-lines.ts';
import type {
  Transport,
  TransportFrame,
  TransportRequest,
  TransportResponse,
  TransportStreamRequest,
  TransportStreamResponse,
} from '#client/transport.ts';
import { systemClock, within, type Clock } from '#core/clock.ts';
import { Agent as HttpAgent, request as httpRequest } from '#core/node-http.ts';
import { readAll } from '#core/streams.ts';
import { deepFreeze } from '#machinery/deep.ts';

export interface HttpsTransportOptions {
  /** `https://host:port`, with a path prefix where there is one; plain `http://` is for tests and local proxies. */
  readonly server: string;
  /** PEM. Absent: the machine's own authorities. */
  readonly certificateAuthority?: string;
  /** PEM. */
  readonly clientCertificate?: { readonly certificate: string; readonly key: string };
  /** Asked for every request, so that a rotated token is picked up. */
  readonly token?: () => string | undefined;
  readonly tlsServerName?: string;
  readonly insecureSkipTlsVerify?: boolean;
  readonly userAgent?: string;
  readonly clock?: Clock;
  /** For the whole of a plain request, and for the head of a watch's or stream's answer. */
  readonly timeoutMs?: number;
  readonly maxAnswerBytes?: number;
  readonly maxWatchLineBytes?: number;
}

const defaults = { timeoutMs: 60_000, maxAnswerBytes: 512 * 2 ** 20, maxWatchLineBytes: 32 * 2 ** 20, userAgent: 'dormouse' };
/** Plain requests at a time; more wait. Watches and streams have connections of their own. */
const maxConnections = 64;

/** Talks to an API server over HTTPS, connections kept alive, authenticated by client certificate or bearer token. */
export function httpsTransport(options: HttpsTransportOptions): Transport {
  return new HttpsTransport(options);
}

interface Sent {
  readonly request: ClientRequest;
  readonly answer: Promise<IncomingMessage>;
}

class HttpsTransport implements Transport {
  readonly #url: URL;
  readonly #prefix: string;
  readonly #options: HttpsTransportOptions & typeof defaults & { readonly clock: Clock };
  readonly #agent: HttpAgent;
  readonly #longAgent: HttpAgent;
  readonly #closed = new AbortController();

  constructor(options: HttpsTransportOptions) {
    this.#url = new URL(options.server);
    this.#prefix = this.#url.pathname.replace(/\/+$/, '');
    this.#options = { clock: systemClock, ...defaults, ...options };
    this.#agent = this.#makeAgent(maxConnections);
    this.#longAgent = this.#makeAgent(Number.POSITIVE_INFINITY);
  }

  async request(request: TransportRequest): Promise<TransportResponse> {
    try {
      return await this.#once(request);
    } catch (error) {
      // The server may close a kept connection just as it is used again; reading twice does no harm.
      if (request.method !== 'GET' || !(error instanceof StatusError) || !isStaleConnection(error.cause)) throw error;
      return this.#once(request);
    }
  }

  async *watch(request: TransportRequest & { signal: AbortSignal }): AsyncIterable<TransportFrame> {
    const answer = await this.#head(request, this.#longAgent);
    try {
      if (answer.statusCode !== 200) {
        const { body } = await this.#read(answer, request);
        const code = answer.statusCode ?? 0;
        yield { type: 'ERROR', object: isStatus(body) ? body : answerFailed(`WATCH ${request.path}`, code, body).toStatus() };
        return;
      }
      for await (const line of readJsonLines(answer, this.#options.maxWatchLineBytes)) yield asFrame(line, request.path);
    } catch (error) {
      throw this.#explain(error, request);
    } finally {
      answer.destroy();
    }
  }

  async stream(request: TransportStreamRequest): Promise<TransportStreamResponse> {
    const answer = await this.#head(request, this.#longAgent, request.body);
    return { status: answer.statusCode ?? 0, headers: flatHeaders(answer), chunks: this.#chunks(answer, request) };
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort(new DOMException('the connection to the API server has been closed', 'AbortError'));
    this.#agent.destroy();
    this.#longAgent.destroy();
    return Promise.resolve();
  }

  async #once(request: TransportRequest): Promise<TransportResponse> {
    const { clock, timeoutMs } = this.#options;
    const late = () => requestTimedOut(`${request.method} ${request.path}`, timeoutMs);
    return within({ clock, limitMs: timeoutMs, signal: request.signal, late }, async (signal) => {
      try {
        const body = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body));
        const answer = await this.#send({ ...request, signal }, this.#agent, body).answer;
        return await this.#read(answer, { ...request, signal });
      } catch (error) {
        throw this.#explain(error, { ...request, signal });
      }
    });
  }

  /** The head of a long answer; only this has a time limit. */
  async #head(
    request: Omit<TransportRequest, 'body'> & { signal: AbortSignal },
    agent: HttpAgent,
    body?: AsyncIterable<Uint8Array>,
  ): Promise<IncomingMessage> {
    const { clock, timeoutMs } = this.#options;
    request.signal.throwIfAborted();
    const sent = this.#send(request, agent, body);
    const cancel = clock.after(timeoutMs, () => sent.request.destroy(requestTimedOut(`${request.method} ${request.path}`, timeoutMs)));
    try {
      return await sent.answer;
    } catch (error) {
      throw this.#explain(error, request);
    } finally {
      cancel();
    }
  }

  #send(request: Omit<TransportRequest, 'body'>, agent: HttpAgent, body?: Buffer | AsyncIterable<Uint8Array>): Sent {
    const query = new URLSearchParams(request.query).toString();
    const token = this.#options.token?.();
    const headers: Record<string, string> = {
      accept: 'application/json',
      'user-agent': this.#options.userAgent,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(Buffer.isBuffer(body) ? { 'content-length': String(body.length) } : {}),
      ...request.headers,
    };
    const send = this.#url.protocol === 'http:' ? httpRequest : httpsRequest;
    const sent = send({
      protocol: this.#url.protocol,
      hostname: this.#url.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: this.#url.port,
      method: request.method,
      path: `${this.#prefix}${request.path}${query === '' ? '' : `?${query}`}`,
      headers,
      agent,
      signal: AbortSignal.any([this.#closed.signal, ...(request.signal === undefined ? [] : [request.signal])]),
    });
    const answer = new Promise<IncomingMessage>((resolve, reject) => {
      sent.once('response', resolve);
      sent.on('error', reject);
    });
    if (body === undefined || Buffer.isBuffer(body)) sent.end(body);
    else {
      // An early head lets the far end answer while this side still writes.
      sent.flushHeaders();
      pipeline(body, sent, () => {});
    }
    return { request: sent, answer };
  }

  async #read(answer: IncomingMessage, request: TransportRequest): Promise<TransportResponse> {
    const bytes = await readAll(answer, this.#options.maxAnswerBytes, (most) => answerTooLarge(`${request.method} ${request.path}`, most));
    const text = bytes.toString();
    return { status: answer.statusCode ?? 0, headers: flatHeaders(answer), body: parsed(text, answer, request) };
  }

  async *#chunks(answer: IncomingMessage, request: TransportStreamRequest): AsyncIterable<Uint8Array> {
    try {
      yield* answer as AsyncIterable<Buffer>;
    } catch (error) {
      throw this.#explain(error, request);
    } finally {
      answer.destroy();
    }
  }

  /** The caller's own abort as the caller gave it; StatusErrors as they are; everything else is a broken connection. */
  #explain(error: unknown, request: Omit<TransportRequest, 'body'>): unknown {
    if (request.signal?.aborted) return request.signal.reason;
    if (this.#closed.signal.aborted) return this.#closed.signal.reason;
    return error instanceof StatusError ? error : connectionFailed(this.#url.origin, error);
  }

  #makeAgent(maxSockets: number): HttpAgent {
    const { certificateAuthority, clientCertificate, tlsServerName, insecureSkipTlsVerify } = this.#options;
    const common = { keepAlive: true, maxSockets, scheduling: 'lifo' as const };
    if (this.#url.protocol === 'http:') return new HttpAgent(common);
    return new HttpsAgent({
      ...common,
      ...(certificateAuthority === undefined ? {} : { ca: certificateAuthority }),
      ...(clientCertificate === undefined ? {} : { cert: clientCertificate.certificate, key: clientCertificate.key }),
      ...(tlsServerName === undefined ? {} : { servername: tlsServerName }),
      ...(insecureSkipTlsVerify ? { rejectUnauthorized: false } : {}),
    });
  }
}

function isStaleConnection(cause: unknown): boolean {
  const code = (cause as { code?: unknown } | undefined)?.code;
  return code === 'ECONNRESET' || code === 'EPIPE';
}

function parsed(text: string, answer: IncomingMessage, request: TransportRequest): unknown {
  if (!(answer.headers['content-type'] ?? '').includes('json') || text === '') return text;
  try {
    return deepFreeze(JSON.parse(text) as unknown);
  } catch (error) {
    throw notUnderstood(`${request.method} ${request.path}`, 'the answer is not JSON', error);
  }
}

function asFrame(line: unknown, path: string): TransportFrame {
  const frame = line as Partial<TransportFrame> | null;
  if (typeof frame?.type !== 'string') throw notUnderstood(`WATCH ${path}`, 'a line of the answer is not a watch event');
  return { type: frame.type, object: deepFreeze(frame.object) };
}

function flatHeaders(answer: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(answer.headers)) {
    if (value !== undefined) headers[name] = typeof value === 'string' ? value : value.join(', ');
  }
  return headers;
}
