import type { Clock } from '#core/clock.ts';
import type { Logger } from '#core/logger.ts';
import { answers } from '#gateway/errors.ts';
import { Http2Client } from '#gateway/http2/client-session.ts';
import { PodSessions } from '#gateway/http2/upstream-sessions.ts';
import { ClientConnection } from '#gateway/proxy/client-connection.ts';
import { defaultLimits, ProxyContext, type AccessRecord, type ProxyLimits, type Side } from '#gateway/proxy/context.ts';
import { composeAnswer } from '#gateway/proxy/reply.ts';
import type { RouteTable } from '#gateway/routes/route-table.ts';
import type { BackendConfig, RouteConfig, RuleConfig, Visibility } from '#gateway/routes/route-config.ts';
import { Backend, type BackendEvents } from '#gateway/slots/backend.ts';
import type { Pod } from '#gateway/slots/pod.ts';
import type { ListenOptions, Transport, Wire, WireListener } from '#gateway/transport/transport.ts';

export interface ProxyOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly events: BackendEvents;
  readonly limits?: Partial<ProxyLimits>;
  /** Called for every request that reached a route. Absent: no access log and no cost. */
  readonly accessLog?: (record: AccessRecord) => void;
}

export interface ProxyListenOptions extends ListenOptions {
  readonly visibility: Visibility;
  readonly trusted?: boolean;
  /** Port of the https listener, for redirects. Default 443. */
  readonly httpsPort?: number;
}

/**
 * The data plane without any knowledge of Kubernetes: listeners, routes, backends. Routes and backends may change at any moment;
 * requests in progress go on with what they started with.
 */
export class Proxy {
  readonly #context: ProxyContext;
  readonly #events: BackendEvents;
  readonly #backends = new Map<string, Backend>();
  /** Removed, with requests in their containers. */
  readonly #closing = new Set<Backend>();
  readonly #listeners: WireListener[] = [];

  constructor(options: ProxyOptions) {
    const limits = { ...defaultLimits, ...options.limits };
    const { transport, clock, logger } = options;
    this.#context = new ProxyContext(transport, clock, logger, limits, {
      accept: (side, wire, unread) => this.#turnToHttp2(side, wire, unread),
      connect: (pod, callback) => this.#sessionsOf(pod).connect(callback),
    });
    this.#context.accessLog = options.accessLog;
    this.#events = options.events;
  }

  /** Accepts clients; resolves when it listens. */
  async listen(options: ProxyListenOptions): Promise<WireListener> {
    const context = this.#context;
    const side: Side = {
      visibility: options.visibility,
      scheme: options.tls === undefined ? 'http' : 'https',
      trusted: options.trusted ?? false,
      httpsPort: options.httpsPort ?? 443,
      lines: new Map(),
    };
    const full = () => context.clients.size >= context.limits.maxConnections;
    const listener = await context.transport.listen(options, {
      wire(wire) {
        if (!full()) return void new ClientConnection(context, side, wire);
        wire.write(composeAnswer(answers.tooManyConnections, true, false));
        wire.close();
      },
      http2(socket) {
        if (full()) socket.destroy();
        else void new Http2Client(context, side, socket);
      },
    });
    this.#listeners.push(listener);
    return listener;
  }

  #turnToHttp2(side: Side, wire: Wire, unread: Buffer): boolean {
    const socket = wire.toSocket?.(unread);
    if (socket === undefined) return false;
    void new Http2Client(this.#context, side, socket);
    return true;
  }

  #sessionsOf(pod: Pod): PodSessions {
    pod.shared ??= new PodSessions(this.#context, pod);
    return pod.shared as PodSessions;
  }

  /** Replaces everything; the rules have '' as their owner. */
  apply(config: RouteConfig): void {
    const wanted = new Set(config.backends.map(({ key }) => key));
    for (const backend of config.backends) this.setBackend(backend);
    for (const owner of this.table.owners) if (owner !== '') this.setRules(owner, []);
    this.setRules('', config.rules);
    for (const key of this.#backends.keys()) if (!wanted.has(key)) this.removeBackend(key);
  }

  /** The rules of an owner from now on; backends that they name must be known. */
  setRules(owner: string, rules: readonly RuleConfig[]): void {
    this.table.set(owner, rules, (key) => this.#backend(key));
  }

  /** Adds a backend or changes its pods and settings, effective for the next request. */
  setBackend(config: BackendConfig): Backend {
    const known = this.#backends.get(config.key);
    if (known !== undefined) {
      known.update(config);
      return known;
    }
    const backend = new Backend(config, this.#context.clock, this.#events);
    this.#backends.set(config.key, backend);
    return backend;
  }

  /** Requests that wait for it are refused; those in its containers finish. */
  removeBackend(key: string): void {
    const backend = this.#backends.get(key);
    if (backend === undefined) return;
    this.#backends.delete(key);
    backend.close();
    if (backend.running > 0) this.#closing.add(backend);
  }

  /** Whether the pod may still get requests or has some that its stop must wait for, its backend removed or not. */
  uses(podKey: string): boolean {
    for (const backend of this.#closing) if (backend.running === 0) this.#closing.delete(backend);
    return [...this.#backends.values(), ...this.#closing].some((backend) => backend.uses(podKey));
  }

  #backend(key: string): Backend {
    const backend = this.#backends.get(key);
    if (backend === undefined) throw new Error(`rule names unknown backend ${key}`);
    return backend;
  }

  get backends(): ReadonlyMap<string, Backend> {
    return this.#backends;
  }
  get table(): RouteTable {
    return this.#context.table;
  }
  get connections(): number {
    return this.#context.clients.size;
  }
  /** Open HTTP/2 streams, all connections together. */
  get streams(): number {
    return this.#context.streams;
  }
  get draining(): boolean {
    return this.#context.draining;
  }
  /** Answers given without a container, by status. */
  get ownAnswers(): ReadonlyMap<number, number> {
    return this.#context.ownAnswers;
  }

  /**
   * Stops accepting, lets requests finish for at most `deadlineMs`, then closes what is left. Idle connections are kept for
   * `idleGraceMs`, so that a client just sending its next request still gets an answer (with `Connection: close`).
   */
  async drain(deadlineMs: number, idleGraceMs = 1000): Promise<void> {
    const context = this.#context;
    context.draining = true;
    await Promise.all(this.#listeners.map((listener) => listener.close()));
    const { promise, resolve } = Promise.withResolvers<void>();
    const started = context.clock.monotonic();
    const look = () => {
      const passed = context.clock.monotonic() - started;
      for (const client of context.clients) {
        if (passed >= deadlineMs) client.destroy();
        else client.retire(passed >= idleGraceMs);
      }
      if (context.clients.size === 0) resolve();
      else context.clock.after(50, look);
    };
    look();
    await promise;
    for (const backend of this.#backends.values()) for (const pod of backend.pods) pod.discardIdle();
  }

  /** Requests that begin from now on are logged in this way, or not at all. */
  setAccessLog(log: ((record: AccessRecord) => void) | undefined): void {
    this.#context.accessLog = log;
  }

  /** Closes everything at once. */
  async close(): Promise<void> {
    await this.drain(0, 0);
  }
}
