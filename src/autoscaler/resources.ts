import { podAutoscalers, type Metric, type PodAutoscaler } from '#apis/autoscaling-internal/v1alpha1/pod-autoscaler.ts';
import type { ServerlessService } from '#apis/networking/v1alpha1/serverless-service.ts';
import { controllerReference } from '#controller/owner.ts';
import type { ScalingSpec } from '#autoscaler/spec.ts';

export function makeServerlessService(autoscaler: PodAutoscaler, mode: 'Serve' | 'Proxy', numActivators: number): ServerlessService {
  return {
    metadata: childMetadata(autoscaler),
    spec: { mode, objectRef: scaleTargetOf(autoscaler), protocolType: autoscaler.spec?.protocolType ?? 'http1', numActivators },
  };
}

/** Windows in nanoseconds, as Knative's Metric has them. */
export function makeMetric(autoscaler: PodAutoscaler, spec: ScalingSpec): Metric {
  return {
    metadata: childMetadata(autoscaler),
    spec: {
      stableWindow: spec.stableWindowMs * 1e6,
      panicWindow: spec.panicWindowMs * 1e6,
      // With the gateway in the path of every request there is nothing to scrape.
      scrapeTarget: '',
    },
  };
}

/** What it scales. */
export function scaleTargetOf({ spec }: PodAutoscaler): { readonly apiVersion: string; readonly kind: string; readonly name: string } {
  const { apiVersion = 'apps/v1', kind = 'Deployment', name = '' } = spec?.scaleTargetRef ?? {};
  return { apiVersion, kind, name };
}

/** Of what an autoscaler makes: its name, labels and annotations are the autoscaler's. */
export function childMetadata(autoscaler: PodAutoscaler) {
  const { name = '', namespace = '', labels = {}, annotations = {} } = autoscaler.metadata;
  return {
    name,
    namespace,
    labels: { ...labels },
    annotations: { ...annotations },
    ownerReferences: [controllerReference(autoscaler, podAutoscalers)],
  };
}
