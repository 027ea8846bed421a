import type { ResourceRequirements } from '#apis/core/v1/container.ts';
import type { PodSpec } from '#apis/core/v1/pod-spec.ts';
import { compareQuantities, tryParseQuantity } from '#apis/meta/quantity.ts';

const counted = ['cpu', 'memory'] as const;

/** Quality of service: Guaranteed when every container's cpu and memory limits equal its requests; BestEffort with none at all. */
export function qosClassOf(
  spec: Pick<PodSpec, 'initContainers' | 'containers'> = { containers: [] },
): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const all = [...(spec.initContainers ?? []), ...spec.containers].map(({ resources = {} }) => resources);
  if (!all.some(hasAny)) return 'BestEffort';
  return all.every(isGuaranteed) ? 'Guaranteed' : 'Burstable';
}

function hasAny({ requests, limits }: ResourceRequirements): boolean {
  return counted.some((name) => isPositive(requests?.[name]) || isPositive(limits?.[name]));
}

function isGuaranteed({ requests, limits }: ResourceRequirements): boolean {
  return counted.every((name) => {
    const limit = tryParseQuantity(limits?.[name]);
    const request = tryParseQuantity(requests?.[name]) ?? limit;
    return limit !== undefined && request !== undefined && limit.nanos > 0n && compareQuantities(limit, request) === 0;
  });
}

function isPositive(value: string | number | undefined): boolean {
  return (tryParseQuantity(value)?.nanos ?? 0n) > 0n;
}
