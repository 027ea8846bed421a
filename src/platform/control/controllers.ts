import type { ApiServer } from '#apiserver/request.ts';
import type { ControllerModule } from '#controller/controller.ts';
import type { Logger } from '#core/logger.ts';
import type { Metrics } from '#core/metrics.ts';
import { clusterControllers } from '#cluster/modules.ts';
import { servingControllers } from '#serving/modules.ts';
import type { ComponentName } from '#platform/control/bootstrap/roles.ts';
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
export function controllerGroups({ config }: Parts): readonly ControllerGroup[] {
  const { settings, ports } = config;
  return [
    { component: 'cluster', modules: clusterControllers() },
    {
      component: 'controller',
      modules: servingControllers({
        resolver: { resolve: (reference) => Promise.resolve(reference) },
        credentials: () => Promise.resolve([]),
        extraDomains: settings.domain === 'localhost' ? ['example.com'] : [],
        urlPort: ports.httpPort === 80 ? '' : `:${ports.httpPort}`,
      }),
    },
  ];
}
