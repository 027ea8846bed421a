import { answers, type GatewayAnswer } from '#gateway/errors.ts';
import { BodyFraming } from '#gateway/http/body.ts';
import { LF } from '#gateway/http/bytes.ts';
import { http2Preface, incomplete, targetTooLong, tooManyFields, unsupportedCoding, unsupportedVersion } from '#gateway/http/head.ts';
import { parseRequestHead, RequestHead } from '#gateway/http/request-head.ts';
import { forwardedLines, type ForwardedLines } from '#gateway/proxy/compose.ts';
import type { ClientEnd, ProxyContext, Side } from '#gateway/proxy/context.ts';
import { Deadline, type DeadlineList, type Expirable } from '#gateway/proxy/deadlines.ts';
import { Exchange } from '#gateway/proxy/exchange.ts';
import { answerProbe, healthy, isHealthProbe } from '#gateway/proxy/probe.ts';
import { composeAnswer } from '#gateway/proxy/reply.ts';
import { matchRule, normalizeHost, type HostRoutes } from '#gateway/routes/route-table.ts';
import type { Wire, WireOwner } from '#gateway/transport/transport.ts';

const head = new RequestHead();
/** A unix socket's other end has no address, but is here. */
const thisMachine = '127.0.0.1';

export interface ClientConnectionOptions {
  /** Where the connection is listed; default: with those of all clients. */
  readonly registry?: Set<ClientEnd>;
  /** What the client speaks; 2: the wire is one stream of its connection. */
  readonly version?: 1 | 2;
}

/**
 * One client's connection: frames its requests, answers them in order (one exchange at a time, later requests wait), and keeps
 * next to nothing while it is idle.
 */
export class ClientConnection implements WireOwner, Expirable, ClientEnd {
  readonly side: Side;
  readonly version: 1 | 2;
  readonly body = new BodyFraming();
  /** The connection ends with the current response. */
  closing = false;
  readonly #context: ProxyContext;
  readonly #wire: Wire;
  readonly #registry: Set<ClientEnd>;
  readonly #deadline: Deadline = new Deadline(this);
  #exchange: Exchange | null = null;
  /** Part of a head, or requests that came before the current one was answered. */
  #unread: Buffer | null = null;
  #discarded = 0;
  /** Nothing more is read but to see the end: the answer is on its way out. */
  #lingering = false;
  #isHead = false;
  /** No request has come yet. */
  #fresh = true;
  #routes: HostRoutes | undefined;
  /** The table's version when `#routes` was found. */
  #version = -1;
  #remote: string | null = null;

  constructor(context: ProxyContext, side: Side, wire: Wire, options: ClientConnectionOptions = {}) {
    this.#context = context;
    this.side = side;
    this.version = options.version ?? 1;
    this.#wire = wire;
    this.#registry = options.registry ?? context.clients;
    wire.owner = this;
    this.#registry.add(this);
    this.#wait(context.head);
    wire.resume();
  }

  get idle(): boolean {
    return this.#exchange === null && this.#unread === null;
  }

  get remoteAddress(): string {
    this.#remote ??= this.#wire.remoteAddress().replace(/^::ffff:/, '') || thisMachine;
    return this.#remote;
  }

  /** The forwarding lines of this client; clients of one address share them. */
  lines(): ForwardedLines {
    const known = this.side.lines.get(this.remoteAddress);
    if (known !== undefined) return known;
    if (this.side.lines.size >= 1000) this.side.lines.clear();
    const made = forwardedLines(this.remoteAddress, this.side.scheme);
    this.side.lines.set(this.remoteAddress, made);
    return made;
  }

  #wait(list: DeadlineList): void {
    if (!this.#wire.closed) list.set(this.#deadline, this.#context.clock.monotonic());
  }

  onData(bytes: Buffer, start: number, end: number): void {
    if (this.#lingering) return;
    const exchange = this.#exchange;
    if (exchange !== null) return this.#dataDuring(exchange, bytes, start, end);
    const unread = this.#unread;
    if (unread === null) return this.#requests(bytes, start, end);
    const joined = Buffer.concat([unread, bytes.subarray(start, end)]);
    // A part of a head is looked at again only when another line has ended: no work for a byte at a time.
    if (joined.length < this.#context.limits.maxHeadBytes && !bytes.subarray(start, end).includes(LF)) {
      this.#unread = joined;
      return;
    }
    this.#unread = null;
    this.#requests(joined, 0, joined.length);
  }

  /** Content of the current request, bytes of a tunnel, or the next request already. */
  #dataDuring(exchange: Exchange, bytes: Buffer, start: number, end: number): void {
    if (exchange.tunnel) return exchange.sendBody(bytes.subarray(start, end));
    let at = start;
    if (!this.body.done) {
      at = this.body.consume(bytes, start, end);
      if (at < 0) return exchange.refuse(this.#fatal(answers.badBody));
      if (this.body.done) this.#bodyOver();
      else this.#waitForContent();
      if (at > start) exchange.sendBody(bytes.subarray(start, at));
    }
    if (at < end && !this.#lingering) this.#keepUnread(bytes, at, end);
  }

  /** A stream may rest as long as its request may take: others share its connection, and gRPC streams do rest. */
  #waitForContent(): void {
    if (this.version === 2) this.#deadline.cancel();
    else this.#wait(this.#context.body);
  }

  #bodyOver(): void {
    this.#deadline.cancel();
    this.#wire.rest();
  }

  #keepUnread(bytes: Buffer, from: number, to: number): void {
    const rest = bytes.subarray(from, to);
    this.#unread = this.#unread === null ? Buffer.from(rest) : Buffer.concat([this.#unread, rest]);
    if (this.#unread.length >= this.#context.limits.maxHeldBytes) this.#wire.pause();
  }

  /** Takes one request after the other until one has to be waited for. */
  #requests(bytes: Buffer, start: number, end: number): void {
    let at = start;
    while (at < end) {
      if (this.#exchange !== null || this.#lingering || this.closing || this.#wire.pending) {
        if (!this.#lingering && !this.closing) this.#keepUnread(bytes, at, end);
        return;
      }
      if (!this.body.done) {
        at = this.#discard(bytes, at, end);
        continue;
      }
      const next = parseRequestHead(bytes, at, end, head);
      if (next === incomplete) return this.#partialHead(bytes, at, end);
      if (next < 0) return this.#refuseHead(next, bytes, at, end);
      at = this.#request(bytes, next, end);
    }
    if (this.#exchange === null && !this.#lingering) this.#wait(this.body.done ? this.#context.idle : this.#context.body);
  }

  #partialHead(bytes: Buffer, at: number, end: number): void {
    if (end - at >= this.#context.limits.maxHeadBytes) return this.#refuse(answers.headTooLarge);
    this.#unread = Buffer.from(bytes.subarray(at, end));
    if (this.#deadline.list !== this.#context.head) this.#wait(this.#context.head);
  }

  #refuseHead(code: number, bytes: Buffer, at: number, end: number): void {
    if (code === http2Preface) this.#turnToHttp2(bytes.subarray(at, end));
    else if (code === unsupportedVersion) this.#refuse(answers.badVersion);
    else if (code === tooManyFields) this.#refuse(answers.headTooLarge);
    else if (code === targetTooLong) this.#refuse(answers.targetTooLong);
    else if (code === unsupportedCoding) this.#refuse(answers.badCoding);
    else this.#refuse(answers.malformed);
  }

  /** HTTP/2 by prior knowledge (RFC 9113 §3.3): only as the very first thing on a connection. */
  #turnToHttp2(unread: Buffer): void {
    if (!this.#fresh || !this.#context.http2.accept(this.side, this.#wire, unread)) return this.#refuse(answers.http2);
    this.#deadline.cancel();
    this.#registry.delete(this);
  }

  /** The rest of a request whose answer is already given. */
  #discard(bytes: Buffer, at: number, end: number): number {
    const stop = this.body.consume(bytes, at, end);
    this.#discarded += stop - at;
    if (stop < 0 || this.#discarded > this.#context.limits.maxDiscardedBytes) {
      this.destroy();
      return end;
    }
    return stop;
  }

  /** The request `head` describes, with what follows its head; returns where the next one begins. */
  #request(bytes: Buffer, next: number, end: number): number {
    this.closing = head.close;
    this.#fresh = false;
    this.#isHead = head.isHead;
    this.#discarded = 0;
    if (head.chunked) this.body.chunked();
    else if (head.contentLength > 0) this.body.length(head.contentLength);
    else this.body.none();
    const stop = this.body.done ? next : this.body.consume(bytes, next, end);
    if (stop < 0) {
      this.#refuse(answers.badBody);
      return end;
    }
    // A client that waits for 100 may or may not send its content after another answer.
    const early = head.expectContinue && !this.body.done;
    const routes = this.#findRoutes(bytes);
    const answer = this.#ownAnswer(bytes, routes);
    if (answer !== undefined) {
      this.closing ||= early || this.#context.draining;
      this.reply(answer.answer, answer.headers);
      return stop;
    }
    const rule = matchRule(routes as HostRoutes, bytes, head);
    const target = rule?.targets[rule.deck?.deal() ?? 0];
    if (rule === undefined || target === undefined) {
      this.closing ||= early;
      this.reply(answers.noRoute);
      return stop;
    }
    if (this.body.done) this.#deadline.cancel();
    else this.#waitForContent();
    const exchange = new Exchange(this.#context, this, target.backend, bytes, head);
    this.#exchange = exchange;
    exchange.begin(bytes, head, rule, target, next, stop);
    return stop;
  }

  /** What the gateway answers without a container: probes, redirects, refusals. */
  #ownAnswer(bytes: Buffer, routes: HostRoutes | undefined): { answer: GatewayAnswer; headers?: string } | undefined {
    const method = head.methodEnd - head.start;
    if (method === 7 && bytes.toString('latin1', head.start, head.methodEnd) === 'CONNECT') return { answer: answers.connectMethod };
    if (routes === undefined) return { answer: isHealthProbe(bytes, head) ? healthy : answers.noRoute };
    if (head.probeStart >= 0) return answerProbe(bytes, head, routes);
    if (!routes.redirectToHttps || this.side.scheme === 'https') return undefined;
    const { httpsPort } = this.side;
    const authority = httpsPort === 443 ? routes.host : `${routes.host}:${httpsPort}`;
    const location = `Location: https://${authority}${bytes.toString('latin1', head.targetStart, head.targetEnd)}\r\n`;
    return { answer: { status: 301, reason: 'Moved Permanently', body: '', fault: 'user', retriable: false }, headers: location };
  }

  /** Routes of the Host; those of the last request on this connection when it is the same. */
  #findRoutes(bytes: Buffer): HostRoutes | undefined {
    if (head.hostStart < 0) return undefined;
    const { table } = this.#context;
    const last = this.#routes;
    if (last !== undefined && this.#version === table.version && sameHost(bytes, head.hostStart, head.hostEnd, last.host)) return last;
    this.#version = table.version;
    this.#routes = table[this.side.visibility].get(normalizeHost(bytes.toString('latin1', head.hostStart, head.hostEnd)));
    return this.#routes;
  }

  /** Sends bytes of a response; false: the client is slow, `clientDrained` follows. */
  send(bytes: Buffer): boolean {
    if (this.#wire.write(bytes)) return true;
    this.#wait(this.#context.write);
    return false;
  }

  onDrain(): void {
    if (this.#lingering) return this.#wait(this.#context.linger);
    this.#deadline.cancel();
    if (this.#exchange === null) return this.#proceed();
    if (!this.body.done) this.#waitForContent();
    this.#exchange.clientDrained();
  }

  onEnd(): void {
    this.destroy();
  }

  onWriteFailed(): void {
    this.destroy();
  }

  closeAfterResponse(): void {
    this.closing = true;
  }

  pauseBody(): void {
    this.#wire.pause();
    this.#deadline.cancel();
  }

  resumeBody(): void {
    if (this.#unread === null || this.#unread.length < this.#context.limits.maxHeldBytes) this.#wire.resume();
  }

  /** From now on bytes pass both ways unseen. */
  becomeTunnel(): void {
    this.#deadline.cancel();
    const unread = this.#unread;
    this.#unread = null;
    if (unread !== null) this.#exchange?.sendBody(unread);
    this.#wire.resume();
  }

  endTunnel(): void {
    this.#exchange = null;
    this.#linger();
  }

  /** The response of the current exchange has been handed to the wire. */
  exchangeOver(): void {
    this.#exchange = null;
    if (this.#wire.pending) this.#wait(this.#context.write);
    else this.#proceed();
  }

  /** Answers the current request itself. */
  reply(answer: GatewayAnswer, headers = ''): void {
    this.#exchange = null;
    const { ownAnswers } = this.#context;
    ownAnswers.set(answer.status, (ownAnswers.get(answer.status) ?? 0) + 1);
    this.send(composeAnswer(answer, this.closing, this.#isHead, headers));
    if (this.closing) this.#linger();
    else if (this.#wire.pending) this.#wait(this.#context.write);
    else this.#proceed();
  }

  /** Answers and gives the connection up: what follows cannot be understood. */
  #refuse(answer: GatewayAnswer): void {
    this.#isHead = false;
    this.reply(this.#fatal(answer));
  }

  #fatal(answer: GatewayAnswer): GatewayAnswer {
    this.closing = true;
    return answer;
  }

  /** Everything is answered and sent: on to the next request. */
  #proceed(): void {
    if (this.closing) {
      if (this.body.done && this.#unread === null && !this.#wire.pending) this.destroy(true);
      else this.#linger();
      return;
    }
    this.#wire.resume();
    const unread = this.#unread;
    this.#unread = null;
    if (unread !== null) this.#requests(unread, 0, unread.length);
    else this.#wait(this.body.done ? this.#context.idle : this.#context.body);
  }

  /** Ends our side but reads on for a moment: closing with unread bytes would make the kernel take the answer back. */
  #linger(): void {
    if (this.#lingering) return;
    this.#lingering = true;
    this.#unread = null;
    this.#wire.end();
    this.#wire.resume();
    this.#wait(this.#wire.pending ? this.#context.write : this.#context.linger);
  }

  /** Connections are told by the `Connection: close` of their next response; those without a request just end. */
  retire(now: boolean): void {
    if (now && this.idle) this.destroy();
  }

  /** `complete`: every answer has gone out in full. */
  destroy(complete = false): void {
    this.#wire.close(complete);
    this.#deadline.cancel();
    this.#unread = null;
    this.#registry.delete(this);
    const exchange = this.#exchange;
    this.#exchange = null;
    exchange?.clientGone();
  }

  expired(): void {
    const exchange = this.#exchange;
    if (this.#wire.pending || this.#lingering) return this.destroy();
    if (exchange !== null) return exchange.refuse(this.#fatal(answers.slowBody));
    if (this.#unread !== null) return this.#refuse(answers.slowHead);
    this.destroy();
  }
}

function sameHost(bytes: Buffer, from: number, to: number, host: string): boolean {
  const length = host.length;
  if (to - from !== length && !(to - from > length && bytes[from + length] === 58)) return false;
  for (let index = 0; index < length; index++) if (bytes[from + index] !== host.charCodeAt(index)) return false;
  return true;
}
