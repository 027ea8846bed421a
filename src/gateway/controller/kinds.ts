import type { Pod } from '#apis/core/v1/pod.ts';
import type { Secret } from '#apis/core/v1/secret.ts';
import type { Service } from '#apis/core/v1/service.ts';
import type { Resource } from '#apis/definition.ts';
import type { EndpointSlice } from '#apis/discovery/v1/endpoint-slice.ts';
import type { Ingress } from '#apis/networking/v1alpha1/ingress.ts';
import type { Revision } from '#apis/serving/v1/schemas.ts';

/**
 * The resources the gateway watches. Named here rather than taken from their definitions: the gateway needs no schemas, and
 * loading them would cost its process memory.
 */
export const ingresses: Resource<Ingress> = {
  group: 'networking.internal.knative.dev',
  version: 'v1alpha1',
  plural: 'ingresses',
  kind: 'Ingress',
  namespaced: true,
};
export const revisions: Resource<Revision> = {
  group: 'serving.knative.dev',
  version: 'v1',
  plural: 'revisions',
  kind: 'Revision',
  namespaced: true,
};
export const services: Resource<Service> = { group: '', version: 'v1', plural: 'services', kind: 'Service', namespaced: true };
export const pods: Resource<Pod> = { group: '', version: 'v1', plural: 'pods', kind: 'Pod', namespaced: true };
export const secrets: Resource<Secret> = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true };
export const endpointSlices: Resource<EndpointSlice> = {
  group: 'discovery.k8s.io',
  version: 'v1',
  plural: 'endpointslices',
  kind: 'EndpointSlice',
  namespaced: true,
};

export const revisionLabel = 'serving.knative.dev/revision';
export const serviceLabel = 'serving.knative.dev/service';
export const configurationLabel = 'serving.knative.dev/configuration';
export const serviceNameLabel = 'kubernetes.io/service-name';

export type { EndpointSlice, Ingress, Pod, Revision, Secret, Service };
