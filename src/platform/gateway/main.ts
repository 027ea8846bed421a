import { nodes } from '#apis/core/v1/node.ts';
import { podNetworkAnnotation } from '#apis/dormouse/names.ts';
import { createInformers } from '#client/informer.ts';
import type { Informers } from '#client/informer-types.ts';
import { createEventRecorder } from '#controller/events.ts';
import { systemClock } from '#core/clock.ts';
import { writeLogLine, type Logger } from '#core/logger.ts';
import { keptByGateway, startGateway, type Gateway } from '#gateway/gateway.ts';
import { certificateClient } from '#platform/connection.ts';
import { runProcess, type ProcessContext, type Started } from '#platform/process.ts';

/** The supervisor's sockets, inherited in this order. */
const [httpDescriptor, httpsDescriptor, adminDescriptor] = [3, 4, 5];
const drainMs = 30_000;
/** Cluster-local requests come in on the usual port of the pod network. */
const localPort = 80;

runProcess(start);

/** The gateway process: listens at once with the last known routes, and follows the API. */
async function start({ config, logger, signal }: ProcessContext): Promise<Started> {
  const { settings, ports, layout } = config;
  const client = certificateClient(config, 'gateway');
  const informers = createInformers(client, { clock: systemClock, logger, keep: keptByGateway });
  // Asked for before the informers start, so that they wait for it too.
  informers.of(nodes);
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
      loadBalancers: {
        public: { ingress: [{ ip: address }] },
        private: { ingress: [{ domainInternal: 'gateway-local.knative-serving.svc.cluster.local' }] },
      },
      name: `gateway-${layout.id}`,
    },
    signal,
  );
  followPodNetwork(gateway, informers, logger);
  await gateway.synced;
  return {
    details: { http: ports.httpPort, https: ports.httpsPort },
    async stop() {
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
    const { bridgeIp } = JSON.parse(text) as { bridgeIp?: string };
    if (bridgeIp === undefined || listening.has(bridgeIp)) return;
    listening.add(bridgeIp);
    gateway.listenLocal({ host: bridgeIp, port: localPort, reusePort: true }).catch((error: unknown) => {
      listening.delete(bridgeIp);
      logger.warn('cluster-local listener is not up', { bridgeIp, port: localPort, error });
    });
  });
}
