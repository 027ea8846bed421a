import { nodes } from '#apis/core/v1/node.ts';
import { pods } from '#apis/core/v1/pod.ts';
import { services } from '#apis/core/v1/service.ts';
import { endpointSlices } from '#apis/discovery/v1/endpoint-slice.ts';
import {
  clusterDomain,
  gatewayService,
  localGatewayPort,
  localGatewayService,
  localGatewayTlsPort,
  podNetworkAnnotation,
  type PodNetwork,
} from '#apis/dormouse/names.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import type { Client } from '#client/client.ts';
import { createInformers } from '#client/informer.ts';
import type { Informers } from '#client/informer-types.ts';
import { createEventRecorder } from '#controller/events.ts';
import { systemClock } from '#core/clock.ts';
import { writeLogLine, type Logger } from '#core/logger.ts';
import { hasKnativeClass, keptByGateway, startGateway, type Gateway } from '#gateway/gateway.ts';
import { keptByRelay, startServiceRelay } from '#node/services/service-relay.ts';
import { certificateClient } from '#platform/connection.ts';
import { isRoot } from '#platform/settings.ts';
import { runProcess, type ProcessContext, type Started } from '#platform/process.ts';

/** The supervisor's sockets, inherited in this order. */
const [httpDescriptor, httpsDescriptor, adminDescriptor] = [3, 4, 5];
const drainMs = 30_000;

runProcess(start);

/** The gateway process: listens at once with the last known routes, and follows the API. */
async function start({ config, logger, signal }: ProcessContext): Promise<Started> {
  const { settings, ports, layout } = config;
  const client = certificateClient(config, 'gateway');
  const informers = createInformers(client, { clock: systemClock, logger, keep: keptByGateway });
  // Asked for before the informers start, so that they wait for them too.
  for (const resource of [nodes, endpointSlices, pods]) informers.of<KubeObject>(resource);
  const address = ['0.0.0.0', '::'].includes(settings.listen) ? '127.0.0.1' : settings.listen;
  const gateway = await startGateway(
    {
      client,
      informers,
      events: createEventRecorder({ client, component: 'gateway', clock: systemClock, logger }),
      listeners: {
        http: { fd: httpDescriptor, port: ports.httpPort },
        https: { fd: httpsDescriptor, port: ports.httpsPort },
        admin: { fd: adminDescriptor, port: ports.adminPort },
      },
      dataDir: layout.gatewayDir,
      clock: systemClock,
      logger,
      writeRequestLog: writeLogLine,
      owns: hasKnativeClass,
      loadBalancers: {
        public: { ingress: [{ ip: address, domainInternal: internalName(gatewayService) }] },
        private: { ingress: [{ domainInternal: internalName(localGatewayService) }] },
      },
      name: `gateway-${layout.id}`,
    },
    signal,
  );
  if (isRoot()) followPodNetwork(gateway, informers, logger);
  // An ordinary user's pods are in a network of their own, from which a forwarder leads here.
  else {
    await gateway.listenLocal({ path: layout.gatewaySocket, port: 0 });
    await gateway.listenLocal({ path: layout.gatewayTlsSocket, port: 0, secured: true });
  }
  const relay = followRelay(client, informers, settings.listen, logger);
  await gateway.synced;
  return {
    details: { http: ports.httpPort, https: ports.httpsPort },
    async stop() {
      await relay[Symbol.asyncDispose]();
      await gateway.drain(drainMs);
      await informers[Symbol.asyncDispose]();
    },
  };
}

/** Listens on the pod network of every node that has one, for requests from pods; only ClusterLocal rules answer there. */
function followPodNetwork(gateway: Gateway, informers: Informers, logger: Logger): void {
  const listening = new Set<string>();
  informers.of(nodes).on(({ type, object }) => {
    const text = object.metadata.annotations?.[podNetworkAnnotation];
    if (type === 'deleted' || text === undefined) return;
    const { bridgeIp } = JSON.parse(text) as PodNetwork;
    const listen = async (port: number, secured: boolean) => {
      const place = `${bridgeIp}:${port}`;
      if (listening.has(place)) return;
      listening.add(place);
      await gateway.listenLocal({ host: bridgeIp, port, reusePort: true, secured }).catch((error: unknown) => {
        // The next heartbeat of the node tries again.
        listening.delete(place);
        logger.warn('cluster-local listener is not up', { bridgeIp, port, error });
      });
    };
    void listen(localGatewayPort, false);
    void listen(localGatewayTlsPort, true);
  });
}

/** The name of a Service, given as `namespace/name`, inside the cluster. */
function internalName(service: string): string {
  return `${service.split('/').toReversed().join('.')}.svc.${clusterDomain}`;
}

/** Passes connections to node ports on while the node says that the kernel does not. */
function followRelay(client: Client, informers: Informers, listen: string, logger: Logger): AsyncDisposable {
  let relay: AsyncDisposable | undefined;
  let working = Promise.resolve();
  const set = async (wanted: boolean) => {
    if (wanted === (relay !== undefined)) return;
    if (wanted) relay = await startRelay(client, informers, listen, logger);
    else {
      await relay?.[Symbol.asyncDispose]();
      relay = undefined;
    }
  };
  const stop = informers.of(nodes).on(({ object }) => {
    const text = object.metadata.annotations?.[podNetworkAnnotation];
    const { servesHost } = JSON.parse(text ?? '{}') as Partial<PodNetwork>;
    if (servesHost === undefined) return;
    working = working.then(() => set(!servesHost)).catch((error: unknown) => logger.warn('node ports are not served', { error }));
  });
  return {
    async [Symbol.asyncDispose]() {
      stop();
      working = working.then(() => set(false));
      await working;
    },
  };
}

async function startRelay(client: Client, informers: Informers, listen: string, logger: Logger): Promise<AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  // The gateway's own cache keeps less of a Service than is needed here.
  const own = stack.use(createInformers(client, { clock: systemClock, logger, keep: keptByRelay }));
  const life = new AbortController();
  stack.defer(() => life.abort());
  const serviceInformer = own.of(services);
  await own.start(life.signal);
  stack.use(
    startServiceRelay({
      services: serviceInformer,
      endpointSlices: informers.of(endpointSlices),
      pods: informers.of(pods),
      listen,
      hostServices: new Map([[gatewayService, listen]]),
      clock: systemClock,
      logger,
    }),
  );
  return stack.move();
}
