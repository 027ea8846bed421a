import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { request as httpRequest } from '#core/node-http.ts';
import type { Agents } from './agents.ts';

export type HttpBody = Buffer | Readable;

export interface ExchangeOptions {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: (() => HttpBody) | undefined;
  readonly signal: AbortSignal;
  readonly agents: Agents;
  /** How many redirects to follow; credentials stay with the first host. */
  readonly redirects: number;
}

/** The request got no answer. `message` reads like Go's, which people search for. */
export class RequestFailure extends Error {
  /** Trying again soon may help. Not so for a name that does not exist or a port nobody listens on. */
  readonly passing: boolean;

  /** `message` already says what the cause said; it is not kept, or it would be printed twice. */
  constructor(message: string, passing: boolean) {
    super(message);
    this.name = 'RequestFailure';
    this.passing = passing;
  }
}

const connectMs = 15_000;
const idleMs = 60_000;

/** One HTTP request, redirects followed. Resolves with the head; the body must be read or resumed. */
export async function exchange(url: string, options: ExchangeOptions): Promise<IncomingMessage> {
  const response = await send(url, options);
  const { location } = response.headers;
  const status = response.statusCode ?? 0;
  if (options.redirects === 0 || location === undefined || ![301, 302, 303, 307, 308].includes(status)) {
    return Object.assign(response, { request: { method: options.method, url } });
  }
  response.resume();
  const next = new URL(location, url);
  if (next.protocol === 'http:' && url.startsWith('https:'))
    throw new RequestFailure(`${options.method} "${url}": redirected to plain HTTP`, false);
  const { authorization, ...others } = options.headers;
  const headers = next.host === new URL(url).host && authorization !== undefined ? { ...others, authorization } : others;
  return exchange(next.href, { ...options, headers, redirects: options.redirects - 1 });
}

async function send(url: string, { method, headers, body, signal, agents }: ExchangeOptions): Promise<IncomingMessage> {
  const open = url.startsWith('https:') ? (await import('node:https')).request : httpRequest;
  signal.throwIfAborted();
  const agent = await agents.of(url);
  try {
    return await new Promise<IncomingMessage>((resolve, reject) => {
      const request = open(url, { method, headers: { 'user-agent': 'dormouse', ...headers }, signal, agent, timeout: connectMs });
      request.once('timeout', () => request.destroy(Object.assign(new Error('i/o timeout'), { code: 'ETIMEDOUT' })));
      request.on('error', reject).on('response', (response: IncomingMessage) => {
        request
          .removeAllListeners('timeout')
          .setTimeout(idleMs, () => response.destroy(Object.assign(new Error('i/o timeout'), { code: 'ETIMEDOUT' })));
        resolve(response);
      });
      const content = body?.();
      if (content instanceof Readable) {
        request.setTimeout(idleMs);
        pipeline(content, request).catch(reject);
      } else request.end(content);
    });
  } catch (error) {
    signal.throwIfAborted();
    throw new RequestFailure(`failed to do request: ${titled(method)} "${url}": ${networkText(error, url)}`, isPassing(error));
  }
}

const titled = (method: string): string => method.charAt(0) + method.slice(1).toLowerCase();

function isPassing(error: unknown): boolean {
  return ['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ERR_STREAM_PREMATURE_CLOSE'].includes((error as NodeJS.ErrnoException).code ?? '');
}

function networkText(error: unknown, url: string): string {
  const first = error instanceof AggregateError ? (error.errors[0] as NodeJS.ErrnoException) : (error as NodeJS.ErrnoException);
  const { hostname } = new URL(url);
  const { address, port, code } = first as NodeJS.ErrnoException & { address?: string; port?: number };
  switch (code) {
    case 'ENOTFOUND':
      return `dial tcp: lookup ${hostname}: no such host`;
    case 'EAI_AGAIN':
      return `dial tcp: lookup ${hostname}: temporary failure in name resolution`;
    case 'ECONNREFUSED':
      return `dial tcp ${address}:${port}: connect: connection refused`;
    case 'ENETUNREACH':
      return `dial tcp ${address}:${port}: connect: network is unreachable`;
    case 'EHOSTUNREACH':
      return `dial tcp ${address}:${port}: connect: no route to host`;
    case 'ETIMEDOUT':
      return `dial tcp: lookup or connect ${hostname}: i/o timeout`;
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      return 'tls: failed to verify certificate: x509: certificate signed by unknown authority';
    case 'EPROTO':
      return first.message.includes('wrong version number') ? 'http: server gave HTTP response to HTTPS client' : first.message;
    default:
      return first.message;
  }
}
