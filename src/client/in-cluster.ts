import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HttpsTransportOptions } from '#client/https-transport.ts';
import { tokenFile } from '#client/token-file.ts';
import { UserError } from '#core/errors.ts';

/** Where Kubernetes mounts a pod's ServiceAccount. */
const serviceAccountFolder = '/var/run/secrets/kubernetes.io/serviceaccount';

export interface InClusterConnection {
  readonly connection: HttpsTransportOptions;
  /** The namespace the pod runs in. */
  readonly namespace: string;
}

/** The API server as a pod reaches it: address from the environment, token and CA from the mounted ServiceAccount. */
export function inCluster(environment: Readonly<Record<string, string | undefined>>, folder = serviceAccountFolder): InClusterConnection {
  const host = environment['KUBERNETES_SERVICE_HOST'] ?? '';
  const port = environment['KUBERNETES_SERVICE_PORT'] ?? '443';
  if (host === '' || !existsSync(join(folder, 'token'))) {
    throw new UserError('not running in a pod with a ServiceAccount', { hint: 'pass a kubeconfig instead' });
  }
  const namespaceFile = join(folder, 'namespace');
  return {
    connection: {
      server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
      certificateAuthority: readFileSync(join(folder, 'ca.crt'), 'utf8'),
      token: tokenFile(join(folder, 'token')),
    },
    namespace: existsSync(namespaceFile) ? readFileSync(namespaceFile, 'utf8').trim() : 'default',
  };
}
