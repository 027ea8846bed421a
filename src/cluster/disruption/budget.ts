import type { PodDisruptionBudget, PodDisruptionBudgetStatus } from '#apis/policy/v1/pod-disruption-budget.ts';
import type { Pod } from '#apis/core/v1/pod.ts';
import { resolveAmount } from '#cluster/deployment/rollout.ts';
import { isFinished, isReady, isTerminating } from '#apis/core/v1/pod-state.ts';

/** How long an eviction may be under way before its pod counts again: then it was lost. */
export const disruptionMs = 120_000;

type Counts = Required<Pick<PodDisruptionBudgetStatus, 'currentHealthy' | 'desiredHealthy' | 'expectedPods' | 'disruptionsAllowed'>>;

/** Evictions that have been allowed and whose pods are still there, not being deleted, and not older than `disruptionMs`. */
export function pendingDisruptions(budget: PodDisruptionBudget, pods: readonly Pod[], nowMs: number): Record<string, string> {
  const entries = Object.entries(budget.status?.disruptedPods ?? {});
  const stays = (name: string, since: string) =>
    Date.parse(since) + disruptionMs > nowMs && pods.some((pod) => pod.metadata.name === name && !isTerminating(pod));
  return Object.fromEntries(entries.filter(([name, since]) => stays(name, since)));
}

/**
 * What the budget comes to: `scale` is how many pods the selected pods' owners want in all, which percentages and maxUnavailable are of;
 * a plain minAvailable needs only the pods themselves.
 */
export function countBudget(
  { spec }: PodDisruptionBudget,
  pods: readonly Pod[],
  scale: number,
  pending: Readonly<Record<string, string>>,
): Counts {
  const alive = pods.filter((pod) => !isFinished(pod));
  const { minAvailable = 0, maxUnavailable } = spec ?? {};
  const byScale = maxUnavailable !== undefined || typeof minAvailable === 'string';
  const expectedPods = byScale ? scale : alive.length;
  const desiredHealthy =
    maxUnavailable === undefined
      ? resolveAmount(minAvailable, expectedPods, true)
      : Math.max(0, expectedPods - resolveAmount(maxUnavailable, expectedPods, true));
  const currentHealthy = alive.filter((pod) => isReady(pod) && !isTerminating(pod) && !((pod.metadata.name ?? '') in pending)).length;
  const disruptionsAllowed = expectedPods === 0 ? 0 : Math.max(0, currentHealthy - desiredHealthy);
  return { currentHealthy, desiredHealthy, expectedPods, disruptionsAllowed };
}
