import { BodyFraming } from '#gateway/http/body.ts';
import { incomplete } from '#gateway/http/head.ts';
import { parseResponseHead, ResponseHead } from '#gateway/http/response-head.ts';
import { answers } from '#gateway/errors.ts';
import type { ProxyContext } from '#gateway/proxy/context.ts';
import { Deadline, type Expirable } from '#gateway/proxy/deadlines.ts';
import type { Exchange } from '#gateway/proxy/exchange.ts';
import type { Pod, PooledConnection } from '#gateway/slots/pod.ts';
import type { Wire, WireOwner } from '#gateway/transport/transport.ts';

const head = new ResponseHead();

/** Memory for outgoing heads; a connection holds one only while a request is on it, since the request may have to be sent again. */
const outBytes = 8 * 1024;
const spareOut: Buffer[] = [];

/** A container may be sent a request that cannot be repeated only on a connection used so recently. */
const freshForMs = 1000;

/**
 * A kept connection of the pod for a request; undefined: open a new one. A request that cannot be repeated gets only one that was
 * in use a moment ago, because the container may be closing an older one just now.
 */
export function takeConnection(pod: Pod, repeatable: boolean, now: number): UpstreamConnection | undefined {
  const { idle } = pod;
  const last = idle[idle.length - 1];
  if (last === undefined || (!repeatable && now - last.idleSince > freshForMs)) return undefined;
  const connection = idle.pop() as UpstreamConnection;
  connection.take();
  return connection;
}

/** One connection to a container: sends requests and frames its responses. */
export class UpstreamConnection implements WireOwner, PooledConnection, Expirable {
  readonly wire: Wire;
  idleSince = 0;
  /** An earlier request was answered on it. */
  reused = false;
  /** The head sent last, for sending it again. */
  out: Buffer | null = null;
  outLength = 0;
  readonly #context: ProxyContext;
  readonly #pod: Pod;
  readonly #body = new BodyFraming();
  readonly #deadline: Deadline = new Deadline(this);
  #exchange: Exchange | null = null;
  #phase: 'idle' | 'head' | 'body' | 'tunnel' = 'idle';
  #partial: Buffer | null = null;
  #keep = false;
  #keepMs = -1;

  constructor(context: ProxyContext, pod: Pod, wire: Wire) {
    this.#context = context;
    this.#pod = pod;
    this.wire = wire;
    wire.owner = this;
    wire.resume();
  }

  take(): void {
    this.#deadline.cancel();
  }

  /** Puts `exchange` on the connection; its head is composed into the returned memory of at least `bytes`. */
  begin(exchange: Exchange, bytes: number): Buffer {
    this.#exchange = exchange;
    this.#phase = 'head';
    this.out = bytes <= outBytes ? (spareOut.pop() ?? Buffer.allocUnsafeSlow(outBytes)) : Buffer.allocUnsafeSlow(bytes);
    return this.out;
  }

  onData(bytes: Buffer, start: number, end: number): void {
    if (this.#exchange === null) {
      // Bytes nobody asked for: the connection cannot be trusted any more.
      this.discard();
      return;
    }
    if (this.#partial === null) this.#received(this.#exchange, bytes, start, end);
    else {
      const joined = Buffer.concat([this.#partial, bytes.subarray(start, end)]);
      this.#partial = null;
      this.#received(this.#exchange, joined, 0, joined.length);
    }
  }

  #received(exchange: Exchange, bytes: Buffer, start: number, end: number): void {
    if (this.#phase === 'tunnel') return exchange.relayBody(bytes, start, end);
    let at = start;
    while (this.#phase === 'head') {
      const next = parseResponseHead(bytes, at, end, head);
      if (next === incomplete && end - at < this.#context.limits.maxHeadBytes) {
        this.#partial = Buffer.from(bytes.subarray(at, end));
        return;
      }
      if (next <= 0) return this.#broken(exchange);
      if (head.status === 101) return this.#switchProtocol(exchange, bytes, at, end);
      if (head.status >= 200) return this.#respond(exchange, bytes, at, next, end);
      exchange.relayInterim(bytes, at, next);
      at = next;
      if (at === end) return;
    }
    this.#content(exchange, bytes, at, end, start);
  }

  /** Final response head at `at`, content from `next`. */
  #respond(exchange: Exchange, bytes: Buffer, at: number, next: number, end: number): void {
    const body = this.#body;
    const { status } = head;
    if (exchange.isHead || status === 204 || status === 304) body.none();
    else if (head.chunked) body.chunked();
    else if (head.contentLength >= 0) body.length(head.contentLength);
    else body.untilClose();
    this.#keep = !head.close && body.kind !== 'close';
    this.#keepMs = head.keepAliveMs;
    this.#phase = 'body';
    if (exchange.mustDechunk(body.kind)) {
      exchange.relayHead(bytes, at, next, next, head, true);
      return this.#content(exchange, bytes, next, end, next);
    }
    const stop = body.done ? next : body.consume(bytes, next, end);
    if (stop < 0) return this.#broken(exchange);
    exchange.relayHead(bytes, at, next, stop, head, body.kind === 'close');
    if (body.done) this.#finish(exchange, stop === end);
  }

  #content(exchange: Exchange, bytes: Buffer, at: number, end: number, _start: number): void {
    const dechunk = exchange.mustDechunk(this.#body.kind);
    const stop = this.#body.consume(bytes, at, end, dechunk ? (from, to) => exchange.relayBody(bytes, from, to) : undefined);
    if (stop < 0) return this.#broken(exchange);
    if (!dechunk && stop > at) exchange.relayBody(bytes, at, stop);
    if (this.#body.done) this.#finish(exchange, stop === end);
  }

  #switchProtocol(exchange: Exchange, bytes: Buffer, at: number, end: number): void {
    if (!exchange.upgrading) return this.#broken(exchange);
    this.#phase = 'tunnel';
    this.#returnOut();
    exchange.switchProtocol(bytes, at, end);
  }

  /** The response is complete. */
  #finish(exchange: Exchange, clean: boolean): void {
    this.#exchange = null;
    this.#phase = 'idle';
    const keep = this.#keep && clean && exchange.requestComplete && !this.wire.pending && !this.#pod.draining && !this.wire.closed;
    this.wire.rest();
    this.#returnOut();
    if (keep) this.#pool();
    else this.wire.close(exchange.requestComplete);
    exchange.finished();
  }

  #pool(): void {
    const announced = this.#keepMs;
    const { upstreamIdleMs } = this.#context.limits;
    const keepMs = announced < 0 ? upstreamIdleMs : Math.min(upstreamIdleMs, Math.max(announced - 1000, announced / 2));
    const now = this.#context.clock.monotonic();
    this.reused = true;
    this.idleSince = now;
    if (keepMs < 100) {
      this.wire.close();
      return;
    }
    this.wire.resume();
    this.#pod.idle.push(this);
    this.#context.deadlines.of(keepMs).set(this.#deadline, now);
  }

  #returnOut(): void {
    const { out } = this;
    this.out = null;
    if (out !== null && out.length === outBytes && !this.wire.pending && spareOut.length < 256) spareOut.push(out);
  }

  onDrain(): void {
    this.#exchange?.upstreamDrained();
  }

  /** The container takes no more; it may have answered before, and what it sent is still to be read. */
  onWriteFailed(): void {
    if (this.#exchange === null) this.discard();
    else this.wire.resume();
  }

  onEnd(clean: boolean): void {
    const exchange = this.#exchange;
    if (exchange === null) {
      this.discard();
      return;
    }
    this.wire.close();
    if (this.#phase === 'tunnel') {
      this.#exchange = null;
      exchange.tunnelEnded();
    } else if (this.#phase === 'head') {
      this.#exchange = null;
      exchange.upstreamLost(this, this.reused && this.#partial === null);
    } else if (this.#body.kind === 'close' && clean) this.#finish(exchange, true);
    else this.#broken(exchange);
  }

  #broken(exchange: Exchange): void {
    this.#exchange = null;
    this.wire.close();
    exchange.upstreamBroken(answers.upstreamMalformed);
  }

  /** A last chunk can be sent now: everything relayed so far ends a chunk. */
  get atChunkBoundary(): boolean {
    return this.#phase === 'body' && this.#body.atChunkBoundary;
  }

  /** The exchange gives up on the connection. */
  abort(): void {
    this.#exchange = null;
    this.wire.close();
    this.#returnOut();
  }

  /** Unused for too long, or of no use any more. */
  discard(): void {
    this.#deadline.cancel();
    this.wire.close();
    const index = this.#pod.idle.indexOf(this);
    if (index >= 0) this.#pod.idle.splice(index, 1);
  }

  expired(): void {
    this.discard();
  }
}
