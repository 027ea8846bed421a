import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ApiServer } from '#apiserver/request.ts';
import type { Client } from '#client/client.ts';
import type { Logger } from '#core/logger.ts';
import { KubeletClient } from '#platform/control/kubelet/kubelet-client.ts';
import { logSubresource } from '#platform/control/kubelet/log.ts';
import { proxySubresources } from '#platform/control/kubelet/proxy.ts';
import { streamSubresources } from '#platform/control/kubelet/streams.ts';
import { usageRoute } from '#platform/control/kubelet/usage.ts';
import { readKeyPair } from '#platform/pki.ts';
import type { ProcessConfig } from '#platform/process-config.ts';

/** Registers everything of the API that a node's kubelet answers: logs, exec, attach, port-forward, proxies, and what is used. */
export function addKubeletSubresources(server: ApiServer, client: Client, config: ProcessConfig, logger: Logger): void {
  const { pkiDir } = config.layout;
  const kubelet = new KubeletClient({
    client,
    identity: readKeyPair(pkiDir, 'api-server'),
    authority: readFileSync(join(pkiDir, 'ca.crt'), 'utf8'),
  });
  server.addRoute(usageRoute(kubelet, client, logger));
  const handlers = [logSubresource(kubelet, config), ...streamSubresources(kubelet), ...proxySubresources(kubelet, client)];
  for (const handler of handlers) server.addSubresource(handler);
}
