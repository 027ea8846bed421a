import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ApiServer } from '#apiserver/request.ts';
import type { ControllerModule } from '#controller/controller.ts';
import type { Logger } from '#core/logger.ts';
import type { Metrics } from '#core/metrics.ts';
import { createAutoscaler } from '#autoscaler/module.ts';
import { clusterControllers } from '#cluster/modules.ts';
import { servingControllers } from '#serving/modules.ts';
import { systemClock } from '#core/clock.ts';
import { componentClient } from '#platform/control/clients.ts';
import { imageResolver, pullCredentials } from '#platform/control/image-resolver.ts';
import { addStatsRoute } from '#platform/control/routes.ts';
import type { ComponentName } from '#platform/control/bootstrap/roles.ts';
import { readKeyPair } from '#platform/pki.ts';
import type { ProcessConfig } from '#platform/process-config.ts';

/** Controllers that run as one component, over that component's client and informers. */
export interface ControllerGroup {
  readonly component: ComponentName;
  readonly modules: readonly ControllerModule[];
}

interface Parts {
  readonly server: ApiServer;
  readonly config: ProcessConfig;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** Which controllers the control process runs, and as whom. */
export function controllerGroups({ server, config }: Parts): readonly ControllerGroup[] {
  const { settings, ports, layout } = config;
  const autoscaler = createAutoscaler(systemClock);
  addStatsRoute(server, autoscaler.stats);
  return [
    {
      component: 'cluster',
      modules: clusterControllers({
        authority: readFileSync(join(layout.pkiDir, 'ca.crt'), 'utf8'),
        // The certificate library is loaded when there is something to sign.
        signer: {
          subject: async (request) => (await import('#wire/certificates.ts')).readRequest(request),
          sign: async (request, terms) =>
            (await import('#wire/certificates.ts')).signRequest(readKeyPair(layout.pkiDir, 'ca'), request, terms),
        },
      }),
    },
    { component: 'autoscaler', modules: [autoscaler.module] },
    {
      component: 'controller',
      modules: servingControllers({
        resolver: imageResolver(config),
        credentials: pullCredentials(componentClient(server, 'controller')),
        extraDomains: settings.domain === 'localhost' ? ['example.com'] : [],
        urlPort: ports.httpPort === 80 ? '' : `:${ports.httpPort}`,
      }),
    },
  ];
}
