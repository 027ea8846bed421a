import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createClient } from '#client/api-client.ts';
import type { Client } from '#client/client.ts';
import { httpsTransport } from '#client/https-transport.ts';
import { localHost } from '#platform/local-host.ts';
import { readKeyPair, type CertificateName } from '#platform/pki.ts';
import type { ProcessConfig } from '#platform/process-config.ts';

/** A client of the API over HTTPS that identifies itself with one of the platform's own certificates. */
export function certificateClient(
  { layout, settings, ports }: Pick<ProcessConfig, 'layout' | 'settings' | 'ports'>,
  name: CertificateName,
): Client {
  const { certificate, privateKey } = readKeyPair(layout.pkiDir, name);
  return createClient(
    httpsTransport({
      server: `https://${localHost(settings.listen)}:${ports.apiPort}`,
      certificateAuthority: readFileSync(join(layout.pkiDir, 'ca.crt'), 'utf8'),
      clientCertificate: { certificate, key: privateKey },
      userAgent: `dormouse-${name}`,
    }),
  );
}
