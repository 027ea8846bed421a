import 'reflect-metadata';
import { createPrivateKey, X509Certificate, type webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

/** A certificate with its private key, both PEM. */
export interface KeyPair {
  readonly certificate: string;
  readonly privateKey: string;
}

export interface CertificateRequest {
  readonly commonName: string;
  /** X.509 organizations; Kubernetes reads a client's groups from them. */
  readonly organizations?: readonly string[];
  /** Host names and IP addresses a server answers to. */
  readonly hosts?: readonly string[];
  readonly usage: 'client' | 'server' | 'both';
  readonly days: number;
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const dayMs = 86_400_000;
/** Tolerates clocks that run a little behind. */
const backdateMs = 5 * 60_000;

/** A new self-signed certificate authority. */
export async function createAuthority(commonName: string, days: number): Promise<KeyPair> {
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ CN: [commonName] }],
    ...validity(days),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign | x509.KeyUsageFlags.digitalSignature, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: certificate.toString('pem'), privateKey: await exportKey(keys.privateKey) };
}

/** A certificate signed by `authority`, with a fresh key. */
export async function issueCertificate(authority: KeyPair, request: CertificateRequest): Promise<KeyPair> {
  const issuer = new x509.X509Certificate(authority.certificate);
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: [...(request.organizations ?? []).map((organization) => ({ O: [organization] })), { CN: [request.commonName] }],
    issuer: issuer.subject,
    ...validity(request.days),
    ...(await signer(authority)),
    publicKey: keys.publicKey,
    extensions: await leafExtensions(request, keys.publicKey, issuer.publicKey),
  });
  return { certificate: certificate.toString('pem'), privateKey: await exportKey(keys.privateKey) };
}

/** What a requested certificate may be used for, and for how long. */
export interface SigningTerms {
  readonly usages: readonly ('client auth' | 'server auth' | 'digital signature' | 'key encipherment')[];
  readonly seconds: number;
}

/** A PKCS#10 request (PEM), read: who it names, and whether its signature is that of its key. */
export interface SigningSubject {
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly hosts: readonly string[];
}

/** Throws an Error for what is no request, or is not signed by the key it is for. */
export async function readRequest(pem: string): Promise<SigningSubject> {
  const request = new x509.Pkcs10CertificateRequest(pem);
  if (!(await request.verify())) throw new Error('the signature of the certificate request is not that of its key');
  const names = alternativeNames(request)?.names.items ?? [];
  return {
    commonName: request.subjectName.getField('CN')[0] ?? '',
    organizations: request.subjectName.getField('O'),
    hosts: names.filter(({ type }) => type === 'dns' || type === 'ip').map(({ value }) => value),
  };
}

/** A certificate for the subject, key and alternative names of a request, PEM. Nothing else of the request is taken over. */
export async function signRequest(authority: KeyPair, pem: string, { usages, seconds }: SigningTerms): Promise<string> {
  const request = new x509.Pkcs10CertificateRequest(pem);
  const issuer = new x509.X509Certificate(authority.certificate);
  const names = alternativeNames(request);
  const { digitalSignature, keyEncipherment } = x509.KeyUsageFlags;
  const keyUsages =
    (usages.includes('digital signature') ? digitalSignature : 0) | (usages.includes('key encipherment') ? keyEncipherment : 0);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: request.subject,
    issuer: issuer.subject,
    ...validity(seconds / 86_400),
    ...(await signer(authority)),
    publicKey: request.publicKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      ...(keyUsages === 0 ? [] : [new x509.KeyUsagesExtension(keyUsages, true)]),
      new x509.ExtendedKeyUsageExtension([
        ...(usages.includes('client auth') ? [x509.ExtendedKeyUsage.clientAuth] : []),
        ...(usages.includes('server auth') ? [x509.ExtendedKeyUsage.serverAuth] : []),
      ]),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      ...(names === undefined ? [] : [names]),
    ],
  });
  return certificate.toString('pem');
}

function alternativeNames(request: x509.Pkcs10CertificateRequest): x509.SubjectAlternativeNameExtension | undefined {
  return request.extensions.find((one) => one instanceof x509.SubjectAlternativeNameExtension);
}

/** Whether `pem` is a certificate that is valid for at least `days` more days and covers all `hosts`. */
export function isUsable(pem: string, days: number, hosts: readonly string[] = []): boolean {
  try {
    const certificate = new X509Certificate(pem);
    if (certificate.validToDate.getTime() - Date.now() < days * dayMs) return false;
    return hosts.every((host) => (isIp(host) ? certificate.checkIP(host) : certificate.checkHost(host)) !== undefined);
  } catch {
    return false;
  }
}

/** Whether `pem` was signed by the authority, an authority's own certificate in PEM. False for what is no certificate. */
export function isIssuedBy(pem: string, authority: string): boolean {
  try {
    const certificate = new X509Certificate(pem);
    const issuer = new X509Certificate(authority);
    return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
  } catch {
    return false;
  }
}

/** When a certificate (PEM) ends. Throws for what is none. */
export function expiryOf(pem: string): Date {
  return new X509Certificate(pem).validToDate;
}

async function leafExtensions(
  request: CertificateRequest,
  publicKey: webcrypto.CryptoKey,
  issuerKey: x509.PublicKey,
): Promise<x509.Extension[]> {
  const usages: string[] = [];
  if (request.usage !== 'server') usages.push(x509.ExtendedKeyUsage.clientAuth);
  if (request.usage !== 'client') usages.push(x509.ExtendedKeyUsage.serverAuth);
  const hosts = request.hosts ?? [];
  return [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    new x509.ExtendedKeyUsageExtension(usages),
    await x509.AuthorityKeyIdentifierExtension.create(issuerKey),
    await x509.SubjectKeyIdentifierExtension.create(publicKey),
    ...(hosts.length === 0
      ? []
      : [
          new x509.SubjectAlternativeNameExtension(
            hosts.map((value) => ({ type: isIp(value) ? ('ip' as const) : ('dns' as const), value })),
          ),
        ]),
  ];
}

function validity(days: number): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(Date.now() - backdateMs), notAfter: new Date(Date.now() + days * dayMs) };
}

/** 16 random bytes, positive as RFC 5280 §4.1.2.2 wants. */
function serialNumber(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x01;
  return Buffer.from(bytes).toString('hex');
}

function isIp(host: string): boolean {
  return /^[\d.]+$/.test(host) || host.includes(':');
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await crypto.subtle.exportKey('pkcs8', key)).toString('base64');
  return `-----BEGIN PRIVATE KEY-----\n${der.match(/.{1,64}/g)?.join('\n') ?? ''}\n-----END PRIVATE KEY-----\n`;
}

/** How the authority signs. Its key may be RSA or on another curve than ours where somebody brought it along. */
async function signer({ privateKey }: KeyPair): Promise<{ signingKey: webcrypto.CryptoKey; signingAlgorithm: SigningAlgorithm }> {
  const key = createPrivateKey(privateKey);
  const signingAlgorithm = signingAlgorithmOf(key.asymmetricKeyType, key.asymmetricKeyDetails?.namedCurve);
  const der = key.export({ type: 'pkcs8', format: 'der' });
  return { signingKey: await crypto.subtle.importKey('pkcs8', der, signingAlgorithm, true, ['sign']), signingAlgorithm };
}

type SigningAlgorithm = webcrypto.RsaHashedImportParams | (webcrypto.EcKeyImportParams & webcrypto.EcdsaParams);

function signingAlgorithmOf(type: string | undefined, curve: string | undefined): SigningAlgorithm {
  if (type === 'rsa') return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  const namedCurve = { prime256v1: 'P-256', secp384r1: 'P-384', secp521r1: 'P-521' }[curve ?? ''];
  if (type !== 'ec' || namedCurve === undefined)
    throw new Error(`an authority's key of the kind ${curve ?? type ?? 'unknown'} cannot sign certificates here`);
  return { name: 'ECDSA', namedCurve, hash: 'SHA-256' };
}
