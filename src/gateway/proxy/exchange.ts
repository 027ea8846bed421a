import { answers, type GatewayAnswer } from '#gateway/errors.ts';
import type { BodyKind } from '#gateway/http/body.ts';
import { latin1 } from '#gateway/http/bytes.ts';
import { dropNamed } from '#gateway/http/head.ts';
import type { RequestHead } from '#gateway/http/request-head.ts';
import type { ResponseHead } from '#gateway/http/response-head.ts';
import { describeRequest, type RequestDescription } from '#gateway/proxy/access-record.ts';
import type { ClientConnection } from '#gateway/proxy/client-connection.ts';
import { composedBound, composeRequest, composeResponseHead, dropHost, responseBound, wantsUpgrade } from '#gateway/proxy/compose.ts';
import type { ProxyContext } from '#gateway/proxy/context.ts';
import { Deadline, type Expirable } from '#gateway/proxy/deadlines.ts';
import { takeConnection, UpstreamConnection } from '#gateway/proxy/upstream-connection.ts';
import type { PathRule, Target } from '#gateway/routes/route-table.ts';
import type { Backend, SlotWaiter } from '#gateway/slots/backend.ts';
import type { Pod } from '#gateway/slots/pod.ts';
import { scratch } from '#gateway/transport/scratch.ts';

const lastChunk = latin1('0\r\n\r\n');
/** Status noted for a request whose client hung up first. */
const clientClosed = 499;

/**
 * One request from its head to the end of its response: gets a slot, a connection, sends the request, relays the response, and
 * sees that whatever happens the slot is released, the counters are right and the client gets one answer.
 */
export class Exchange implements SlotWaiter, Expirable {
  readonly isHead: boolean;
  /** HTTP/1.0 clients get no chunks and no interim responses. */
  readonly minor: number;
  readonly upgrading: boolean;
  /** Idempotent and without content: may be sent a second time. */
  readonly #repeatable: boolean;
  readonly #expectContinue: boolean;
  readonly #context: ProxyContext;
  readonly #client: ClientConnection;
  readonly #backend: Backend;
  readonly #arrivedAt: number;
  readonly #total: Deadline = new Deadline(this);
  /** Connecting, then waiting for the response to begin. */
  #phase: Deadline | null = null;
  /** No byte from the container for too long. */
  #idle: Deadline | null = null;
  #pod: Pod | null = null;
  #upstream: UpstreamConnection | null = null;
  #cancelConnect: (() => void) | null = null;
  #firstFailureAt = -1;
  /** The composed head, when it could not be sent at once. */
  #head: Buffer | null = null;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #cold = false;
  #status = 0;
  #sentBytes = 0;
  #tunnel = false;
  #over = false;
  #description: RequestDescription | null = null;

  constructor(context: ProxyContext, client: ClientConnection, backend: Backend, bytes: Buffer, head: RequestHead) {
    this.#context = context;
    this.#client = client;
    this.#backend = backend;
    this.isHead = head.isHead;
    this.minor = head.minor;
    this.upgrading = head.connectionUpgrade && client.body.done && wantsUpgrade(bytes, head);
    this.#repeatable = head.idempotent && client.body.done;
    this.#expectContinue = head.expectContinue;
    this.#arrivedAt = context.clock.monotonic();
  }

  /** Starts with the head just parsed and the part of its content `[from, to)` that came with it. */
  begin(bytes: Buffer, head: RequestHead, rule: PathRule, target: Target, from: number, to: number): void {
    const backend = this.#backend;
    const { config } = backend;
    backend.meter.arrive(this.#arrivedAt);
    if (this.#context.accessLog !== undefined)
      this.#description = describeRequest(bytes, head, this.#client.remoteAddress, this.#client.version);
    if (backend.isUnreachable) return this.#answer(answers.noEndpoints);
    if (config.timeoutMs > 0) this.#context.deadlines.of(config.timeoutMs).set(this.#total, this.#arrivedAt);
    if (target.overrides.length > 0) dropNamed(bytes, head, target.overrides);
    if (rule.rewriteHost !== undefined) dropHost(head);
    const pod = backend.acquire(this);
    if (pod === 'full') return this.#answer(answers.queueFull);
    if (pod === 'waiting') {
      this.#cold = backend.pods.length === 0;
      const { queueMs } = this.#context.limits;
      if (queueMs > 0) this.#setPhase(queueMs);
      return this.#compose(bytes, head, rule, target, from, to, null);
    }
    this.#pod = pod;
    const connection = takeConnection(pod, this.#repeatable, this.#arrivedAt);
    this.#compose(bytes, head, rule, target, from, to, connection ?? null);
    if (connection === undefined && !this.#over) this.#connect(pod);
  }

  /** Rewrites the head: straight into the connection's memory and out when there is one, else to be held. */
  #compose(
    bytes: Buffer,
    head: RequestHead,
    rule: PathRule,
    target: Target,
    from: number,
    to: number,
    on: UpstreamConnection | null,
  ): void {
    const { rewriteHost } = rule;
    const bound = composedBound(head, target, rewriteHost);
    const out = on === null ? scratch(bound) : on.begin(this, bound);
    const options = { target, rewriteHost, lines: this.#client.lines(), trusted: this.#client.side.trusted };
    let length = composeRequest(out, bytes, head, options);
    if (on === null) {
      this.#head = Buffer.from(out.subarray(0, length));
      if (to > from) this.#hold(bytes.subarray(from, to));
      return;
    }
    this.#upstream = on;
    on.outLength = length;
    let rest = from;
    if (to - from <= out.length - length) {
      // One write for head and content: a write costs more than a copy.
      length += bytes.copy(out, length, from, to);
      rest = to;
    }
    this.#sent(on, on.wire.write(out.subarray(0, length)));
    if (rest < to) this.#sent(on, on.wire.write(bytes.subarray(rest, to)));
    this.#startResponseTimers();
  }

  #sent(on: UpstreamConnection, complete: boolean): void {
    if (!complete && on.wire.pending) this.#client.pauseBody();
  }

  #hold(bytes: Buffer): void {
    this.#held.push(Buffer.from(bytes));
    this.#heldBytes += bytes.length;
    this.#context.heldBytes += bytes.length;
    if (this.#context.heldBytes > this.#context.limits.maxTotalHeldBytes) return this.#answer(answers.queueFull);
    if (this.#heldBytes >= this.#context.limits.maxHeldBytes) this.#client.pauseBody();
  }

  /** A slot is free now. */
  granted(pod: Pod): void {
    if (this.#cold) {
      this.#cold = false;
      this.#backend.coldStarts.observe(this.#context.clock.monotonic() - this.#arrivedAt);
    }
    this.#phase?.cancel();
    this.#use(pod);
  }

  refused(): void {
    this.#answer(answers.noEndpoints);
  }

  #use(pod: Pod): void {
    this.#pod = pod;
    const connection = takeConnection(pod, this.#repeatable, this.#context.clock.monotonic());
    if (connection === undefined) this.#connect(pod);
    else this.#sendHeld(connection);
  }

  #connect(pod: Pod): void {
    this.#setPhase(this.#context.limits.connectMs);
    this.#cancelConnect = this.#context.connect(pod, (wire, reused) => {
      this.#cancelConnect = null;
      this.#phase?.cancel();
      if (wire === undefined) return this.#connectFailed(pod);
      pod.failures = 0;
      const connection = new UpstreamConnection(this.#context, pod, wire);
      connection.reused = reused;
      this.#sendHeld(connection);
    });
  }

  /** Nothing was sent yet, so any request may go to another pod, or to the same one a little later. */
  #connectFailed(pod: Pod): void {
    const now = this.#context.clock.monotonic();
    if (this.#firstFailureAt < 0) this.#firstFailureAt = now;
    this.#pod = null;
    this.#backend.retries++;
    this.#backend.podFailed(pod);
    this.#backend.release(pod);
    if (now - this.#firstFailureAt > this.#context.limits.connectTotalMs) return this.#answer(answers.connectFailed);
    if (this.#backend.isUnreachable) return this.#answer(answers.noEndpoints);
    const next = this.#backend.acquireAgain(this);
    if (next !== 'waiting') this.#use(next);
  }

  #sendHeld(on: UpstreamConnection): void {
    const head = this.#head as Buffer;
    const out = on.begin(this, head.length);
    this.#upstream = on;
    on.outLength = head.copy(out, 0);
    const held = this.#takeHeld();
    const total = on.outLength + held.reduce((sum, part) => sum + part.length, 0);
    if (total <= out.length) {
      let length = on.outLength;
      for (const part of held) length += part.copy(out, length);
      this.#sent(on, on.wire.write(out.subarray(0, length)));
    } else {
      this.#sent(on, on.wire.write(out.subarray(0, on.outLength)));
      for (const part of held) this.#sent(on, on.wire.write(part));
    }
    this.#startResponseTimers();
    if (!on.wire.pending) this.#client.resumeBody();
  }

  #takeHeld(): Buffer[] {
    const held = this.#held;
    this.#context.heldBytes -= this.#heldBytes;
    this.#held = [];
    this.#heldBytes = 0;
    return held;
  }

  /** More request content. */
  sendBody(bytes: Buffer): void {
    const on = this.#upstream;
    if (on === null) this.#hold(bytes);
    else this.#sent(on, on.wire.write(bytes));
  }

  upstreamDrained(): void {
    this.#client.resumeBody();
  }

  clientDrained(): void {
    this.#upstream?.wire.resume();
  }

  get requestComplete(): boolean {
    return this.#client.body.done;
  }

  get tunnel(): boolean {
    return this.#tunnel;
  }

  mustDechunk(kind: BodyKind): boolean {
    return this.minor === 0 && kind === 'chunked';
  }

  relayInterim(bytes: Buffer, from: number, to: number): void {
    if (this.minor === 1) this.#toClient(bytes.subarray(from, to));
  }

  /** The response head, together with the content `[next, stop)` that came with it. */
  relayHead(bytes: Buffer, start: number, next: number, stop: number, head: ResponseHead, untilClose: boolean): void {
    const client = this.#client;
    this.#phase?.cancel();
    this.#status = head.status;
    if (untilClose || this.minor === 0 || this.#context.draining || (this.#expectContinue && !client.body.done))
      client.closeAfterResponse();
    if (this.mustDechunk(head.chunked ? 'chunked' : 'none')) dropNamed(bytes, head, ['transfer-encoding']);
    const bound = responseBound(start, head);
    const out = scratch(bound + stop - next);
    const length = composeResponseHead(out, bytes, start, head, client.closing);
    const end = length + bytes.copy(out, length, next, stop);
    this.#toClient(out.subarray(0, end));
  }

  relayBody(bytes: Buffer, from: number, to: number): void {
    if (this.#tunnel) this.#phase?.cancel();
    if (to > from) this.#toClient(bytes.subarray(from, to));
  }

  #toClient(bytes: Buffer): void {
    this.#sentBytes += bytes.length;
    if (this.#idle !== null) this.#idle.list?.set(this.#idle, this.#context.clock.monotonic());
    if (!this.#client.send(bytes)) this.#upstream?.wire.pause();
  }

  /** The response of an upgraded connection starts with the first bytes after the switch: until then its time runs on. */
  switchProtocol(bytes: Buffer, from: number, to: number): void {
    this.#status = 101;
    this.#tunnel = true;
    if (this.#pod !== null) this.#pod.tunnels++;
    this.#toClient(bytes.subarray(from, to));
    this.#client.becomeTunnel();
  }

  /** The response is complete and the connection is already back in the pool or closed. */
  finished(): void {
    this.#upstream = null;
    this.#end(this.#status);
    this.#client.exchangeOver();
  }

  /** Closed before a byte of the response. On a kept connection that is no statement about the request. */
  upstreamLost(connection: UpstreamConnection, stale: boolean): void {
    this.#upstream = null;
    if (!stale || !this.#repeatable || this.#pod === null) return this.upstreamBroken(answers.upstreamClosed);
    this.#backend.retries++;
    this.#head ??= Buffer.from((connection.out as Buffer).subarray(0, connection.outLength));
    this.#connect(this.#pod);
  }

  upstreamBroken(answer: GatewayAnswer): void {
    this.#upstream = null;
    if (this.#status === 0) return this.#answer(answer);
    this.#end(this.#status);
    this.#client.destroy();
  }

  tunnelEnded(): void {
    this.#upstream = null;
    this.#end(101);
    this.#client.endTunnel();
  }

  clientGone(): void {
    if (this.#over) return;
    this.#abandon();
    this.#end(this.#status === 0 ? clientClosed : this.#status);
  }

  expired(deadline: Deadline): void {
    if (deadline === this.#phase && this.#cancelConnect !== null) {
      this.#cancelConnect();
      this.#cancelConnect = null;
      return this.#connectFailed(this.#pod as Pod);
    }
    const waiting = this.#pod === null;
    if (this.#status === 0) return this.#answer(waiting ? answers.waitTimeout : answers.requestTimeout);
    this.#cut();
  }

  /**
   * Time is up in the middle of a response. As with Knative's queue-proxy the response ends early: with a last chunk where the
   * framing allows, otherwise by closing the connection.
   */
  #cut(): void {
    const client = this.#client;
    const terminate = !this.#tunnel && this.minor === 1 && this.#upstream?.atChunkBoundary === true;
    this.#abandon();
    this.#end(this.#status);
    if (!terminate) return client.destroy();
    client.closeAfterResponse();
    client.send(lastChunk);
    client.exchangeOver();
  }

  /** Answers for the container. */
  #answer(answer: GatewayAnswer): void {
    this.#abandon();
    this.#end(answer.status);
    this.#client.reply(answer);
  }

  /** For the client's side: the request cannot be completed and its answer is `answer`, unless a response has begun. */
  refuse(answer: GatewayAnswer): void {
    if (this.#status === 0) return this.#answer(answer);
    this.#abandon();
    this.#end(this.#status);
    this.#client.destroy();
  }

  #abandon(): void {
    this.#cancelConnect?.();
    this.#cancelConnect = null;
    this.#upstream?.abort();
    this.#upstream = null;
    if (this.#pod === null) this.#backend.leave(this);
  }

  #setPhase(durationMs: number): void {
    this.#phase ??= new Deadline(this);
    this.#context.deadlines.of(durationMs).set(this.#phase, this.#context.clock.monotonic());
  }

  #startResponseTimers(): void {
    const { responseStartTimeoutMs, idleTimeoutMs } = this.#backend.config;
    if (responseStartTimeoutMs > 0 && this.#status === 0) this.#setPhase(responseStartTimeoutMs);
    if (idleTimeoutMs === 0) return;
    this.#idle ??= new Deadline(this);
    this.#context.deadlines.of(idleTimeoutMs).set(this.#idle, this.#context.clock.monotonic());
  }

  #end(status: number): void {
    this.#over = true;
    const backend = this.#backend;
    const now = this.#context.clock.monotonic();
    this.#total.cancel();
    this.#phase?.cancel();
    this.#idle?.cancel();
    if (this.#heldBytes > 0) this.#takeHeld();
    backend.meter.depart(now);
    backend.latency.observe(now - this.#arrivedAt);
    const digit = status === clientClosed ? 0 : Math.min(5, Math.floor(status / 100));
    backend.statuses[digit] = (backend.statuses[digit] as number) + 1;
    if (this.#description !== null) this.#log(this.#description, status, now);
    const pod = this.#pod;
    this.#pod = null;
    if (pod === null) return;
    if (this.#tunnel) pod.tunnels--;
    backend.release(pod);
  }

  #log(description: RequestDescription, status: number, now: number): void {
    const { namespace, name, service = '', configuration = '' } = this.#backend.config;
    const target = this.#pod?.target;
    this.#context.accessLog?.({
      ...description,
      time: this.#context.clock.now(),
      status,
      durationMs: now - this.#arrivedAt,
      responseBytes: this.#sentBytes,
      namespace,
      revision: name,
      service,
      configuration,
      pod: this.#pod?.key ?? '',
      podIp: target !== undefined && 'host' in target ? target.host : '',
    });
  }
}
