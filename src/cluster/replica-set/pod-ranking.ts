import type { Pod } from '#apis/core/v1/pod.ts';
import { isReady, readySinceMs, restartsOf } from '#apis/core/v1/pod-state.ts';

const costAnnotation = 'controller.kubernetes.io/pod-deletion-cost';
const phaseOrder: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };

type Rank = (pod: Pod) => number;
const ranks: readonly Rank[] = [
  (pod) => ((pod.spec?.nodeName ?? '') === '' ? 0 : 1),
  (pod) => phaseOrder[pod.status?.phase ?? 'Pending'] ?? 2,
  (pod) => (isReady(pod) ? 1 : 0),
  (pod) => deletionCost(pod),
  (pod) => -(readySinceMs(pod) ?? 0),
  (pod) => -restartsOf(pod),
  (pod) => -Date.parse(pod.metadata.creationTimestamp ?? ''),
];

/** The pods in the order in which they go when there are too many (kube-controller-manager's order). */
export function deletionOrder(pods: readonly Pod[]): Pod[] {
  return pods.toSorted((a, b) => {
    for (const rank of ranks) {
      const difference = rank(a) - rank(b);
      if (difference !== 0 && !Number.isNaN(difference)) return difference;
    }
    return 0;
  });
}

function deletionCost(pod: Pod): number {
  const cost = Number(pod.metadata.annotations?.[costAnnotation] ?? 0);
  return Number.isInteger(cost) ? cost : 0;
}
