import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KindDefinition } from '#apis/definition.ts';
import { knativeKinds } from '#apis/knative/registry.ts';
import { imageResolutionDefinition } from '#apis/dormouse/v1/image-resolution.ts';
import { usageKinds } from '#apis/metrics/v1beta1/usage.ts';
import { builtinKinds } from '#apis/registry.ts';
import { listenHttps, type HttpsFront } from '#apiserver/front/https-server.ts';
import type { ApiServer } from '#apiserver/request.ts';
import { createApiServer } from '#apiserver/server.ts';
import { createInformers } from '#client/informer.ts';
import { systemClock } from '#core/clock.ts';
import type { Logger } from '#core/logger.ts';
import { SqliteStorage } from '#storage/sqlite-storage.ts';
import { bootstrapPlatform } from '#platform/control/bootstrap/bootstrap.ts';
import { platformClient } from '#platform/control/clients.ts';
import { addKubeletSubresources } from '#platform/control/kubelet/subresources.ts';
import { keepSystemPods } from '#platform/control/system-pods.ts';
import { followPodNetwork } from '#platform/control/pod-network.ts';
import { addBackupRoute, addMetricsRoute } from '#platform/control/routes.ts';
import { configWebhook } from '#platform/control/config-webhook.ts';
import { controllerGroups } from '#platform/control/controllers.ts';
import { answerImageResolutions } from '#platform/control/image-resolutions.ts';
import { addStatsRelay } from '#platform/control/stats-relay.ts';
import { runGroup } from '#platform/controller-group.ts';
import { claimKnativeLease } from '#platform/knative/lease.ts';
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
    kinds: [...builtinKinds, ...knativeKinds, imageResolutionDefinition, ...usageKinds] as readonly KindDefinition[],
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
  addStatsRelay(server);
  answerImageResolutions(server, platformClient(server), config);
  const groups = controllerGroups(server, config);
  await bootstrapPlatform(platformClient(server), config.settings, config.ports);
  await claimKnativeLease(platformClient(server), config.settings.knativeControllers === 'on');
  const front = await listen(server, config, logger);
  const informers = createInformers(platformClient(server), { clock: systemClock, logger });
  const { listen: listenAddress } = config.settings;
  followPodNetwork({ client: platformClient(server), informers, front, listen: listenAddress, port: config.ports.apiPort, logger });
  await informers.start(signal);
  const running = groups.map((group) =>
    runGroup(group, { metrics, logger, signal }).catch((error: unknown) => {
      logger.error('controllers ended', { component: group.component, error });
      process.exit(1);
    }),
  );
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
