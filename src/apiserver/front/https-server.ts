import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https';
import { createServer as createTcpServer, type AddressInfo, type Server as TcpServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { StatusError } from '#apis/meta/status.ts';
import { requestBody } from '#apiserver/front/request-body.ts';
import { sendResponse } from '#apiserver/front/send.ts';
import type { ApiRequest, ApiServer, Credentials } from '#apiserver/request.ts';
import type { Clock } from '#core/clock.ts';
import type { Logger } from '#core/logger.ts';
import { createServer as createHttpServer, STATUS_CODES } from '#core/node-http.ts';
import { listening } from '#core/streams.ts';

export interface HttpsFrontOptions {
  readonly server: ApiServer;
  /** PEM. The CA signs client certificates. */
  readonly tls: { readonly certificate: string; readonly privateKey: string; readonly clientAuthority: string };
  readonly listen: readonly { readonly host: string; readonly port: number }[];
  /** Names under which clients know this server; a CONNECT to one of them, port 443, is a tunnel to the server itself. */
  readonly ownHosts: readonly string[];
  readonly clock: Clock;
  readonly logger: Logger;
  /** For the first byte of a connection, its TLS handshake, and each request's head. 15 s unless told. */
  readonly headTimeoutMs?: number;
}

/** The listening HTTPS front. */
export interface HttpsFront extends AsyncDisposable {
  readonly addresses: readonly AddressInfo[];
  /** Listens on one more address. */
  listen(host: string, port: number): Promise<void>;
}

const maxHeadBytes = 64 * 1024;
const defaultHeadTimeoutMs = 15_000;
/** How often Node looks for heads that are late. */
const headCheckMs = 5000;
const closeGraceMs = 1000;

/**
 * Serves the API over HTTPS (HTTP/1.1) on each address. The port looks at the first byte of a connection: TLS goes to the API;
 * plain HTTP may only ask for a tunnel to the API itself, for clients that drop the port of its URL and use a proxy instead.
 */
export async function listenHttps(options: HttpsFrontOptions): Promise<HttpsFront> {
  const front = new Front(options);
  try {
    for (const { host, port } of options.listen) await front.listen(host, port);
  } catch (error) {
    await front[Symbol.asyncDispose]();
    throw error;
  }
  return front;
}

class Front implements HttpsFront {
  readonly #options: HttpsFrontOptions;
  readonly #headTimeoutMs: number;
  readonly #https: HttpsServer;
  readonly #plain: ReturnType<typeof createHttpServer>;
  readonly #listeners: TcpServer[] = [];
  readonly #sockets = new Set<Socket>();
  /** Connections that broke and have been told so. */
  readonly #answered = new WeakSet<Duplex>();

  constructor(options: HttpsFrontOptions) {
    this.#options = options;
    const { tls, headTimeoutMs = defaultHeadTimeoutMs } = options;
    this.#headTimeoutMs = headTimeoutMs;
    const limits = {
      maxHeaderSize: maxHeadBytes,
      headersTimeout: headTimeoutMs,
      requestTimeout: 0,
      connectionsCheckingInterval: Math.min(headCheckMs, headTimeoutMs),
    };
    this.#https = createHttpsServer({
      ...limits,
      cert: tls.certificate,
      key: tls.privateKey,
      ca: tls.clientAuthority,
      requestCert: true,
      rejectUnauthorized: false,
      ALPNProtocols: ['http/1.1'],
      minVersion: 'TLSv1.2',
      handshakeTimeout: headTimeoutMs,
      keepAliveTimeout: 120_000,
    });
    this.#https.on('request', (request, response) => void this.#serve(request, response));
    this.#https.on('upgrade', (request, socket, head) => void this.#upgrade(request, socket, head));
    this.#https.on('clientError', (error, socket) => this.#broken(error, socket));
    this.#https.on('tlsClientError', (error, socket) => {
      options.logger.debug('tls handshake failed', { error: error.message });
      socket.destroy();
    });
    this.#plain = createHttpServer({ ...limits, requestTimeout: headTimeoutMs });
    this.#plain.on('connect', (request, socket, head) => this.#tunnel(request, socket, head));
    this.#plain.on('request', (_request, response) => {
      response
        .writeHead(400, { 'content-type': 'text/plain', connection: 'close' })
        .end('Client sent an HTTP request to an HTTPS server.\n');
    });
    this.#plain.on('clientError', (_error, socket) => socket.destroy());
    // Node begins to look for slow heads when a server listens; these two never do, they are handed their connections.
    for (const one of [this.#https, this.#plain]) one.emit('listening');
  }

  get addresses(): readonly AddressInfo[] {
    return this.#listeners.map((listener) => listener.address() as AddressInfo);
  }

  async listen(host: string, port: number): Promise<void> {
    const listener = createTcpServer({ noDelay: true, pauseOnConnect: false }, (socket) => this.#accept(socket));
    await listening(listener, { host, port });
    this.#listeners.push(listener);
    listener.on('error', (error) => this.#options.logger.error('listener failed', { error }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = this.#listeners.map((listener) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      listener.close(() => resolve());
      return promise;
    });
    for (const one of [this.#https, this.#plain]) one.close(() => {});
    const cancel = this.#options.clock.after(closeGraceMs, () => this.#destroyAll());
    if (!this.#options.server.ready) this.#destroyAll();
    await Promise.all(closed);
    cancel();
  }

  #destroyAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    const onError = () => socket.destroy();
    socket.on('error', onError);
    const cancel = this.#options.clock.after(this.#headTimeoutMs, () => socket.destroy());
    socket.once('data', (first) => {
      cancel();
      socket.pause();
      socket.unshift(first);
      const tls = first[0] === 0x16;
      (tls ? this.#https : this.#plain).emit('connection', socket);
      if (!tls) socket.resume();
    });
  }

  #tunnel(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const target = (request.url ?? '').toLowerCase();
    const allowed = this.#options.ownHosts.some(
      (host) => target === `${host.toLowerCase()}:443` || target === `[${host.toLowerCase()}]:443`,
    );
    if (!allowed) {
      socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
      return;
    }
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
    if (head.length > 0) socket.unshift(head);
    this.#https.emit('connection', socket as Socket);
  }

  async #serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    // An answer that has been sent leaves nobody to tell, and an abort costs a stack trace.
    response.once('close', () => {
      if (!response.writableFinished) gone.abort();
    });
    try {
      const answer = await this.#options.server.handle(this.#requestOf(message, gone.signal));
      if (answer.status === 413 || answer.status === 408) response.setHeader('connection', 'close');
      await sendResponse(message, response, answer, gone.signal);
    } catch (error) {
      if (!gone.signal.aborted) this.#options.logger.error('answer could not be sent', { path: message.url, error });
      response.destroy();
    }
  }

  async #upgrade(message: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const gone = new AbortController();
    socket.once('close', () => gone.abort());
    socket.on('error', () => socket.destroy());
    const answer = await this.#options.server.handle(this.#requestOf(message, gone.signal));
    if (answer.body.kind === 'upgrade') {
      answer.body.accept(socket, head);
      return;
    }
    const text = answer.body.kind === 'object' ? JSON.stringify(answer.body.object) : answer.body.kind === 'text' ? answer.body.text : '';
    writeRaw(socket, answer.status, text);
  }

  /** What the client is still sending is read for a moment: closing at once would take the answer away from it. */
  #broken(error: NodeJS.ErrnoException, socket: Duplex): void {
    if (this.#answered.has(socket)) return;
    this.#answered.add(socket);
    answerBroken(error, socket);
    socket.resume();
    const cancel = this.#options.clock.after(closeGraceMs, () => socket.destroy());
    socket.once('close', cancel);
  }

  #requestOf(message: IncomingMessage, signal: AbortSignal): ApiRequest {
    const target = message.url ?? '/';
    const at = target.indexOf('?');
    const hasBody = message.headers['content-length'] !== undefined || message.headers['transfer-encoding'] !== undefined;
    return {
      method: message.method ?? 'GET',
      path: at === -1 ? target : target.slice(0, at),
      query: new URLSearchParams(at === -1 ? '' : target.slice(at + 1)),
      headers: headersOf(message),
      credentials: credentialsOf(message.socket as TLSSocket),
      ...(hasBody ? { body: requestBody(message, this.#options.clock) } : {}),
      signal,
    };
  }
}

function headersOf(message: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, values] of Object.entries(message.headersDistinct)) headers[name] = (values ?? []).join(', ');
  return headers;
}

/** Of a connection, however many requests come over it: parsing the certificate takes longer than serving a small one. */
const known = new WeakMap<TLSSocket, Credentials>();

function credentialsOf(socket: TLSSocket): Credentials {
  let credentials = known.get(socket);
  if (credentials === undefined) {
    credentials = readCredentials(socket);
    known.set(socket, credentials);
  }
  return credentials;
}

function readCredentials(socket: TLSSocket): Credentials {
  socket.disableRenegotiation();
  const remote = socket.remoteAddress === undefined ? {} : { remoteAddress: socket.remoteAddress };
  if (!socket.authorized) return { kind: 'wire', ...remote };
  // Node types one value of each; a certificate may carry several.
  const subject = socket.getPeerCertificate().subject as unknown as Record<string, string | string[]> | undefined;
  const [commonName = ''] = asList(subject?.['CN']);
  return { kind: 'wire', ...remote, certificate: { commonName, organizations: asList(subject?.['O']) } };
}

function asList(value: string | string[] | undefined): string[] {
  return value === undefined ? [] : typeof value === 'string' ? [value] : value;
}

/** A head that cannot be read, is too long or too slow still gets an answer that says so. */
function answerBroken(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? new StatusError('BadRequest', `the request's head is larger than ${maxHeadBytes} bytes`, { code: 431 })
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? new StatusError('Timeout', 'the request did not arrive in time', { code: 408 })
        : new StatusError('BadRequest', `the request is no HTTP/1.1: ${error.message}`);
  writeRaw(socket, status.code, JSON.stringify(status.toStatus()));
}

function writeRaw(socket: Duplex, status: number, text: string): void {
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(text)}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${text}`);
}
