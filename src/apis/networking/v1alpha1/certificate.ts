import { defineKind, resourceOf } from '#apis/definition.ts';
import { readyColumns, statusProperties, type KnativeStatus } from '#apis/knative/status.ts';
import { objectMetaSchema, type KubeObject } from '#apis/meta/object.ts';
import { networkingGroup } from '#apis/networking/v1alpha1/ingress.ts';
import { validateCertificate } from '#apis/networking/v1alpha1/validation.ts';
import { intOrString, list, object, required, string, time } from '#apis/schema.ts';

export const certificateSchema = object('dev.knative.networking.v1alpha1.Certificate', {
  apiVersion: string(),
  kind: string(),
  metadata: objectMetaSchema,
  spec: object(null, { dnsNames: required(list(string())), domain: string(), secretName: required(string()) }),
  status: object(null, {
    ...statusProperties,
    notAfter: time(),
    http01Challenges: list(object(null, { url: string(), serviceName: string(), serviceNamespace: string(), servicePort: intOrString() })),
  }),
});

/** A request for a TLS certificate of some host names. */
export interface Certificate extends KubeObject {
  spec?: { dnsNames: string[]; domain?: string; secretName: string };
  status?: KnativeStatus & { notAfter?: string };
}

export const certificateDefinition = defineKind<Certificate>({
  group: networkingGroup,
  kind: 'Certificate',
  plural: 'certificates',
  shortNames: ['kcert'],
  categories: ['knative-internal', 'networking'],
  versions: [{ name: 'v1alpha1', schema: certificateSchema, served: true, columns: readyColumns }],
  validate: validateCertificate,
});
export const certificates = resourceOf(certificateDefinition);

export const clusterDomainClaimSchema = object('dev.knative.networking.v1alpha1.ClusterDomainClaim', {
  apiVersion: string(),
  kind: string(),
  metadata: objectMetaSchema,
  spec: object(null, { namespace: required(string()) }),
});

/** Gives one namespace the right to map a domain name. */
export interface ClusterDomainClaim extends KubeObject {
  spec?: { namespace: string };
}

export const clusterDomainClaimDefinition = defineKind<ClusterDomainClaim>({
  group: networkingGroup,
  kind: 'ClusterDomainClaim',
  plural: 'clusterdomainclaims',
  shortNames: ['cdc'],
  categories: ['knative-internal', 'networking'],
  namespaced: false,
  versions: [{ name: 'v1alpha1', schema: clusterDomainClaimSchema, served: true }],
});
export const clusterDomainClaims = resourceOf(clusterDomainClaimDefinition);
