import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Layout } from '#platform/layout.ts';
import { readKeyPair } from '#platform/pki.ts';

/** The admin's kubeconfig as a JSON-compatible object; certificates are embedded, because gcloud reads no files. */
export function adminKubeconfig(layout: Layout, listenAddress: string, apiPort: number): Record<string, unknown> {
  const { certificate, privateKey } = readKeyPair(layout.pkiDir, 'admin');
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const host = ['0.0.0.0', '::'].includes(listenAddress) ? '127.0.0.1' : listenAddress;
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: 'dormouse',
        cluster: {
          server: `https://${host.includes(':') ? `[${host}]` : host}:${apiPort}`,
          'certificate-authority-data': base64(readFileSync(join(layout.pkiDir, 'ca.crt'), 'utf8')),
        },
      },
    ],
    users: [{ name: 'dormouse-admin', user: { 'client-certificate-data': base64(certificate), 'client-key-data': base64(privateKey) } }],
    contexts: [{ name: 'dormouse', context: { cluster: 'dormouse', user: 'dormouse-admin', namespace: 'default' } }],
    'current-context': 'dormouse',
  };
}

/** Writes the admin's kubeconfig, readable by its owner alone. JSON is YAML; kubectl writes it back as it likes. */
export function writeKubeconfig(layout: Layout, listenAddress: string, apiPort: number): void {
  writeFileSync(layout.kubeconfig, `${JSON.stringify(adminKubeconfig(layout, listenAddress, apiPort), null, 2)}\n`, { mode: 0o600 });
}
