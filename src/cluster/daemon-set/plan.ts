import type { DaemonSet } from '#apis/apps/v1/daemon-set.ts';
import type { Node } from '#apis/core/v1/node.ts';
import type { Pod } from '#apis/core/v1/pod.ts';
import { isAvailable, isFinished, isReady, isTerminating } from '#apis/core/v1/pod-state.ts';
import { fitOf, nodeOf } from '#cluster/daemon-set/pods.ts';
import { revisionLabel } from '#cluster/revision-history.ts';

export interface Plan {
  /** Names of nodes that get a pod. */
  readonly create: readonly string[];
  readonly remove: readonly Pod[];
  readonly status: NonNullable<DaemonSet['status']>;
}

/** Which nodes get a pod, which pods go, and what there is. `revision` is that of the template. */
export function plan(set: DaemonSet, nodes: readonly Node[], pods: readonly Pod[], revision: string, nowMs: number): Plan {
  const byNode = Map.groupBy(pods, nodeOf);
  const minReadySeconds = set.spec.minReadySeconds ?? 0;
  const available = (pod: Pod) => !isTerminating(pod) && isReady(pod) && isAvailable(pod, minReadySeconds, nowMs);
  const isNew = ({ metadata }: Pod) => metadata.labels?.[revisionLabel] === revision;
  const create: string[] = [];
  const remove: Pod[] = [];
  const kept: Pod[] = [];
  let misscheduled = 0;
  for (const node of nodes) {
    const name = node.metadata.name ?? '';
    const here = (byNode.get(name) ?? []).toSorted((a, b) => (createdOf(a) < createdOf(b) ? -1 : 1));
    byNode.delete(name);
    const fit = fitOf(set, node);
    if (!fit.run) {
      misscheduled += here.length > 0 ? 1 : 0;
      if (!fit.stay) remove.push(...here.filter((pod) => !isTerminating(pod)));
      continue;
    }
    const [pod, ...others] = here.filter((one) => !isFinished(one) && !isTerminating(one));
    remove.push(...here.filter((one) => isFinished(one) && !isTerminating(one)), ...others);
    if (pod !== undefined) kept.push(pod);
    // One that is going keeps its place until it is gone.
    else if (here.length === 0) create.push(name);
    else kept.push(...here.slice(0, 1));
  }
  // Of nodes that are no more.
  for (const lost of byNode.values()) remove.push(...lost.filter((pod) => !isTerminating(pod)));
  const desired = kept.length + create.length;
  remove.push(...outdated(set, kept, desired, isNew, available));
  const numberAvailable = kept.filter(available).length;
  const status = {
    ...set.status,
    ...(set.metadata.generation === undefined ? {} : { observedGeneration: set.metadata.generation }),
    currentNumberScheduled: kept.length,
    numberMisscheduled: misscheduled,
    desiredNumberScheduled: desired,
    numberReady: kept.filter((pod) => !isTerminating(pod) && isReady(pod)).length,
    updatedNumberScheduled: kept.filter(isNew).length,
    numberAvailable,
    numberUnavailable: desired - numberAvailable,
  };
  return { create, remove: [...new Set(remove)], status };
}

const createdOf = ({ metadata }: Pod): string => metadata.creationTimestamp ?? '';

/** Pods of an older template that go now: those that do nothing anyway, and as many others as may be missing. */
function outdated(
  set: DaemonSet,
  kept: readonly Pod[],
  desired: number,
  isNew: (pod: Pod) => boolean,
  available: (pod: Pod) => boolean,
): Pod[] {
  if (set.spec.updateStrategy?.type === 'OnDelete') return [];
  const old = kept.filter((pod) => !isNew(pod) && !isTerminating(pod));
  const idle = old.filter((pod) => !available(pod));
  const missing = desired - kept.filter(available).length;
  const spare = Math.max(0, maxUnavailable(set, desired) - missing);
  return [...idle, ...old.filter(available).slice(0, spare)];
}

/** At least one: otherwise no update would ever begin. */
function maxUnavailable({ spec }: DaemonSet, desired: number): number {
  const { maxUnavailable: most = 1 } = spec.updateStrategy?.rollingUpdate ?? {};
  const count = typeof most === 'number' ? most : Math.ceil((Number.parseInt(most, 10) * desired) / 100);
  return Math.max(1, count);
}
