import { drainedAnnotation } from '#apis/dormouse/names.ts';
import type { Pod } from '#apis/core/v1/pod.ts';
import { revisionLabel } from '#node/names.ts';

/** A pod's time to end after a drain that took all of its grace period, seconds. */
const lastSeconds = 2;

/** Whether the gateway has said that it has no request on the pod and will send none. */
function isDrained(pod: Pod): boolean {
  return pod.metadata.annotations?.[drainedAnnotation] === 'true';
}

/** Whether stopping the pod must wait for the gateway: it serves a Knative revision and has taken requests. */
export function mustDrain(pod: Pod, everReady: boolean): boolean {
  return everReady && pod.metadata.labels?.[revisionLabel] !== undefined && !isDrained(pod);
}

/** When the pod's grace period is over, milliseconds since the epoch (Kubernetes sets deletionTimestamp to that moment). */
export function graceEndMs(pod: Pod, now: number): number {
  const { deletionTimestamp } = pod.metadata;
  return deletionTimestamp === undefined ? now : Date.parse(deletionTimestamp);
}

/** Seconds left for stop signal and end; a pod whose grace is used up still gets a moment, unless it was given none at all. */
export function remainingSeconds(pod: Pod, now: number): number {
  const granted = pod.metadata.deletionGracePeriodSeconds ?? pod.spec?.terminationGracePeriodSeconds ?? 30;
  if (granted === 0) return 0;
  return Math.min(granted, Math.max(lastSeconds, Math.ceil((graceEndMs(pod, now) - now) / 1000)));
}
