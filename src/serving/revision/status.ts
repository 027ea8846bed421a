import type { Deployment } from '#apis/apps/v1/deployment.ts';
import type { PodAutoscaler } from '#apis/autoscaling-internal/v1alpha1/pod-autoscaler.ts';
import type { Pod } from '#apis/core/v1/pod.ts';
import { conditionOf } from '#apis/knative/status.ts';
import type { RevisionStatus } from '#apis/serving/v1/schemas.ts';
import type { ConditionManager } from '#controller/conditions.ts';

/** What the Deployment says of a revision: progressing and no failed replicas is ResourcesAvailable. */
export function propagateDeployment(deployment: Deployment, manager: ConditionManager): void {
  const find = (type: string) => deployment.status?.conditions?.find((condition) => condition.type === type);
  const failure = find('ReplicaFailure');
  const progressing = find('Progressing');
  if (failure?.status === 'True') manager.markFalse('ResourcesAvailable', failure.reason ?? '', failure.message ?? '');
  else if (progressing?.status === 'False') manager.markFalse('ResourcesAvailable', progressing.reason ?? '', progressing.message ?? '');
  else if (progressing?.status === 'True') manager.markTrue('ResourcesAvailable');
  else manager.markUnknown('ResourcesAvailable', progressing?.reason ?? 'Deploying', progressing?.message ?? '');
}

/** Why no replica comes up, read off one of the pods (they all fail alike). A pod that is being stopped tells nothing. */
export function propagatePod(pod: Pod, deployment: Deployment, schedulable: boolean, manager: ConditionManager): void {
  if (pod.metadata.deletionTimestamp !== undefined) return;
  const scheduled = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled');
  if (!schedulable && scheduled?.status === 'False') {
    manager.markFalse('ResourcesAvailable', scheduled.reason ?? '', scheduled.message ?? '');
  }
  for (const container of pod.status?.containerStatuses ?? []) {
    const ended = container.lastState?.terminated ?? container.state?.terminated;
    const waiting = container.state?.waiting;
    if (ended !== undefined) {
      const { exitCode, message = '' } = ended;
      const text = exitCode === 0 && message === '' ? 'container exited with no error' : message;
      manager.markFalse('ContainerHealthy', `ExitCode${exitCode}`, `Container failed with: ${text}`);
      return;
    }
    if (waiting !== undefined && hasTimedOut(deployment)) {
      manager.markFalse('ResourcesAvailable', waiting.reason ?? '', waiting.message ?? '');
      return;
    }
  }
}

/** What the autoscaler says: replicas, Active, and whether the revision ever came up. */
export function propagateAutoscaler(autoscaler: PodAutoscaler, status: RevisionStatus, manager: ConditionManager): void {
  const { actualScale = -1, desiredScale = -1, serviceName = '' } = autoscaler.status ?? {};
  setScale(status, 'actualReplicas', actualScale);
  setScale(status, 'desiredReplicas', desiredScale);
  const unavailable = manager.get('ResourcesAvailable')?.status === 'False' || manager.get('ContainerHealthy')?.status === 'False';
  const ready = conditionOf(autoscaler, 'Ready');
  if (ready === undefined) {
    manager.markUnknown('Active', 'Deploying', '');
    if (!unavailable) manager.markUnknown('ResourcesAvailable', 'Deploying', '');
    return;
  }
  const initialized = conditionOf(autoscaler, 'ScaleTargetInitialized')?.status === 'True';
  if (initialized && !unavailable) {
    manager.markTrue('ResourcesAvailable');
    manager.markTrue('ContainerHealthy');
  }
  if (manager.get('ResourcesAvailable')?.status === 'True' && (serviceName === '' || !initialized)) {
    manager.markUnknown('ResourcesAvailable', 'Deploying', '');
  }
  // Down at zero without ever having been up: its deadline has passed.
  if (ready.status === 'False' && !initialized && !unavailable && serviceName !== '') {
    manager.markFalse('ResourcesAvailable', 'ProgressDeadlineExceeded', 'Initial scale was never achieved');
  }
  manager.propagate('Active', ready.status === 'True' ? { type: 'Active', status: 'True' } : ready);
}

function setScale(status: RevisionStatus, field: 'actualReplicas' | 'desiredReplicas', scale: number): void {
  if (scale < 0) delete status[field];
  else status[field] = scale;
}

function hasTimedOut(deployment: Deployment): boolean {
  return (
    deployment.status?.conditions?.some(
      ({ type, status, reason }) => type === 'Progressing' && status === 'False' && reason === 'ProgressDeadlineExceeded',
    ) ?? false
  );
}
