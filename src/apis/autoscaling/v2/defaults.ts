import type { HorizontalPodAutoscalerSpec } from '#apis/autoscaling/v2/horizontal-pod-autoscaler.ts';

const cpuPercent = 80;

/** Without metrics a workload is held at 80 % of its requested CPU; given scaling rules are completed. */
export function setAutoscalerDefaults(spec: HorizontalPodAutoscalerSpec): void {
  if ((spec.metrics ?? []).length === 0) {
    spec.metrics = [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: cpuPercent } } }];
  }
  const { behavior } = spec;
  if (behavior === undefined) return;
  behavior.scaleUp = {
    stabilizationWindowSeconds: 0,
    selectPolicy: 'Max',
    policies: [
      { type: 'Pods', value: 4, periodSeconds: 15 },
      { type: 'Percent', value: 100, periodSeconds: 15 },
    ],
    ...behavior.scaleUp,
  };
  behavior.scaleDown = {
    selectPolicy: 'Max',
    policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }],
    ...behavior.scaleDown,
  };
}
