import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ApiServer } from '#apiserver/request.ts';
import { clusterControllers } from '#cluster/modules.ts';
import { componentClient } from '#platform/control/clients.ts';
import type { ControllerGroup } from '#platform/controller-group.ts';
import { knativeControllers } from '#platform/knative/controllers.ts';
import { readKeyPair } from '#platform/pki.ts';
import { certificateController } from '#serving/modules.ts';
import type { ControllerModule } from '#controller/controller.ts';
import type { ProcessConfig } from '#platform/process-config.ts';

/** Which controllers the control process runs, and as whom. */
export function controllerGroups(server: ApiServer, { layout, settings }: ProcessConfig): readonly ControllerGroup[] {
  const cluster: ControllerGroup = {
    component: 'cluster',
    client: componentClient(server, 'cluster'),
    modules: clusterControllers({
      authority: readFileSync(join(layout.pkiDir, 'ca.crt'), 'utf8'),
      // The certificate library is loaded when there is something to sign.
      signer: {
        subject: async (request) => (await import('#wire/certificates.ts')).readRequest(request),
        sign: async (request, terms) =>
          (await import('#wire/certificates.ts')).signRequest(readKeyPair(layout.pkiDir, 'ca'), request, terms),
      },
    }),
  };
  const certificates: ControllerGroup = {
    component: 'certificates',
    client: componentClient(server, 'certificates'),
    modules: [certificateController] as readonly ControllerModule[],
  };
  if (settings.knativeControllers === 'off') return [cluster, certificates];
  return [cluster, certificates, ...knativeControllers((component) => componentClient(server, component))];
}
