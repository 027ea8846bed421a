import type { ResourceRequirements } from '#apis/core/v1/container.ts';
import type { Pod } from '#apis/core/v1/pod.ts';
import { compareQuantities, parseQuantity } from '#apis/meta/quantity.ts';

/** Kubernetes' quality of service class: Guaranteed when every container's cpu and memory limits equal its requests. */
export function qosClassOf(pod: Pod): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const all = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])].map((container) => container.resources ?? {});
  if (all.every((resources) => !hasAny(resources))) return 'BestEffort';
  return all.every(isGuaranteed) ? 'Guaranteed' : 'Burstable';
}

const counted = ['cpu', 'memory'] as const;

function hasAny({ requests, limits }: ResourceRequirements): boolean {
  return counted.some((name) => positive(requests?.[name]) || positive(limits?.[name]));
}

function isGuaranteed({ requests, limits }: ResourceRequirements): boolean {
  return counted.every((name) => {
    const limit = limits?.[name];
    const request = requests?.[name] ?? limit;
    if (limit === undefined || request === undefined) return false;
    return positive(limit) && compareQuantities(parseQuantity(limit), parseQuantity(request)) === 0;
  });
}

function positive(value: string | number | undefined): boolean {
  return value !== undefined && parseQuantity(value).nanos > 0n;
}
