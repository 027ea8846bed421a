import type { StatefulSet } from '#apis/apps/v1/stateful-set.ts';
import type { Pod } from '#apis/core/v1/pod.ts';
import { isAvailable, isFinished, isReady, isTerminating } from '#apis/core/v1/pod-state.ts';
import { revisionLabel } from '#cluster/revision-history.ts';
import { ordinalOf } from '#cluster/stateful-set/pods.ts';

/** What to do next; more follows when it has shown. */
export interface Plan {
  readonly create: readonly { readonly ordinal: number; readonly revision: string }[];
  readonly remove: readonly Pod[];
}

export interface Revisions {
  /** Of the template pods had before the update that is under way. */
  readonly current: string;
  readonly update: string;
}

const nothing: Plan = { create: [], remove: [] };

export const revisionOf = ({ metadata }: Pod): string => metadata.labels?.[revisionLabel] ?? '';
/** Runs, is ready and not on its way out. */
export const isHealthy = (pod: Pod): boolean => pod.status?.phase === 'Running' && isReady(pod) && !isTerminating(pod);

/**
 * One step of kube-controller-manager's way: missing pods from the lowest ordinal up, each once the one before is available; then
 * those too many from the highest down; then the update from the highest down to the partition, one at a time. `Parallel` does
 * not wait with the first two.
 */
export function planStep(set: StatefulSet, pods: readonly Pod[], revisions: Revisions, nowMs: number): Plan {
  const start = set.spec.ordinals?.start ?? 0;
  const end = start + (set.spec.replicas ?? 1);
  const byOrdinal = new Map(pods.flatMap((pod) => [[ordinalOf(set, pod) ?? -1, pod] as const]));
  const wanted = Array.from({ length: end - start }, (_none, index) => start + index);
  const surplus = [...byOrdinal.keys()].filter((ordinal) => ordinal < start || ordinal >= end).sort((a, b) => b - a);
  const parallel = set.spec.podManagementPolicy === 'Parallel';
  const steps: Plan[] = [];
  for (const ordinal of wanted) {
    const pod = byOrdinal.get(ordinal);
    const step = stepFor(set, pod, ordinal, revisions);
    if (step !== undefined) steps.push(step);
    const settled = pod !== undefined && isHealthy(pod) && isAvailable(pod, set.spec.minReadySeconds ?? 0, nowMs);
    if (!parallel && !settled) return step ?? nothing;
  }
  for (const ordinal of surplus) {
    const pod = byOrdinal.get(ordinal);
    if (pod === undefined) continue;
    if (!isTerminating(pod)) steps.push({ create: [], remove: [pod] });
    if (!parallel) return steps.at(-1) ?? nothing;
  }
  if (steps.length > 0) return { create: steps.flatMap(({ create }) => create), remove: steps.flatMap(({ remove }) => remove) };
  return updateStep(set, wanted.toReversed(), byOrdinal, revisions);
}

/** A pod that is missing is made, one that has ended is removed to be made again. */
function stepFor(set: StatefulSet, pod: Pod | undefined, ordinal: number, { current, update }: Revisions): Plan | undefined {
  if (pod === undefined) return { create: [{ ordinal, revision: ordinal < partitionOf(set) ? current : update }], remove: [] };
  return isFinished(pod) && !isTerminating(pod) ? { create: [], remove: [pod] } : undefined;
}

function updateStep(set: StatefulSet, highestFirst: readonly number[], byOrdinal: ReadonlyMap<number, Pod>, { update }: Revisions): Plan {
  if (set.spec.updateStrategy?.type === 'OnDelete') return nothing;
  for (const ordinal of highestFirst.filter((one) => one >= partitionOf(set))) {
    const pod = byOrdinal.get(ordinal);
    if (pod !== undefined && revisionOf(pod) !== update && !isTerminating(pod)) return { create: [], remove: [pod] };
    if (pod === undefined || !isHealthy(pod)) return nothing;
  }
  return nothing;
}

/** Ordinals below keep the revision they have. */
function partitionOf({ spec }: StatefulSet): number {
  return (spec.ordinals?.start ?? 0) + (spec.updateStrategy?.rollingUpdate?.partition ?? 0);
}
