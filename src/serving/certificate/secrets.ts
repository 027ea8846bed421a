import type { Secret } from '#apis/core/v1/secret.ts';
import { certificates, type Certificate } from '#apis/networking/v1alpha1/certificate.ts';
import { labels } from '#apis/serving/names.ts';
import { controllerReference } from '#controller/owner.ts';
import type { KeyPair } from '#wire/certificates.ts';

/** The Secret a Certificate ends in: the pair, and the authority's certificate for clients that do not know it. */
export function makeSecret(certificate: Certificate, pair: KeyPair, authority: string): Secret {
  const { name = '', namespace = '', uid = '' } = certificate.metadata;
  return {
    ...tlsSecret(namespace, certificate.spec?.secretName ?? name, pair, authority),
    metadata: {
      name: certificate.spec?.secretName ?? name,
      namespace,
      labels: { [labels.certificateUid]: uid },
      ownerReferences: [controllerReference(certificate, certificates)],
    },
  };
}

/** A Secret of type kubernetes.io/tls, with `ca.crt` as cert-manager has it. */
export function tlsSecret(namespace: string, name: string, pair: KeyPair, authority: string): Secret {
  return {
    metadata: { name, namespace },
    type: 'kubernetes.io/tls',
    data: { 'tls.crt': base64(pair.certificate), 'tls.key': base64(pair.privateKey), 'ca.crt': base64(authority) },
  } as Secret;
}

const managed = { 'app.kubernetes.io/managed-by': 'dormouse' };

/** A Secret with an authority's certificate and no key. */
export function trustSecret(namespace: string, name: string, authority: string): Secret {
  const data = { 'tls.crt': base64(authority), 'ca.crt': base64(authority) };
  return { metadata: { name, namespace, labels: managed }, type: 'Opaque', data } as Secret;
}

/** Whether it was made by `trustSecret`, and not by a cert-manager of somebody's. */
export const isTrustSecret = ({ metadata }: Secret): boolean =>
  Object.entries(managed).every(([label, value]) => metadata.labels?.[label] === value);

/** What a Secret of type kubernetes.io/tls holds; undefined where a part is missing. */
export function keyPairOf(secret: Secret | undefined): KeyPair | undefined {
  const certificate = text(secret, 'tls.crt');
  const privateKey = text(secret, 'tls.key');
  return certificate === undefined || privateKey === undefined ? undefined : { certificate, privateKey };
}

const base64 = (value: string): string => Buffer.from(value).toString('base64');

function text(secret: Secret | undefined, key: string): string | undefined {
  const value = secret?.data?.[key];
  return value === undefined || value === '' ? undefined : Buffer.from(value, 'base64').toString('latin1');
}
