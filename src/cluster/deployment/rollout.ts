import type { Deployment } from '#apis/apps/v1/deployment.ts';
import type { ReplicaSet } from '#apis/apps/v1/replica-set.ts';

/** Replicas each ReplicaSet should have next; only those that change. */
export type ScaleSteps = ReadonlyMap<string, number>;

export const replicasOf = (replicaSet: ReplicaSet): number => replicaSet.spec?.replicas ?? 0;
const availableOf = (replicaSet: ReplicaSet): number => replicaSet.status?.availableReplicas ?? 0;
const sum = (sets: readonly ReplicaSet[], count: (one: ReplicaSet) => number): number => sets.reduce((total, one) => total + count(one), 0);

/** `25%` of `total` (rounded up or down), or the number itself. */
export function resolveAmount(value: number | string | undefined, total: number, roundUp: boolean): number {
  if (typeof value === 'number') return value;
  const percent = Number(/^(\d+)%$/.exec(value ?? '')?.[1] ?? 0);
  const amount = (percent * total) / 100;
  return roundUp ? Math.ceil(amount) : Math.floor(amount);
}

/** How far a rolling update may go above and below the wanted number; never both zero, or nothing could move. */
export function rollingLimits(deployment: Deployment): { surge: number; unavailable: number } {
  const wanted = deployment.spec?.replicas ?? 1;
  const { maxSurge = '25%', maxUnavailable = '25%' } = deployment.spec?.strategy?.rollingUpdate ?? {};
  const surge = resolveAmount(maxSurge, wanted, true);
  const unavailable = resolveAmount(maxUnavailable, wanted, false);
  return { surge, unavailable: surge === 0 && unavailable === 0 ? 1 : Math.min(unavailable, wanted) };
}

/** One step of a rolling update: first up with the new set, then down with the old ones, as far as the limits let. */
export function rollingStep(deployment: Deployment, current: ReplicaSet, old: readonly ReplicaSet[]): ScaleSteps {
  const up = scaleUpCurrent(deployment, current, old);
  return up === undefined ? scaleDownOld(deployment, current, old) : new Map([[current.metadata.name ?? '', up]]);
}

function scaleUpCurrent(deployment: Deployment, current: ReplicaSet, old: readonly ReplicaSet[]): number | undefined {
  const wanted = deployment.spec?.replicas ?? 1;
  const now = replicasOf(current);
  if (now === wanted) return undefined;
  if (now > wanted) return wanted;
  const room = wanted + rollingLimits(deployment).surge - now - sum(old, replicasOf);
  const next = Math.min(wanted, now + Math.max(0, room));
  return next === now ? undefined : next;
}

/** Pods that are not available anyway go first; then as many as the minimum of available pods can spare. */
function scaleDownOld(deployment: Deployment, current: ReplicaSet, old: readonly ReplicaSet[]): ScaleSteps {
  const steps = new Map<string, number>();
  const wanted = deployment.spec?.replicas ?? 1;
  const minAvailable = wanted - rollingLimits(deployment).unavailable;
  const total = replicasOf(current) + sum(old, replicasOf);
  const currentUnavailable = replicasOf(current) - availableOf(current);
  let spare = total - minAvailable - currentUnavailable;
  for (const set of byAge(old)) {
    const unhealthy = Math.min(replicasOf(set) - availableOf(set), spare);
    if (unhealthy <= 0) continue;
    steps.set(set.metadata.name ?? '', replicasOf(set) - unhealthy);
    spare -= unhealthy;
  }
  let surplus = availableOf(current) + sum(old, availableOf) - minAvailable;
  for (const set of byAge(old)) {
    const name = set.metadata.name ?? '';
    const left = steps.get(name) ?? replicasOf(set);
    const removed = Math.min(left, Math.max(0, surplus));
    if (removed <= 0) continue;
    steps.set(name, left - removed);
    surplus -= removed;
  }
  return steps;
}

/** Recreate: the old pods go before a new one comes. */
export function recreateStep(deployment: Deployment, current: ReplicaSet, old: readonly ReplicaSet[], oldPodsLeft: boolean): ScaleSteps {
  const running = old.filter((set) => replicasOf(set) > 0);
  if (running.length > 0) return new Map(running.map((set) => [set.metadata.name ?? '', 0]));
  if (oldPodsLeft) return new Map();
  return scaleOnly(deployment, current);
}

/** No rollout under way: the one set has what is wanted. */
export function scaleOnly(deployment: Deployment, current: ReplicaSet): ScaleSteps {
  const wanted = deployment.spec?.replicas ?? 1;
  return replicasOf(current) === wanted ? new Map() : new Map([[current.metadata.name ?? '', wanted]]);
}

/**
 * A Deployment that is scaled in the middle of a rollout (or while paused) shares the difference among its sets by their
 * size, largest first, so that the risk stays spread.
 */
export function proportionalStep(deployment: Deployment, sets: readonly ReplicaSet[]): ScaleSteps {
  const wanted = deployment.spec?.replicas ?? 1;
  const allowed = wanted > 0 ? wanted + (deployment.spec?.strategy?.type === 'Recreate' ? 0 : rollingLimits(deployment).surge) : 0;
  const total = sum(sets, replicasOf);
  let left = allowed - total;
  const steps = new Map<string, number>();
  if (total === 0 || left === 0) return steps;
  for (const set of sets.toSorted((a, b) => replicasOf(b) - replicasOf(a))) {
    const share =
      left > 0
        ? Math.min(left, Math.round((replicasOf(set) * allowed) / total) - replicasOf(set))
        : Math.max(left, Math.round((replicasOf(set) * allowed) / total) - replicasOf(set));
    steps.set(set.metadata.name ?? '', Math.max(0, replicasOf(set) + share));
    left -= share;
  }
  const [largest] = sets.toSorted((a, b) => replicasOf(b) - replicasOf(a));
  const name = largest?.metadata.name ?? '';
  steps.set(name, Math.max(0, (steps.get(name) ?? 0) + left));
  return steps;
}

function byAge(sets: readonly ReplicaSet[]): ReplicaSet[] {
  return sets.toSorted((a, b) => Date.parse(a.metadata.creationTimestamp ?? '') - Date.parse(b.metadata.creationTimestamp ?? ''));
}
