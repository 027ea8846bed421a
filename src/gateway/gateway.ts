import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { StatsPoke } from '#apis/dormouse/stats.ts';
import type { Client } from '#client/client.ts';
import type { Informers } from '#client/informer-types.ts';
import type { ControllerContext, Enqueue, EventRecorder } from '#controller/controller.ts';
import { runControllers } from '#controller/runner.ts';
import { systemClock, type Clock } from '#core/clock.ts';
import { silentLogger, type Logger } from '#core/logger.ts';
import { noMetrics, type Metrics } from '#core/metrics.ts';
import { startAdmin, type Admin } from '#gateway/admin.ts';
import { drainMarkerModule } from '#gateway/controller/drain-marker.ts';
import { ingressStatusModule, type LoadBalancers } from '#gateway/controller/ingress-status.ts';
import type { Ingress } from '#gateway/controller/kinds.ts';
import { RequestLogSync } from '#gateway/controller/request-log.ts';
import { RouteSync } from '#gateway/controller/route-sync.ts';
import { RouteSnapshot } from '#gateway/controller/snapshot.ts';
import { defaultLimits, type ProxyLimits } from '#gateway/proxy/context.ts';
import { Proxy, type ProxyOptions } from '#gateway/proxy/proxy.ts';
import type { RouteConfig } from '#gateway/routes/route-config.ts';
import { accessLog, type AccessLogOptions } from '#gateway/stats/access-log.ts';
import { noStats, pokeOf, StatsCollector, type StatsSink } from '#gateway/stats/collector.ts';
import { StatsStream } from '#gateway/stats/stream.ts';
import { TlsContexts } from '#gateway/tls-contexts.ts';
import { selectTransport } from '#gateway/transport/select.ts';
import type { ListenOptions, WireListener } from '#gateway/transport/transport.ts';

export type { RouteConfig, RuleConfig, BackendConfig, PodConfig, CertificateConfig } from '#gateway/routes/route-config.ts';
export type { StatsSink } from '#gateway/stats/collector.ts';
export { hasKnativeClass } from '#gateway/controller/ingress-rules.ts';
export { bindSocket, type BoundSocket } from '#gateway/transport/bindings.ts';
export type { WireListener } from '#gateway/transport/transport.ts';
export { keptByGateway } from '#gateway/controller/kept.ts';
export type { Proxy } from '#gateway/proxy/proxy.ts';

/** What a proxy needs besides routes; everything has a default. */
export interface DataPlaneOptions {
  readonly transport?: 'auto' | 'raw' | 'net';
  readonly clock?: Clock;
  readonly logger?: Logger;
  readonly limits?: Partial<ProxyLimits>;
  readonly accessLog?: AccessLogOptions;
  readonly stats?: StatsSink;
  /** No request is on a pod that is going away. */
  readonly drained?: (podKey: string) => void;
}

/** A proxy with fixed routes and no API: for tests, benchmarks and whoever only wants the data plane. */
export async function createProxy(routes: RouteConfig, options: DataPlaneOptions = {}): Promise<Proxy> {
  const { clock = systemClock, logger = silentLogger } = options;
  const collector = new StatsCollector(clock, options.stats ?? noStats);
  const proxyOptions: ProxyOptions = {
    transport: await selectTransport(options.transport ?? 'auto', logger),
    clock,
    logger,
    events: {
      get wallOffsetMs() {
        return collector.wallOffsetMs;
      },
      activate: (meter) => collector.activate(meter),
      finished: (meter, second) => collector.finished(meter, second),
      waiting: (backend) => collector.waiting(backend),
      drained: (_backend, pod) => options.drained?.(pod.key),
    },
    limits: { ...connectionLimit(), ...options.limits },
    ...(options.accessLog === undefined ? {} : { accessLog: accessLog(options.accessLog) }),
  };
  const proxy = new Proxy(proxyOptions);
  proxy.apply(routes);
  return proxy;
}

/** Leaves descriptors for connections to containers: without them no request could be answered. */
function connectionLimit(): Partial<ProxyLimits> {
  try {
    const open = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return open === undefined ? {} : { maxConnections: Math.min(defaultLimits.maxConnections, Math.floor(Number(open) * 0.75)) };
  } catch {
    // No such file on this platform: the default it is.
    return {};
  }
}

export interface GatewayOptions {
  readonly client: Client;
  readonly informers: Informers;
  readonly events: EventRecorder;
  readonly listeners: GatewayListeners;
  /** Where the last known routes are kept. */
  readonly dataDir: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics?: Metrics;
  /** Absent: streamed to the autoscaler through the client. */
  readonly stats?: StatsSink;
  readonly transport?: 'auto' | 'raw' | 'net';
  readonly limits?: Partial<ProxyLimits>;
  /** Where the request log goes when config-observability asks for it. */
  readonly writeRequestLog?: (line: string) => void;
  /** What Ingress status says about where requests go in. */
  readonly loadBalancers?: LoadBalancers;
  readonly owns?: (ingress: Ingress) => boolean;
  /** Unique name of this gateway; default: the host's name and the process id. */
  readonly name?: string;
}

/** `trusted`: clients are proxies of ours, whose X-Forwarded-For is extended instead of replaced. */
export type ClientListenOptions = ListenOptions & { readonly trusted?: boolean };

/** `secured`: with TLS, for names that have a certificate. */
export type LocalListenOptions = Omit<ListenOptions, 'tls'> & { readonly secured?: boolean };

/** `http` and `https` serve ExternalIP rules alone; `local` ClusterLocal rules alone, on the pod network. */
export interface GatewayListeners {
  readonly http: ClientListenOptions;
  readonly https?: Omit<ClientListenOptions, 'tls'>;
  readonly local?: readonly LocalListenOptions[];
  readonly admin?: { readonly host?: string; readonly port: number; readonly fd?: number };
}

export interface Gateway {
  readonly proxy: Proxy;
  readonly http: WireListener;
  readonly https: WireListener | undefined;
  readonly local: readonly WireListener[];
  readonly admin: Admin | undefined;
  /** Resolves when the routes are those of the API server (not only the last known ones). */
  readonly synced: Promise<void>;
  /** Another listener for ClusterLocal rules, e.g. when a node's bridge has come up. */
  listenLocal(options: LocalListenOptions): Promise<WireListener>;
  /** Stops accepting, lets requests finish for at most `deadlineMs`, ends everything. */
  drain(deadlineMs?: number): Promise<void>;
}

const defaultLoadBalancers: LoadBalancers = {
  public: { ingress: [{ domainInternal: 'gateway.knative-serving.svc.cluster.local' }] },
  private: { ingress: [{ domainInternal: 'gateway-local.knative-serving.svc.cluster.local' }] },
};

/**
 * Starts the gateway: serves the last known routes at once, then follows the API. Resolves when it listens. The signal ends it
 * hard; `drain` softly.
 */
export async function startGateway(options: GatewayOptions, signal: AbortSignal): Promise<Gateway> {
  const { clock, logger, listeners } = options;
  const life = new AbortController();
  const ended = AbortSignal.any([signal, life.signal]);
  const queues: { pods?: Enqueue; ingresses?: Enqueue } = {};
  const waiting = (): StatsPoke[] =>
    [...proxy.backends.values()].filter(({ queued, thawing }) => queued > 0 || thawing.length > 0).map(pokeOf);
  const stream = new StatsStream({
    client: options.client,
    clock,
    logger,
    gateway: options.name ?? `${hostname()}-${process.pid}`,
    waiting,
  });
  const proxy = await createProxy(emptyRoutes, {
    ...dataPlane(options),
    stats: options.stats ?? stream,
    drained: (key) => queues.pods?.key(key),
  });
  const tls = new TlsContexts(logger);
  const snapshot = new RouteSnapshot(join(options.dataDir, 'routes.json'), clock, logger);
  const known = await snapshot.load();
  if (known !== undefined) {
    proxy.apply(known);
    tls.update(known.certificates);
  }
  const sync = new RouteSync({
    informers: options.informers,
    proxy,
    logger,
    ...(options.owns === undefined ? {} : { owns: options.owns }),
    changed: (config) => {
      tls.update(sync.certificates.configs());
      snapshot.save(config);
    },
    programmed: (key) => queues.ingresses?.key(key),
  });
  const https = listeners.https === undefined ? undefined : await proxy.listen({ ...listeners.https, tls, visibility: 'external' });
  const redirects = https === undefined ? {} : { httpsPort: https.port };
  const http = await proxy.listen({ ...listeners.http, ...redirects, visibility: 'external' });
  const listenLocal = ({ secured = false, ...one }: LocalListenOptions) =>
    proxy.listen({ ...one, ...(secured ? { tls } : {}), visibility: 'local' });
  const local = await Promise.all((listeners.local ?? []).map(listenLocal));
  const moreMetrics = () => (options.metrics ?? noMetrics).expose();
  const admin =
    listeners.admin === undefined
      ? undefined
      : await startAdmin({ ...listeners.admin, proxy, moreMetrics, isDrained: (podKey) => !proxy.uses(podKey) });
  if (options.stats === undefined) void stream.run(ended);
  const modules = [
    ingressStatusModule(
      sync,
      options.loadBalancers ?? defaultLoadBalancers,
      options.owns ?? (() => true),
      (queue) => (queues.ingresses = queue),
    ),
    drainMarkerModule(
      (key) => proxy.uses(key),
      (queue) => (queues.pods = queue),
    ),
  ];
  const synced = follow(options, proxy, sync, modules, ended);
  synced.catch((error: unknown) => ended.aborted || logger.error('the watch on routes has ended', { error }));
  const drain = async (deadlineMs = 30_000) => {
    await proxy.drain(deadlineMs);
    life.abort();
    await Promise.all([snapshot.flush(), admin?.close()]);
  };
  ended.addEventListener('abort', () => void Promise.all([proxy.close(), admin?.close()]), { once: true });
  return { proxy, http, https, local, admin, synced, listenLocal, drain };
}

/** Follows the API: resolves when the first state of it is in effect, and goes on in the background. */
async function follow(
  options: GatewayOptions,
  proxy: Proxy,
  sync: RouteSync,
  modules: Parameters<typeof runControllers>[1],
  signal: AbortSignal,
): Promise<void> {
  const { client, informers, events, clock, logger } = options;
  const context: ControllerContext = { client, informers, events, clock, logger };
  const requestLog = options.writeRequestLog === undefined ? undefined : new RequestLogSync(context, proxy, options.writeRequestLog);
  await informers.start(signal);
  sync.start();
  requestLog?.start();
  const running = runControllers(context, modules, signal, options.metrics === undefined ? {} : { metrics: options.metrics });
  running.catch((error: unknown) => logger.error('the gateway reports no status any more', { error }));
}

const emptyRoutes: RouteConfig = { rules: [], backends: [], certificates: [] };

function dataPlane(options: GatewayOptions): DataPlaneOptions {
  const { transport, clock, logger, limits } = options;
  return {
    clock,
    logger,
    ...(transport === undefined ? {} : { transport }),
    ...(limits === undefined ? {} : { limits }),
  };
}
