import { formatQuantity, tryParseQuantity } from '#apis/meta/quantity.ts';
import type { Pod } from '#apis/core/v1/pod.ts';
import type { PodDiskUsage } from '#node/pressure/disk-keeper.ts';

/** From this priority on a pod is critical for its cluster or node. */
const criticalPriority = 2_000_000_000;
/** Whether the cluster or its node needs the pod, whatever is short. */
export function isCritical(pod: Pod): boolean {
  return priorityOf(pod) >= criticalPriority;
}

/** The end of a pod that takes less would free nothing worth mentioning. */
const leastBytes = 2 ** 20;

/**
 * The pod whose end helps a full disk most, as a kubelet ranks them: those that take more than they asked for first, of these the least
 * important, of these the biggest. Critical pods stay, and so do pods that take next to nothing: with them a kubelet would go on.
 */
export function chooseVictim(usages: readonly PodDiskUsage[]): PodDiskUsage | undefined {
  const candidates = usages.filter(({ pod, usedBytes }) => !isCritical(pod) && usedBytes >= leastBytes);
  return candidates.toSorted(
    (a, b) => Number(exceeds(b)) - Number(exceeds(a)) || priorityOf(a.pod) - priorityOf(b.pod) || b.usedBytes - a.usedBytes,
  )[0];
}

/** A kubelet's words. */
export function evictionMessage({ pod, containers }: PodDiskUsage, thresholdBytes: number, availableBytes: number): string {
  const low = 'The node was low on resource: ephemeral-storage.';
  const limit = `Threshold quantity: ${binary(thresholdBytes)}, available: ${binary(availableBytes)}.`;
  const greedy = containers.flatMap(({ name, usedBytes }) => {
    const request = pod.spec?.containers?.find((one) => one.name === name)?.resources?.requests?.['ephemeral-storage'] ?? '0';
    if (usedBytes <= bytesOf(request)) return [];
    return [`Container ${name} was using ${binary(usedBytes)}, request is ${request}, has larger consumption of ephemeral-storage.`];
  });
  return `${[low, limit, ...greedy].join(' ')} `;
}

function priorityOf(pod: Pod): number {
  return pod.spec?.priority ?? 0;
}

function exceeds({ pod, usedBytes }: PodDiskUsage): boolean {
  const requests = (pod.spec?.containers ?? []).map(({ resources }) => bytesOf(resources?.requests?.['ephemeral-storage'] ?? '0'));
  return usedBytes > requests.reduce((sum, bytes) => sum + bytes, 0);
}

function bytesOf(quantity: string | number): number {
  return Number((tryParseQuantity(quantity)?.nanos ?? 0n) / 1_000_000_000n);
}

/** `1Gi`, `12Ki` */
function binary(bytes: number): string {
  return formatQuantity({ nanos: BigInt(Math.floor(bytes)) * 1_000_000_000n, format: 'BinarySI' });
}
