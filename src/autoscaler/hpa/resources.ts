import type { PodAutoscaler } from '#apis/autoscaling-internal/v1alpha1/pod-autoscaler.ts';
import { setAutoscalerDefaults } from '#apis/autoscaling/v2/defaults.ts';
import type { HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec } from '#apis/autoscaling/v2/horizontal-pod-autoscaler.ts';
import type { MetricSpec } from '#apis/autoscaling/v2/metrics.ts';
import { canonicalQuantity } from '#apis/meta/quantity.ts';
import type { AutoscalerConfig } from '#apis/serving/config/tables.ts';
import { autoscalingAnnotation } from '#apis/serving/validation/annotations.ts';
import { childMetadata, scaleTargetOf } from '#autoscaler/resources.ts';
import { goDurationMs } from '#core/duration.ts';

const unlimited = 2_147_483_647;

/** The HorizontalPodAutoscaler of a revision of class hpa (serving.md §3.4), completed as the API server completes it. */
export function makeHorizontalPodAutoscaler(autoscaler: PodAutoscaler, config: AutoscalerConfig): HorizontalPodAutoscaler {
  const metadata = childMetadata(autoscaler);
  const { min, max } = scaleBounds(autoscaler, config);
  const spec: HorizontalPodAutoscalerSpec = {
    scaleTargetRef: scaleTargetOf(autoscaler),
    // The default of the kind; Knative leaves it out.
    minReplicas: Math.max(1, min),
    maxReplicas: max === 0 ? unlimited : max,
    ...metricsOf(metadata.annotations),
    ...behaviorOf(metadata.annotations),
  };
  setAutoscalerDefaults(spec);
  return { metadata, spec };
}

/** `max` 0: no limit. Nothing keeps an unreachable revision up. */
export function scaleBounds(autoscaler: PodAutoscaler, config: AutoscalerConfig): { readonly min: number; readonly max: number } {
  const number = (name: string, fallback: number) => Number(autoscalingAnnotation(autoscaler.metadata.annotations, name)?.[1] ?? fallback);
  const reachable = autoscaler.spec?.reachability !== 'Unreachable';
  return { min: reachable ? number('min-scale', config['min-scale']) : 0, max: number('max-scale', config['max-scale']) };
}

/** Without a target the kind's own default applies: 80 % of the requested CPU. */
function metricsOf(annotations: Readonly<Record<string, string>>): { readonly metrics?: MetricSpec[] } {
  const target = autoscalingAnnotation(annotations, 'target')?.[1];
  if (target === undefined) return {};
  const value = Number(target);
  const metric = autoscalingAnnotation(annotations, 'metric')?.[1] ?? 'cpu';
  if (metric === 'cpu') {
    return {
      metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: Math.ceil(value) } } }],
    };
  }
  const whole = Math.trunc(value);
  if (metric === 'memory') {
    return {
      metrics: [
        { type: 'Resource', resource: { name: 'memory', target: { type: 'AverageValue', averageValue: canonicalQuantity(`${whole}Mi`) } } },
      ],
    };
  }
  return {
    metrics: [
      { type: 'Pods', pods: { metric: { name: metric }, target: { type: 'AverageValue', averageValue: canonicalQuantity(whole) } } },
    ],
  };
}

function behaviorOf(annotations: Readonly<Record<string, string>>): Pick<HorizontalPodAutoscalerSpec, 'behavior'> {
  const window = goDurationMs(autoscalingAnnotation(annotations, 'window')?.[1] ?? '');
  if (window === undefined) return {};
  const stabilizationWindowSeconds = Math.trunc(window / 1000);
  return { behavior: { scaleDown: { stabilizationWindowSeconds }, scaleUp: { stabilizationWindowSeconds } } };
}
