import { silentLogger } from '#core/logger.ts';
import { TlsContexts } from '#gateway/tls-contexts.ts';
import { createAuthority, issueCertificate } from '#wire/certificates.ts';

/** A certificate for each of the names, all of one authority, which `ca` is. */
export async function testTls(...hosts: readonly string[]): Promise<{ readonly ca: string; readonly tls: TlsContexts }> {
  const authority = await createAuthority('test authority', 1);
  const issued = hosts.map(async (host) => {
    const { certificate, privateKey } = await issueCertificate(authority, { commonName: host, hosts: [host], days: 1, usage: 'server' });
    return { hosts: [host], certificate, key: privateKey };
  });
  const tls = new TlsContexts(silentLogger);
  tls.update(await Promise.all(issued));
  return { ca: authority.certificate, tls };
}
