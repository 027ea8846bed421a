import {
  horizontalPodAutoscalerSchema as v1Schema,
  type HorizontalPodAutoscaler as V1,
} from '#apis/autoscaling/v1/horizontal-pod-autoscaler.ts';
import { convertAutoscaler } from '#apis/autoscaling/v2/conversion.ts';
import { setAutoscalerDefaults } from '#apis/autoscaling/v2/defaults.ts';
import { formatTargets } from '#apis/autoscaling/v2/metric-targets.ts';
import { crossVersionObjectReferenceSchema, metricSpecSchema, metricStatusSchema, type MetricSpec } from '#apis/autoscaling/v2/metrics.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column } from '#apis/meta/columns.ts';
import { fieldForbidden, fieldInvalid, fieldRequired, type FieldError } from '#apis/meta/field-error.ts';
import { checkPathSegment } from '#apis/meta/names.ts';
import { each, requiredName } from '#apis/meta/validation.ts';
import { enumeration, int32, int64, list, listMap, object, quantity, required, string, time, type Infer } from '#apis/schema.ts';

const autoscaling = 'io.k8s.api.autoscaling.v2';

export const hpaScalingPolicySchema = object(`${autoscaling}.HPAScalingPolicy`, {
  type: [1, required(enumeration(['Percent', 'Pods']))],
  value: [2, required(int32())],
  periodSeconds: [3, required(int32())],
});
export interface HPAScalingPolicy extends Infer<typeof hpaScalingPolicySchema> {}

export const hpaScalingRulesSchema = object(`${autoscaling}.HPAScalingRules`, {
  selectPolicy: [1, enumeration(['Disabled', 'Max', 'Min'])],
  policies: [2, list(hpaScalingPolicySchema)],
  stabilizationWindowSeconds: [3, int32()],
  tolerance: [4, quantity()],
});
export interface HPAScalingRules extends Infer<typeof hpaScalingRulesSchema> {}

export const horizontalPodAutoscalerBehaviorSchema = object(`${autoscaling}.HorizontalPodAutoscalerBehavior`, {
  scaleUp: [1, hpaScalingRulesSchema],
  scaleDown: [2, hpaScalingRulesSchema],
});
export interface HorizontalPodAutoscalerBehavior extends Infer<typeof horizontalPodAutoscalerBehaviorSchema> {}

export const horizontalPodAutoscalerSpecSchema = object(`${autoscaling}.HorizontalPodAutoscalerSpec`, {
  scaleTargetRef: [1, required(crossVersionObjectReferenceSchema)],
  minReplicas: [2, int32({ default: 1 })],
  maxReplicas: [3, required(int32({ default: 0 }))],
  metrics: [4, list(metricSpecSchema)],
  behavior: [5, horizontalPodAutoscalerBehaviorSchema],
});
export interface HorizontalPodAutoscalerSpec extends Infer<typeof horizontalPodAutoscalerSpecSchema> {}

export const horizontalPodAutoscalerConditionSchema = object(`${autoscaling}.HorizontalPodAutoscalerCondition`, {
  type: [1, required(string())],
  status: [2, required(string())],
  lastTransitionTime: [3, time()],
  reason: [4, string()],
  message: [5, string()],
});
export interface HorizontalPodAutoscalerCondition extends Infer<typeof horizontalPodAutoscalerConditionSchema> {}

export const horizontalPodAutoscalerStatusSchema = object(`${autoscaling}.HorizontalPodAutoscalerStatus`, {
  observedGeneration: [1, int64()],
  lastScaleTime: [2, time()],
  currentReplicas: [3, int32()],
  desiredReplicas: [4, required(int32({ default: 0 }))],
  currentMetrics: [5, list(metricStatusSchema)],
  conditions: [6, listMap(horizontalPodAutoscalerConditionSchema, ['type'])],
});
export interface HorizontalPodAutoscalerStatus extends Infer<typeof horizontalPodAutoscalerStatusSchema> {}

export const horizontalPodAutoscalerSchema = kindSchema(`${autoscaling}.HorizontalPodAutoscaler`, {
  spec: [2, horizontalPodAutoscalerSpecSchema],
  status: [3, horizontalPodAutoscalerStatusSchema],
});
export interface HorizontalPodAutoscaler extends Infer<typeof horizontalPodAutoscalerSchema> {}

const columns = [
  column<HorizontalPodAutoscaler>('Reference', ({ spec }) => `${spec.scaleTargetRef.kind}/${spec.scaleTargetRef.name}`),
  column<HorizontalPodAutoscaler>('Targets', ({ spec, status }) => formatTargets(spec.metrics, status?.currentMetrics)),
  column<HorizontalPodAutoscaler>('MinPods', ({ spec }) => String(spec.minReplicas ?? '<unset>')),
  column<HorizontalPodAutoscaler>('MaxPods', ({ spec }) => spec.maxReplicas, 'integer'),
  column<HorizontalPodAutoscaler>('Replicas', ({ status }) => status?.currentReplicas ?? 0, 'integer'),
  ageColumn,
];

/** The v1 view of the one metric v1 knows. */
const v1Columns = columns.map((one) =>
  one.name === 'Targets' ? column<V1>('Targets', ({ spec, status }) => cpuTarget(spec, status)) : one,
);

function cpuTarget(spec: V1['spec'], status: V1['status']): string {
  const percent = (value: number | undefined, none: string) => (value === undefined ? none : `${value}%`);
  return `cpu: ${percent(status?.currentCPUUtilizationPercentage, '<unknown>')}/${percent(spec.targetCPUUtilizationPercentage, '<auto>')}`;
}

export const horizontalPodAutoscalerDefinition = defineBuiltin<HorizontalPodAutoscaler>({
  group: 'autoscaling',
  kind: 'HorizontalPodAutoscaler',
  plural: 'horizontalpodautoscalers',
  shortNames: ['hpa'],
  categories: ['all'],
  hasGeneration: false,
  storageVersion: 'v2',
  versions: [
    { name: 'v2', schema: horizontalPodAutoscalerSchema, served: true, columns },
    { name: 'v1', schema: v1Schema, served: true, columns: v1Columns },
  ],
  convert: convertAutoscaler,
  default({ apiVersion, spec }) {
    if (apiVersion !== 'autoscaling/v1') setAutoscalerDefaults(spec);
    else if ((spec as V1['spec']).targetCPUUtilizationPercentage === undefined) (spec as V1['spec']).targetCPUUtilizationPercentage = 80;
  },
  validate: ({ spec }) => {
    const { minReplicas = 1, maxReplicas, scaleTargetRef } = spec;
    const errors: FieldError[] = [];
    if (minReplicas < 1) errors.push(fieldInvalid('spec.minReplicas', minReplicas, 'must be greater than or equal to 1'));
    if (maxReplicas < 1) errors.push(fieldInvalid('spec.maxReplicas', maxReplicas, 'must be greater than 0'));
    if (maxReplicas < minReplicas) {
      errors.push(fieldInvalid('spec.maxReplicas', maxReplicas, 'must be greater than or equal to `minReplicas`'));
    }
    errors.push(...requiredName('spec.scaleTargetRef.kind', scaleTargetRef.kind, checkPathSegment));
    errors.push(...requiredName('spec.scaleTargetRef.name', scaleTargetRef.name, checkPathSegment));
    return [...errors, ...each(spec.metrics, 'spec.metrics', metricErrors)];
  },
});
export const horizontalPodAutoscalers = resourceOf(horizontalPodAutoscalerDefinition);

const sources = {
  ContainerResource: 'containerResource',
  External: 'external',
  Object: 'object',
  Pods: 'pods',
  Resource: 'resource',
} as const;

/** A metric has exactly the source its type names, with a target. */
function metricErrors(metric: MetricSpec, at: string): readonly FieldError[] {
  const source = sources[metric.type];
  const errors: FieldError[] = Object.values(sources)
    .filter((key) => key !== source && metric[key] !== undefined)
    .map((key) => fieldForbidden(`${at}.${key}`, 'must not populate the given metric source'));
  const given = metric[source];
  if (given === undefined) {
    return [...errors, fieldRequired(`${at}.${source}`, 'must populate information for the given metric source')];
  }
  const { averageUtilization, averageValue, value } = given.target;
  if (averageUtilization !== undefined && averageUtilization < 1) {
    errors.push(fieldInvalid(`${at}.${source}.target.averageUtilization`, averageUtilization, 'must be greater than 0'));
  }
  if (averageUtilization === undefined && averageValue === undefined && value === undefined) {
    errors.push(fieldRequired(`${at}.${source}.target.averageValue`, 'must specify a positive target averageValue'));
  }
  return errors;
}
