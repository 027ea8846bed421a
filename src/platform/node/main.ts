import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '#core/clock.ts';
import { openImageStore } from '#images/image-store.ts';
import { connectOutbound } from '#images/outbound.ts';
import { startRegistry } from '#images/registry/server.ts';
import { startNodeAgent } from '#node/agent.ts';
import { certificateClient } from '#platform/connection.ts';
import { localAddress } from '#platform/local-host.ts';
import { createMetrics } from '#platform/metrics.ts';
import { gatewayService, localGatewayPort, localGatewayTlsPort } from '#apis/dormouse/names.ts';
import { readKeyPair } from '#platform/pki.ts';
import { engineDirectories } from '#platform/layout.ts';
import { runProcess, type ProcessContext, type Started } from '#platform/process.ts';
import { readMirrors } from '#platform/registry-mirrors.ts';
import { imageToken } from '#platform/image-token.ts';
import { createLocalEngine } from '#providers/local/engine.ts';
import { enterUserNamespace, isInUserNamespace } from '#providers/local/rootless/enter.ts';
import type { ProcessConfig } from '#platform/process-config.ts';

runProcess(start, enter);

/** An ordinary user's node moves into the platform's own user, mount and network namespaces first; it comes back here inside them. */
async function enter({ layout, ports }: ProcessConfig): Promise<void> {
  const inside = [
    { port: localGatewayPort, hostPath: layout.gatewaySocket },
    { port: localGatewayTlsPort, hostPath: layout.gatewayTlsSocket },
  ];
  const outside = [ports.apiPort, ports.httpPort].filter((port) => inside.every((one) => one.port !== port));
  const expose = [...outside.map((port) => ({ port, hostPort: port })), ...inside];
  await enterUserNamespace({ ...engineDirectories(layout), expose, publish: [ports.kubeletPort, ports.registryPort] });
}

/** The node process: image store and registry, the container engine, and the agent over both. */
async function start({ config, logger, signal }: ProcessContext): Promise<Started> {
  const { settings, ports, layout } = config;
  const metrics = createMetrics('node');
  const store = await openImageStore({
    directory: layout.imagesDir,
    rootless: isInUserNamespace(),
    clock: systemClock,
    logger,
    registryPorts: [ports.registryPort, ...ports.formerRegistryPorts],
    mirrors: readMirrors(settings.registryMirrors),
    outbound: isInUserNamespace() ? layout.outboundSocket : undefined,
  });
  const registry = await startRegistry({
    store,
    host: settings.listen,
    port: ports.registryPort,
    token: imageToken(layout),
    clock: systemClock,
    logger,
  });
  const engine = await createLocalEngine({
    ...engineDirectories(layout),
    id: layout.id,
    runtime: settings.runtime,
    clock: systemClock,
    logger,
  });
  const client = certificateClient(config, 'node');
  const serving = readKeyPair(layout.pkiDir, 'kubelet');
  const agent = await startNodeAgent(
    {
      client,
      engine,
      images: store,
      nodeName: settings.nodeName,
      kubeletServer: {
        host: isInUserNamespace() ? '127.0.0.1' : localAddress(settings.listen),
        port: ports.kubeletPort,
        certificate: serving.certificate,
        privateKey: serving.privateKey,
        clientAuthority: readFileSync(join(layout.pkiDir, 'ca.crt'), 'utf8'),
      },
      dataDirectory: join(layout.nodeDir, 'pods'),
      volumesDirectory: join(layout.nodeDir, 'volumes'),
      platformId: layout.id,
      listen: settings.listen,
      hasHostNetwork: !isInUserNamespace(),
      // The supervisor is outside.
      hostProcess: isInUserNamespace() ? process.ppid : process.pid,
      ...(isInUserNamespace() ? { dialOutbound: (target) => connectOutbound(layout.outboundSocket, target) } : {}),
      hostServices: new Map([[gatewayService, settings.listen]]),
      logger,
      metrics,
    },
    signal,
  );
  const { runtime, isolation } = engine.capabilities;
  return {
    details: { runtime, isolation, remarks: agent.remarks },
    async stop(cleanUp) {
      await agent[Symbol.asyncDispose]();
      if (cleanUp) await engine.cleanupAll();
      else await engine[Symbol.asyncDispose]();
      await registry[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}
