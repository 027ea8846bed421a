import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import type { CertificateRequest, KeyPair } from '#wire/certificates.ts';

/** File names (without `.crt` / `.key`) of every certificate the platform gives itself. */
const certificateNames = ['api-server', 'admin', 'node', 'kubelet', 'gateway', 'supervisor'] as const;
export type CertificateName = (typeof certificateNames)[number];

export interface CertificateHosts {
  /** Addresses and names the API server is reached by. */
  readonly api: readonly string[];
  readonly kubelet: readonly string[];
}

const leafDays = 365;
const renewBeforeDays = 60;

/**
 * Makes sure that the authority, every certificate and the service-account key are there and valid for a while.
 * Cheap when they are: the certificate library is loaded only to issue. Resolves with what was issued.
 */
export async function ensurePki(directory: string, nodeName: string, hosts: CertificateHosts): Promise<string[]> {
  const issued: string[] = [];
  if (!existsSync(join(directory, 'service-account.key'))) {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    writeSecret(join(directory, 'service-account.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
  }
  const requests = certificateRequests(nodeName, hosts);
  const missing = certificateNames.filter((name) => !stillGood(directory, name, requests[name]));
  if (existsSync(join(directory, 'ca.crt')) && missing.length === 0) return issued;
  const { createAuthority, issueCertificate } = await import('#wire/certificates.ts');
  if (!existsSync(join(directory, 'ca.crt'))) {
    write(directory, 'ca', await createAuthority('dormouse-ca', 3650));
    issued.push('ca');
  }
  const authority = readKeyPair(directory, 'ca');
  for (const name of missing) {
    write(directory, name, await issueCertificate(authority, requests[name]));
    writeFileSync(join(directory, `${name}.hosts`), JSON.stringify(requests[name].hosts ?? []));
    issued.push(name);
  }
  return issued;
}

export function readKeyPair(directory: string, name: CertificateName | 'ca'): KeyPair {
  return {
    certificate: readFileSync(join(directory, `${name}.crt`), 'utf8'),
    privateKey: readFileSync(join(directory, `${name}.key`), 'utf8'),
  };
}

function certificateRequests(nodeName: string, hosts: CertificateHosts): Readonly<Record<CertificateName, CertificateRequest>> {
  const client = (commonName: string, ...organizations: string[]): CertificateRequest => ({
    commonName,
    organizations,
    usage: 'client',
    days: leafDays,
  });
  return {
    'api-server': { commonName: 'kube-apiserver', hosts: hosts.api, usage: 'both', days: leafDays },
    admin: client('dormouse-admin', 'system:masters'),
    node: client(`system:node:${nodeName}`, 'system:nodes'),
    kubelet: {
      commonName: `system:node:${nodeName}`,
      organizations: ['system:nodes'],
      hosts: hosts.kubelet,
      usage: 'both',
      days: leafDays,
    },
    gateway: client('system:serviceaccount:knative-serving:gateway', 'system:serviceaccounts', 'system:serviceaccounts:knative-serving'),
    supervisor: client('dormouse-supervisor', 'system:masters'),
  };
}

/** Valid for a while and for all hosts asked for. Reads dates with node:crypto, without the certificate library. */
function stillGood(directory: string, name: CertificateName, request: CertificateRequest): boolean {
  const file = join(directory, `${name}.crt`);
  if (!existsSync(file)) return false;
  const hostsFile = join(directory, `${name}.hosts`);
  const hosts = existsSync(hostsFile) ? (JSON.parse(readFileSync(hostsFile, 'utf8')) as string[]) : [];
  if (!(request.hosts ?? []).every((host) => hosts.includes(host))) return false;
  const ageDays = (Date.now() - issuedAt(file)) / 86_400_000;
  return ageDays < leafDays - renewBeforeDays;
}

function issuedAt(file: string): number {
  return new X509Certificate(readFileSync(file)).validFromDate.getTime();
}

function write(directory: string, name: string, { certificate, privateKey }: KeyPair): void {
  writeFileSync(join(directory, `${name}.crt`), certificate);
  writeSecret(join(directory, `${name}.key`), privateKey);
}

function writeSecret(file: string, text: string): void {
  writeFileSync(file, text, { mode: 0o600 });
}
