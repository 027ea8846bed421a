import { systemNamespace } from '#apis/dormouse/names.ts';
import { createClient } from '#client/api-client.ts';
import { httpsTransport, type HttpsTransportOptions } from '#client/https-transport.ts';
import { runAsLeader } from '#controller/leader-election.ts';
import { controllerMetrics } from '#controller/metrics.ts';
import { systemClock } from '#core/clock.ts';
import type { Logger } from '#core/logger.ts';
import { runGroup } from '#platform/controller-group.ts';
import { knativeControllers } from '#platform/knative/controllers.ts';
import { knativeLease } from '#platform/knative/lease.ts';
import { serveMetrics } from '#platform/knative/metrics-server.ts';
import { isDead, processIdentity } from '#platform/knative/process-identity.ts';
import { createMetrics } from '#platform/metrics.ts';

export interface ProcessOptions {
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** `host:port` or a port of loopback. Absent: nothing is served. */
  readonly metricsAddress?: string;
}

/**
 * Knative's controllers with nothing but a connection to an API: waits until it is their turn, and runs them until the signal
 * aborts. Rejects when the controllers cannot go on; whoever started the process starts it again.
 */
export async function runKnativeControllers(
  connection: HttpsTransportOptions,
  { logger, signal, metricsAddress }: ProcessOptions,
): Promise<void> {
  const metrics = createMetrics('controllers');
  const { leading: leads } = controllerMetrics(metrics);
  leads.set({ name: knativeLease }, 0);
  await using stack = new AsyncDisposableStack();
  if (metricsAddress !== undefined) {
    const { port } = stack.use(await serveMetrics(metricsAddress, metrics));
    logger.info('serving metrics', { port });
  }
  const identity = processIdentity();
  const client = createClient(httpsTransport({ ...connection, userAgent: 'dormouse-controllers' }));
  // While it waits there is neither a connection nor a timer that would keep the process.
  const alive = setInterval(() => {}, 2 ** 30);
  try {
    logger.info('waiting to lead', { lease: `${systemNamespace}/${knativeLease}`, identity, server: connection.server });
    const election = { client, namespace: systemNamespace, name: knativeLease, identity, isDead, clock: systemClock, logger };
    await runAsLeader(election, signal, async (leading) => {
      logger.info('leading', { identity });
      leads.set({ name: knativeLease }, 1);
      await Promise.all(knativeControllers(() => client).map((group) => runGroup(group, { metrics, logger, signal: leading })));
      leads.set({ name: knativeLease }, 0);
      logger.info('no longer leading', { identity });
    });
  } finally {
    clearInterval(alive);
  }
}
