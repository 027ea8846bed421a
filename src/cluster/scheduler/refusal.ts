import type { Pod } from '#apis/core/v1/pod.ts';

/** What has become of the search for less important pods to end. */
export type Preempting = 'tried in vain' | 'under way' | 'waits for the end of others';

/** Why one node will not take a pod. */
export interface NodeRefusal {
  /** In kube-scheduler's words. */
  readonly problems: readonly string[];
  /** Whether the pods that are there are in the way: without them the pod could go there. */
  readonly isCrowded: boolean;
}

/** The message of FailedScheduling and of the condition PodScheduled, as kube-scheduler writes it; `problem` is one that no node can help. */
export function refusalText(pod: Pod, refusals: readonly NodeRefusal[], problem: string | undefined, preempting: Preempting): string {
  if (refusals.length === 0) return 'no nodes available to schedule pods';
  const none = `0/${refusals.length} nodes are available`;
  const reasons = problem ?? counted(refusals.flatMap(({ problems }) => problems));
  if (pod.spec?.preemptionPolicy === 'Never') return `${none}: ${reasons}. preemption: not eligible due to preemptionPolicy=Never.`;
  if (preempting === 'under way') return `${none}: ${reasons}.`;
  if (preempting === 'waits for the end of others') {
    return `${none}: ${reasons}. preemption: not eligible due to a terminating pod on the nominated node.`;
  }
  const preemption = counted(
    refusals.map(({ isCrowded }) =>
      isCrowded ? 'No preemption victims found for incoming pod' : 'Preemption is not helpful for scheduling',
    ),
  );
  return `${none}: ${reasons}. preemption: ${none}: ${preemption}.`;
}

/** `1 Insufficient cpu, 2 node(s) were unschedulable` */
function counted(texts: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return [...counts]
    .map(([text, count]) => `${count} ${text}`)
    .toSorted()
    .join(', ');
}
