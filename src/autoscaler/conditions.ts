import type { PodAutoscaler } from '#apis/autoscaling-internal/v1alpha1/pod-autoscaler.ts';
import type { ServerlessService } from '#apis/networking/v1alpha1/serverless-service.ts';
import { conditionOf } from '#apis/knative/status.ts';
import { ConditionSet, type ConditionManager } from '#controller/conditions.ts';
import type { ScalingSpec } from '#autoscaler/spec.ts';

export const autoscalerConditions = new ConditionSet(['Active', 'ScaleTargetInitialized', 'SKSReady']);

export type Activity = 'active' | 'activating' | 'inactive' | 'unknown';

/** What the PodAutoscaler's Active condition says. */
export function activityOf(autoscaler: PodAutoscaler): Activity {
  const status = conditionOf(autoscaler, 'Active')?.status;
  if (status === 'True') return 'active';
  if (status === 'False') return 'inactive';
  return status === 'Unknown' && conditionOf(autoscaler, 'Active')?.reason !== undefined ? 'activating' : 'unknown';
}

/**
 * Notes the names of the revision's Services, public and private. Knative's definition of the kind requires both: until they are known
 * they are empty.
 */
export function noteServices(status: NonNullable<PodAutoscaler['status']>, service: ServerlessService | undefined): void {
  status.serviceName = service?.status?.serviceName ?? status.serviceName ?? '';
  status.metricsServiceName = service?.status?.privateServiceName ?? status.metricsServiceName ?? '';
}

/** For how many milliseconds Active has been as it is. */
export function activeForMs(autoscaler: PodAutoscaler, nowMs: number): number {
  const since = Date.parse(conditionOf(autoscaler, 'Active')?.lastTransitionTime ?? '');
  return Number.isNaN(since) ? 0 : nowMs - since;
}

export const isInitialized = (autoscaler: PodAutoscaler): boolean => conditionOf(autoscaler, 'ScaleTargetInitialized')?.status === 'True';

/** Sets Active from how many pods are wanted and ready (the table of serving.md §3.4). */
export function markActive(
  manager: ConditionManager,
  spec: ScalingSpec,
  { want, ready, initialized, before }: { want: number; ready: number; initialized: boolean; before: Activity },
): void {
  const enough = initialized ? Math.max(spec.minScale, 1) : Math.max(spec.minScale, spec.initialScale);
  const queued = () => manager.markUnknown('Active', 'Queued', 'Requests to the target are being buffered as resources are provisioned.');
  if (want === 0 || enough === 0) {
    if (before === 'activating' && enough > 0) manager.markFalse('Active', 'TimedOut', 'The target could not be activated.');
    else manager.markFalse('Active', 'NoTraffic', 'The target is not receiving traffic.');
  } else if (want < 0 && before === 'inactive') {
    return;
  } else if (ready < enough) queued();
  else manager.markTrue('Active');
}
