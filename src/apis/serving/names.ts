import { createHash } from 'node:crypto';

export const servingGroup = 'serving.knative.dev';

/** Labels Knative puts on objects, and that tests and clients select by. */
export const labels = {
  service: 'serving.knative.dev/service',
  serviceUid: 'serving.knative.dev/serviceUID',
  configuration: 'serving.knative.dev/configuration',
  configurationUid: 'serving.knative.dev/configurationUID',
  configurationGeneration: 'serving.knative.dev/configurationGeneration',
  revision: 'serving.knative.dev/revision',
  revisionUid: 'serving.knative.dev/revisionUID',
  route: 'serving.knative.dev/route',
  routeNamespace: 'serving.knative.dev/routeNamespace',
  routingState: 'serving.knative.dev/routingState',
  visibility: 'networking.knative.dev/visibility',
  domainMappingUid: 'serving.knative.dev/domainMappingUID',
  domainMappingNamespace: 'serving.knative.dev/domainMappingNamespace',
  serverlessService: 'networking.internal.knative.dev/serverlessservice',
  serviceType: 'networking.internal.knative.dev/serviceType',
  certificateUid: 'networking.internal.knative.dev/certificate-uid',
  certificateType: 'networking.knative.dev/certificate-type',
  wildcardDomain: 'networking.knative.dev/wildcardDomain',
} as const;

export const annotations = {
  creator: 'serving.knative.dev/creator',
  lastModifier: 'serving.knative.dev/lastModifier',
  routes: 'serving.knative.dev/routes',
  routingStateModified: 'serving.knative.dev/routingStateModified',
  noGc: 'serving.knative.dev/no-gc',
  rollout: 'networking.internal.knative.dev/rollout',
  tagToHost: 'networking.internal.knative.dev/tag-to-host',
  rolloutDuration: 'serving.knative.dev/rollout-duration',
  progressDeadline: 'serving.knative.dev/progress-deadline',
  lastApplied: 'kubectl.kubernetes.io/last-applied-configuration',
  ingressClass: 'networking.knative.dev/ingress.class',
  httpProtocol: 'networking.knative.dev/http-protocol',
  certificateClass: 'networking.knative.dev/certificate.class',
} as const;

export type RoutingState = 'pending' | 'active' | 'reserve';

/**
 * The name of a child object: `parent + suffix` where it fits in 63 characters, else a prefix, the md5 of the parent and
 * the suffix (knative.dev/pkg/kmeta.ChildName).
 */
export function childName(parent: string, suffix: string): string {
  if (parent.length + suffix.length <= 63) return parent + suffix;
  const hash = createHash('md5');
  if (suffix.length < 31) return `${parent.slice(0, 31 - suffix.length)}${hash.update(parent).digest('hex')}${suffix}`;
  return `${parent.slice(0, 31)}${hash.update(parent + suffix).digest('hex')}`;
}

export const revisionName = (configuration: string, generation: number): string =>
  childName(configuration, `-${String(generation).padStart(5, '0')}`);
export const deploymentName = (revision: string): string => childName(revision, '-deployment');
export const privateServiceName = (revision: string): string => childName(revision, '-private');
/** Of a route's certificate, or of that of one of its tags. */
export const certificateName = (routeUid: string, tag: string): string => `route-${routeUid}${tag === '' ? '' : `-${adler32(tag)}`}`;
/** The same for the names inside the cluster. */
export const localCertificateName = (routeUid: string, tag: string): string => `${certificateName(routeUid, tag)}-local`;
export const imageCacheName = (revision: string, container: string): string => childName(`${revision}-cache-${container}`, '');

/** RFC 1950 §9, of the UTF-8 bytes. */
function adler32(text: string): number {
  let a = 1;
  let b = 0;
  for (const byte of Buffer.from(text)) {
    a = (a + byte) % 65_521;
    b = (b + a) % 65_521;
  }
  return b * 65_536 + a;
}

/** The value under the first of these keys that is there. */
export const annotationOf = (map: Readonly<Record<string, string>> | undefined, keys: readonly string[]): string | undefined =>
  keys.map((key) => map?.[key]).find((value) => value !== undefined);
/** Spellings of annotations, the one that is written first. */
export const certificateClassKeys = [annotations.certificateClass, 'networking.knative.dev/certificate-class'];
export const disableTlsKeys = ['disable-external-domain-tls', 'disable-auto-tls', 'disableAutoTLS'].map(
  (name) => `networking.knative.dev/${name}`,
);
export const ingressClassKeys = [annotations.ingressClass, 'networking.knative.dev/ingress-class'];
export const httpProtocolKeys = [annotations.httpProtocol, 'networking.knative.dev/httpOption'];
