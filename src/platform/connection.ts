import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createClient } from '#client/api-client.ts';
import type { Client } from '#client/client.ts';
import { httpsTransport } from '#client/https-transport.ts';
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

/** The address under which this machine reaches a listener itself. */
export function localHost(listen: string): string {
  if (listen === '0.0.0.0') return '127.0.0.1';
  return listen === '::' ? '[::1]' : listen.includes(':') ? `[${listen}]` : listen;
}
