import type { Pod } from '#apis/core/v1/pod.ts';
import type { PodMetrics } from '#apis/metrics/v1beta1/usage.ts';
import { parseQuantity, quantityMilliValue, tryParseQuantity } from '#apis/meta/quantity.ts';

/** What a pod uses of a resource, in thousandths, measured up to `atMs` over `windowMs`. */
export interface Usage {
  readonly milli: number;
  readonly atMs: number;
  readonly windowMs: number;
}

/** A metric that cannot be had; the message is Kubernetes'. */
export class MetricError extends Error {}

/** What each pod uses of a resource (of all its containers together, or of one), by the pod's name. Pods whose containers tell nothing are left out. */
export function usageByPod(metrics: readonly PodMetrics[], resource: string, container?: string): Map<string, Usage> {
  const usage = new Map<string, Usage>();
  for (const { metadata, containers, timestamp, window } of metrics) {
    const counted = container === undefined ? containers : containers.filter(({ name }) => name === container);
    const parts = counted.map((one) => tryParseQuantity(one.usage[resource]));
    if (parts.length === 0 || parts.includes(undefined)) continue;
    const milli = parts.reduce((sum, part) => sum + (part === undefined ? 0 : quantityMilliValue(part)), 0);
    usage.set(metadata.name ?? '', { milli, atMs: Date.parse(timestamp), windowMs: Number.parseFloat(window) * 1000 });
  }
  return usage;
}

/** What each pod asks for of a resource, in thousandths. Throws MetricError where a container asks for nothing: a share of nothing is unknown. */
export function requestsByPod(pods: readonly Pod[], resource: string, container?: string): Map<string, number> {
  const requests = new Map<string, number>();
  for (const { metadata, spec } of pods) {
    const sidecars = (spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
    const counted = [...(spec?.containers ?? []), ...sidecars].filter(({ name }) => container === undefined || name === container);
    let sum = 0;
    for (const { name, resources } of counted) {
      const request = resources?.requests?.[resource];
      if (request === undefined) throw new MetricError(`missing request for ${resource} in container ${name} of Pod ${metadata.name}`);
      sum += quantityMilliValue(parseQuantity(request));
    }
    requests.set(metadata.name ?? '', sum);
  }
  return requests;
}
