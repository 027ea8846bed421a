import { kindSchema } from '#apis/meta/builtin.ts';
import { int32, int64, object, required, string, time, type Infer } from '#apis/schema.ts';

const autoscaling = 'io.k8s.api.autoscaling.v1';

export const crossVersionObjectReferenceSchema = object(
  `${autoscaling}.CrossVersionObjectReference`,
  {
    kind: [1, required(string())],
    name: [2, required(string())],
    apiVersion: [3, string()],
  },
  { 'x-kubernetes-map-type': 'atomic' },
);
export interface CrossVersionObjectReference extends Infer<typeof crossVersionObjectReferenceSchema> {}

export const horizontalPodAutoscalerSpecSchema = object(`${autoscaling}.HorizontalPodAutoscalerSpec`, {
  scaleTargetRef: [1, required(crossVersionObjectReferenceSchema)],
  minReplicas: [2, int32({ default: 1 })],
  maxReplicas: [3, required(int32({ default: 0 }))],
  targetCPUUtilizationPercentage: [4, int32()],
});
export interface HorizontalPodAutoscalerSpec extends Infer<typeof horizontalPodAutoscalerSpecSchema> {}

export const horizontalPodAutoscalerStatusSchema = object(`${autoscaling}.HorizontalPodAutoscalerStatus`, {
  observedGeneration: [1, int64()],
  lastScaleTime: [2, time()],
  currentReplicas: [3, required(int32({ default: 0 }))],
  desiredReplicas: [4, required(int32({ default: 0 }))],
  currentCPUUtilizationPercentage: [5, int32()],
});
export interface HorizontalPodAutoscalerStatus extends Infer<typeof horizontalPodAutoscalerStatusSchema> {}

export const horizontalPodAutoscalerSchema = kindSchema(`${autoscaling}.HorizontalPodAutoscaler`, {
  spec: [2, horizontalPodAutoscalerSpecSchema],
  status: [3, horizontalPodAutoscalerStatusSchema],
});
export interface HorizontalPodAutoscaler extends Infer<typeof horizontalPodAutoscalerSchema> {}
