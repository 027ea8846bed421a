import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { localHost } from '#platform/local-host.ts';
import type { Layout } from '#platform/layout.ts';
import { readKeyPair } from '#platform/pki.ts';

/**
 * Makes sure that the admin's kubeconfig is there and says how to reach the API now. Certificates are embedded, because gcloud
 * reads no files. What writes it is loaded only when there is something to write.
 */
export async function ensureKubeconfig(layout: Layout, listenAddress: string, apiPort: number): Promise<void> {
  const server = `https://${localHost(listenAddress)}:${apiPort}`;
  const { certificate, privateKey } = readKeyPair(layout.pkiDir, 'admin');
  if (existsSync(layout.kubeconfig)) {
    const present = readFileSync(layout.kubeconfig, 'utf8');
    if (present.includes(`${server}\n`) && present.replaceAll(/\s/g, '').includes(Buffer.from(certificate).toString('base64'))) return;
  }
  const { kubeconfigOf, writeKubeconfig } = await import('#client/kubeconfig.ts');
  const certificateAuthority = readFileSync(join(layout.pkiDir, 'ca.crt'), 'utf8');
  writeKubeconfig(
    layout.kubeconfig,
    kubeconfigOf({
      name: 'dormouse',
      server,
      certificateAuthority,
      clientCertificate: { certificate, key: privateKey },
      namespace: 'default',
    }),
  );
}
