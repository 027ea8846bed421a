import { crossVersionObjectReferenceSchema, metricSpecSchema, metricStatusSchema } from '#apis/autoscaling/v2/metrics.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
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

export const horizontalPodAutoscalerDefinition = defineBuiltin<HorizontalPodAutoscaler>({
  group: 'autoscaling',
  kind: 'HorizontalPodAutoscaler',
  plural: 'horizontalpodautoscalers',
  shortNames: ['hpa'],
  categories: ['all'],
  hasGeneration: false,
  versions: [{ name: 'v2', schema: horizontalPodAutoscalerSchema, served: true }],
});
export const horizontalPodAutoscalers = resourceOf(horizontalPodAutoscalerDefinition);
