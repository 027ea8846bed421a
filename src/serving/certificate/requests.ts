import type { Resource } from '#apis/definition.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import { conditionOf, isReady } from '#apis/knative/status.ts';
import type { Certificate } from '#apis/networking/v1alpha1/certificate.ts';
import type { Ingress } from '#apis/networking/v1alpha1/ingress.ts';
import type { NetworkConfig } from '#apis/serving/config/tables.ts';
import { annotationOf, annotations, certificateClassKeys, disableTlsKeys, httpProtocolKeys, labels } from '#apis/serving/names.ts';
import { pick } from '#controller/children.ts';
import { controllerReference } from '#controller/owner.ts';

export type IngressTls = NonNullable<NonNullable<Ingress['spec']>['tls']>[number];

export const tlsNotEnabled = 'external-domain-tls is not enabled';

/** Whether an object's public names get certificates: the configuration's word, which the object may refuse for itself. */
export function wantsTls({ metadata }: KubeObject, network: NetworkConfig): boolean {
  const refused = annotationOf(metadata.annotations, disableTlsKeys) ?? 'false';
  return network['external-domain-tls'] === 'Enabled' && !/^(1|t|true)$/i.test(refused);
}

export interface CertificateRequest {
  readonly name: string;
  readonly dnsNames: readonly string[];
  /** The domain the names lie under. */
  readonly domain: string;
  readonly type: 'external-domain' | 'cluster-local-domain';
  /** Say whose it is. */
  readonly ownerLabels: Readonly<Record<string, string>>;
}

/** A Certificate for names of `owner`. */
export function makeCertificate(owner: KubeObject, resource: Resource, request: CertificateRequest, network: NetworkConfig): Certificate {
  const { name, dnsNames, domain, type, ownerLabels } = request;
  return {
    metadata: {
      name,
      namespace: owner.metadata.namespace ?? '',
      labels: { ...ownerLabels, [labels.certificateType]: type },
      annotations: {
        ...pick(owner.metadata.annotations, (key) => key !== annotations.lastApplied),
        [annotations.certificateClass]: certificateClass(owner, network),
      },
      ownerReferences: [controllerReference(owner, resource)],
    },
    spec: { dnsNames: [...dnsNames], domain, secretName: name },
  };
}

/** Who issues an object's certificates. */
export function certificateClass({ metadata }: KubeObject, network: NetworkConfig): string {
  return annotationOf(metadata.annotations, certificateClassKeys) ?? network['certificate-class'];
}

/** Issued for the present spec. */
export const isIssued = (certificate: Certificate): boolean =>
  isReady(certificate) && certificate.metadata.generation === certificate.status?.observedGeneration;

/** Why a certificate is not there yet, or cannot be had. */
export function problemOf(certificate: Certificate): { failed: boolean; reason: string } {
  const ready = conditionOf(certificate, 'Ready');
  return { failed: ready?.status === 'False', reason: ready?.reason ?? '' };
}

/** What an Ingress says of the certificate for these hosts. */
export function ingressTls({ metadata: { namespace = '' }, spec }: Certificate, hosts: readonly string[]): IngressTls {
  return { hosts: [...hosts], secretName: spec?.secretName ?? '', secretNamespace: namespace };
}

/** Whether plain requests are redirected: the object's annotation, else the configuration. Without TLS a redirect would lead nowhere. */
export function httpOption({ metadata }: KubeObject, network: NetworkConfig, tls: readonly IngressTls[]): 'Enabled' | 'Redirected' {
  const own = annotationOf(metadata.annotations, httpProtocolKeys) ?? network['http-protocol'];
  return own.toLowerCase() === 'redirected' && tls.length > 0 ? 'Redirected' : 'Enabled';
}
