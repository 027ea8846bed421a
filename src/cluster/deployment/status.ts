import type { Deployment, DeploymentCondition, DeploymentStatus } from '#apis/apps/v1/deployment.ts';
import type { ReplicaSet } from '#apis/apps/v1/replica-set.ts';
import { timestamp } from '#controller/conditions.ts';
import type { Clock } from '#core/clock.ts';
import { replicasOf, rollingLimits } from '#cluster/deployment/rollout.ts';

type Counts = Required<Pick<DeploymentStatus, 'replicas' | 'updatedReplicas' | 'readyReplicas' | 'availableReplicas'>>;

/** Sets the Deployment's status from its sets: counts, Available, Progressing, ReplicaFailure, as kube-controller-manager does. */
export function deploymentStatus(
  deployment: Deployment,
  current: ReplicaSet | undefined,
  sets: readonly ReplicaSet[],
  clock: Clock,
  created: boolean,
): void {
  const before = deployment.status ?? {};
  const counts = countReplicas(current, sets);
  const wanted = deployment.spec?.replicas ?? 1;
  const now = timestamp(clock);
  let conditions = before.conditions ?? [];
  const available = counts.availableReplicas >= wanted - rollingLimits(deployment).unavailable;
  conditions = put(
    conditions,
    available
      ? { type: 'Available', status: 'True', reason: 'MinimumReplicasAvailable', message: 'Deployment has minimum availability.' }
      : {
          type: 'Available',
          status: 'False',
          reason: 'MinimumReplicasUnavailable',
          message: 'Deployment does not have minimum availability.',
        },
    now,
  );
  const progressing = progress(deployment, current, sets, { before, counts, created, now: clock.now() });
  if (progressing !== undefined) conditions = put(conditions, progressing, now);
  const failure = sets
    .flatMap(({ status }) => status?.conditions ?? [])
    .find(({ type, status }) => type === 'ReplicaFailure' && status === 'True');
  conditions = conditions.filter(({ type }) => type !== 'ReplicaFailure');
  if (failure !== undefined) {
    conditions = put(
      conditions,
      { type: 'ReplicaFailure', status: 'True', reason: failure.reason ?? '', message: failure.message ?? '' },
      now,
    );
  }
  const unavailable = Math.max(0, Math.max(wanted, counts.replicas) - counts.availableReplicas);
  const { generation } = deployment.metadata;
  deployment.status = {
    ...(before.collisionCount === undefined ? {} : { collisionCount: before.collisionCount }),
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    ...nonZero({ ...counts, unavailableReplicas: unavailable }),
    conditions,
  };
}

/** Milliseconds until the progress deadline has to be looked at again; undefined when nothing is waited for. */
export function progressDeadlineLeftMs(deployment: Deployment, nowMs: number): number | undefined {
  const progressing = deployment.status?.conditions?.find(({ type }) => type === 'Progressing');
  const deadline = deployment.spec?.progressDeadlineSeconds;
  if (deadline === undefined || progressing?.status !== 'True' || progressing.reason === 'NewReplicaSetAvailable') return undefined;
  return Math.max(0, Date.parse(progressing.lastUpdateTime ?? '') + deadline * 1000 - nowMs) + 1000;
}

function countReplicas(current: ReplicaSet | undefined, sets: readonly ReplicaSet[]): Counts {
  const total = (count: (set: ReplicaSet) => number | undefined) => sets.reduce((sum, set) => sum + (count(set) ?? 0), 0);
  return {
    replicas: total(({ status }) => status?.replicas),
    updatedReplicas: current?.status?.replicas ?? 0,
    readyReplicas: total(({ status }) => status?.readyReplicas),
    availableReplicas: total(({ status }) => status?.availableReplicas),
  };
}

interface Progress {
  readonly before: DeploymentStatus;
  readonly counts: Counts;
  readonly created: boolean;
  readonly now: number;
}

function progress(
  deployment: Deployment,
  current: ReplicaSet | undefined,
  sets: readonly ReplicaSet[],
  { before, counts, created, now }: Progress,
): Omit<DeploymentCondition, 'lastUpdateTime' | 'lastTransitionTime'> | undefined {
  const deadline = deployment.spec?.progressDeadlineSeconds;
  if (deadline === undefined || deadline >= 2147483647) return undefined;
  const old = before.conditions?.find(({ type }) => type === 'Progressing');
  const subject = current === undefined ? `Deployment "${deployment.metadata.name}"` : `ReplicaSet "${current.metadata.name}"`;
  if (deployment.spec?.paused === true)
    return old?.reason === 'DeploymentPaused'
      ? undefined
      : { type: 'Progressing', status: 'Unknown', reason: 'DeploymentPaused', message: 'Deployment is paused' };
  const wanted = deployment.spec?.replicas ?? 1;
  const settled =
    current !== undefined && sets.every((set) => set === current || (replicasOf(set) === 0 && (set.status?.replicas ?? 0) === 0));
  const complete = settled && counts.updatedReplicas === wanted && counts.replicas === wanted && counts.availableReplicas === wanted;
  if (complete)
    return { type: 'Progressing', status: 'True', reason: 'NewReplicaSetAvailable', message: `${subject} has successfully progressed.` };
  if (created)
    return {
      type: 'Progressing',
      status: 'True',
      reason: 'NewReplicaSetCreated',
      message: `Created new replica set "${current?.metadata.name ?? ''}"`,
    };
  const moved =
    counts.updatedReplicas > (before.updatedReplicas ?? 0) ||
    counts.readyReplicas > (before.readyReplicas ?? 0) ||
    counts.availableReplicas > (before.availableReplicas ?? 0) ||
    counts.replicas - counts.updatedReplicas < (before.replicas ?? 0) - (before.updatedReplicas ?? 0);
  // Once complete, a change in scale is no rollout and has no deadline.
  if (old?.reason === 'NewReplicaSetAvailable' && !created && settled) return undefined;
  if (moved || old === undefined || old.status === 'Unknown') {
    return { type: 'Progressing', status: 'True', reason: 'ReplicaSetUpdated', message: `${subject} is progressing.` };
  }
  if (old.status === 'True' && Date.parse(old.lastUpdateTime ?? '') + deadline * 1000 < now) {
    return { type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded', message: `${subject} has timed out progressing.` };
  }
  return undefined;
}

/** lastUpdateTime moves with every word of the condition, lastTransitionTime with its status alone. */
function put(
  conditions: readonly DeploymentCondition[],
  next: Omit<DeploymentCondition, 'lastUpdateTime' | 'lastTransitionTime'>,
  now: string,
): DeploymentCondition[] {
  const old = conditions.find(({ type }) => type === next.type);
  const moving = next.reason === 'ReplicaSetUpdated';
  const same = old?.status === next.status && old?.reason === next.reason && old?.message === next.message && !moving;
  const made = {
    ...next,
    lastUpdateTime: same ? (old?.lastUpdateTime ?? now) : now,
    lastTransitionTime: old?.status === next.status ? (old.lastTransitionTime ?? now) : now,
  };
  return old === undefined ? [...conditions, made] : conditions.map((one) => (one === old ? made : one));
}

function nonZero(counts: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0));
}
