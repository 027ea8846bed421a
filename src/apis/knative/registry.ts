import type { KindDefinition } from '#apis/definition.ts';
import { metricDefinition, podAutoscalerDefinition } from '#apis/autoscaling-internal/v1alpha1/pod-autoscaler.ts';
import { imageDefinition } from '#apis/caching/v1alpha1/image.ts';
import { certificateDefinition, clusterDomainClaimDefinition } from '#apis/networking/v1alpha1/certificate.ts';
import { ingressDefinition } from '#apis/networking/v1alpha1/ingress.ts';
import { serverlessServiceDefinition } from '#apis/networking/v1alpha1/serverless-service.ts';
import { domainMappingDefinition } from '#apis/serving/v1beta1/domain-mapping.ts';
import { configurationDefinition, revisionDefinition, routeDefinition, serviceDefinition } from '#apis/serving/v1/kinds.ts';

/** Knative's kinds, served after all built-in groups so that short names like `services` stay Kubernetes' own. */
export const knativeKinds: readonly KindDefinition[] = [
  metricDefinition,
  podAutoscalerDefinition,
  imageDefinition,
  certificateDefinition,
  clusterDomainClaimDefinition,
  ingressDefinition,
  serverlessServiceDefinition,
  configurationDefinition,
  revisionDefinition,
  routeDefinition,
  serviceDefinition,
  domainMappingDefinition,
] as readonly KindDefinition[];
