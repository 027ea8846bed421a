import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { knativeKinds } from '#apis/knative/registry.ts';
import { usageKinds } from '#apis/metrics/v1beta1/usage.ts';
import { builtinKinds } from '#apis/registry.ts';
import { listenHttps, type HttpsFront } from '#apiserver/front/https-server.ts';
import type { ApiServer } from '#apiserver/request.ts';
import { createApiServer } from '#apiserver/server.ts';
import { createInformers } from '#client/informer.ts';
import { createEventRecorder } from '#controller/events.ts';
import type { ControllerContext, ControllerModule } from '#controller/controller.ts';
import { runControllers } from '#controller/runner.ts';
import { systemClock } from '#core/clock.ts';
import type { Logger } from '#core/logger.ts';
import type { Metrics } from '#core/metrics.ts';
import { SqliteStorage } from '#storage/sqlite-storage.ts';
import { bootstrapPlatform } from '#platform/control/bootstrap/bootstrap.ts';
import type { ComponentName } from '#platform/control/bootstrap/roles.ts';
import { componentClient, platformClient } from '#platform/control/clients.ts';
import { addKubeletSubresources } from '#platform/control/kubelet/subresources.ts';
import { keepSystemPods } from '#platform/control/system-pods.ts';
import { followPodNetwork } from '#platform/control/pod-network.ts';
import { addBackupRoute, addMetricsRoute } from '#platform/control/routes.ts';
import { configWebhook } from '#platform/control/config-webhook.ts';
import { controllerGroups } from '#platform/control/controllers.ts';
import { createMetrics } from '#platform/metrics.ts';
import { readKeyPair } from '#platform/pki.ts';
import type { ProcessContext, Started } from '#platform/process.ts';
import type { ProcessConfig } from '#platform/process-config.ts';

/** The control process: storage, API server, and every controller in it. Ready when it serves and the platform's objects exist. */
export async function startControl({ config, logger, signal }: ProcessContext): Promise<Started> {
  const metrics = createMetrics('control');
  const storage = await SqliteStorage.open({ file: config.layout.database, logger });
  const server = await createApiServer({
    storage,
    kinds: [...builtinKinds, ...knativeKinds, ...usageKinds],
    clock: systemClock,
    logger,
    metrics,
    tokenKeys: readTokenKeys(config),
    plugins: [configWebhook],
    onFatal: () => process.exit(1),
  });
  addMetricsRoute(server, metrics);
  addBackupRoute(server, storage, config.layout.database);
  addKubeletSubresources(server, platformClient(server), config, logger);
  const groups = controllerGroups({ server, config, metrics, logger });
  await bootstrapPlatform(platformClient(server), config.settings, config.ports);
  const front = await listen(server, config, logger);
  const informers = createInformers(platformClient(server), { clock: systemClock, logger });
  const { listen: listenAddress } = config.settings;
  followPodNetwork({ client: platformClient(server), informers, front, listen: listenAddress, port: config.ports.apiPort, logger });
  await informers.start(signal);
  const running = groups.map(({ component, modules }) => run(server, component, modules, { metrics, logger, signal }));
  running.push(keepSystemPods(platformClient(server), config, logger, signal));
  return {
    details: { api: front.addresses.map(({ address, port }) => `${address}:${port}`) },
    async stop() {
      await Promise.allSettled(running);
      await informers[Symbol.asyncDispose]();
      await front[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
      await storage[Symbol.asyncDispose]();
    },
  };
}

async function run(
  server: ApiServer,
  component: ComponentName,
  modules: readonly ControllerModule[],
  { metrics, logger, signal }: { metrics: Metrics; logger: Logger; signal: AbortSignal },
): Promise<void> {
  const client = componentClient(server, component);
  await using informers = createInformers(client, { clock: systemClock, logger });
  const events = createEventRecorder({ client, component, clock: systemClock, logger });
  const context: ControllerContext = { client, informers, events, clock: systemClock, logger: logger.child({ component }) };
  try {
    await runControllers(context, modules, signal, { metrics });
  } catch (error) {
    logger.error('controllers ended', { component, error });
    process.exit(1);
  }
}

async function listen(server: ApiServer, { settings, layout, ports }: ProcessConfig, logger: Logger): Promise<HttpsFront> {
  const { certificate, privateKey } = readKeyPair(layout.pkiDir, 'api-server');
  const clientAuthority = readFileSync(join(layout.pkiDir, 'ca.crt'), 'utf8');
  return listenHttps({
    server,
    tls: { certificate, privateKey, clientAuthority },
    listen: [{ host: settings.listen, port: ports.apiPort }],
    ownHosts: ['localhost', '127.0.0.1', settings.listen],
    clock: systemClock,
    logger,
  });
}

function readTokenKeys({ layout }: ProcessConfig): { privateKey: string; publicKey: string } {
  const privateKey = readFileSync(join(layout.pkiDir, 'service-account.key'), 'utf8');
  return { privateKey, publicKey: createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }).toString() };
}
