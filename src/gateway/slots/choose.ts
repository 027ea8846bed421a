import type { Pod } from '#gateway/slots/pod.ts';

/**
 * The pod for the next request, or undefined when none has a free slot. By limit, as Knative's activator does: without one the
 * better of two drawn at random; 1 to 3 the first with room, so that the rest can go; above that the least loaded, taking turns.
 * Frozen pods come last.
 */
export function choosePod(
  pods: readonly Pod[],
  limit: number,
  now: number,
  turn: number,
  random: () => number = Math.random,
): Pod | undefined {
  if (pods.length === 0) return undefined;
  if (pods.length === 1) return usable(pods[0] as Pod, limit, now) ? pods[0] : undefined;
  const chosen =
    limit === 0 ? lesserOfTwo(pods, now, random) : limit <= 3 ? firstAvailable(pods, limit, now) : leastLoaded(pods, limit, now, turn);
  return chosen ?? pods.find((pod) => usable(pod, limit, now));
}

function usable(pod: Pod, limit: number, now: number): boolean {
  return (limit === 0 || pod.running < limit) && now >= pod.downUntil;
}

function awake(pod: Pod, limit: number, now: number): boolean {
  return !pod.frozen && usable(pod, limit, now);
}

function lesserOfTwo(pods: readonly Pod[], now: number, random: () => number): Pod | undefined {
  const count = pods.length;
  const first = Math.floor(random() * count);
  const second = (first + 1 + Math.floor(random() * (count - 1))) % count;
  const a = pods[first] as Pod;
  const b = pods[second] as Pod;
  if (!awake(a, 0, now)) return awake(b, 0, now) ? b : pods.find((pod) => awake(pod, 0, now));
  return awake(b, 0, now) && b.running < a.running ? b : a;
}

function firstAvailable(pods: readonly Pod[], limit: number, now: number): Pod | undefined {
  return pods.find((pod) => awake(pod, limit, now));
}

function leastLoaded(pods: readonly Pod[], limit: number, now: number, turn: number): Pod | undefined {
  let best: Pod | undefined;
  for (let index = 0; index < pods.length; index++) {
    const pod = pods[(index + turn) % pods.length] as Pod;
    if (awake(pod, limit, now) && (best === undefined || pod.running < best.running)) best = pod;
  }
  return best;
}
