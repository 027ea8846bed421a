import type { Pod } from '#apis/core/v1/pod.ts';

const conditionOf = ({ status }: Pick<Pod, 'status'>, type: string) => status?.conditions?.find((condition) => condition.type === type);

/** Asked to go. */
export const isTerminating = (pod: Pod): boolean => pod.metadata.deletionTimestamp !== undefined;
/** Ended for good: none of its containers runs again. */
export const isFinished = ({ status }: Pick<Pod, 'status'>): boolean => status?.phase === 'Succeeded' || status?.phase === 'Failed';
/** Counts toward what is wanted: neither finished nor on its way out. */
export const isActive = (pod: Pod): boolean => !isFinished(pod) && !isTerminating(pod);
/** Fit to be sent requests, as its node says. */
export const isReady = (pod: Pick<Pod, 'status'>): boolean => conditionOf(pod, 'Ready')?.status === 'True';

/** Since when the pod has been ready, in milliseconds since the epoch; undefined when it is not. */
export function readySinceMs(pod: Pod): number | undefined {
  const condition = conditionOf(pod, 'Ready');
  return condition?.status === 'True' ? Date.parse(condition.lastTransitionTime ?? '') : undefined;
}

/** Ready for at least `minReadySeconds`. */
export function isAvailable(pod: Pod, minReadySeconds: number, nowMs: number): boolean {
  const since = readySinceMs(pod);
  return since !== undefined && (minReadySeconds === 0 || since + minReadySeconds * 1000 <= nowMs);
}

/** After how many milliseconds the next of these ready pods becomes available; undefined when none waits for that. */
export function nextAvailableMs(ready: readonly Pod[], minReadySeconds = 0, nowMs: number): number | undefined {
  const waits = ready
    .filter((pod) => !isAvailable(pod, minReadySeconds, nowMs))
    .map((pod) => (readySinceMs(pod) ?? nowMs) + minReadySeconds * 1000 - nowMs);
  return waits.length === 0 ? undefined : Math.min(...waits);
}

/** Of the container that was restarted most. */
export function restartsOf(pod: Pod): number {
  return Math.max(0, ...(pod.status?.containerStatuses ?? []).map(({ restartCount }) => restartCount));
}
