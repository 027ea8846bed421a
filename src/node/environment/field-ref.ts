import type { Container } from '#apis/core/v1/container.ts';
import type { ResourceFieldSelector } from '#apis/core/v1/environment.ts';
import type { Pod } from '#apis/core/v1/pod.ts';
import { parseQuantity } from '#apis/meta/quantity.ts';
import type { NodeFacts } from '#node/sources.ts';

/** The pod's addresses, known once its sandbox exists. */
export interface PodAddresses {
  readonly podIp: string | undefined;
  readonly hostIps: readonly string[];
}

/** The value of a downward API field (`metadata.labels['app']`, `status.podIP` …); undefined when it has none. */
export function fieldValue(pod: Pod, fieldPath: string, addresses: PodAddresses): string | undefined {
  const subscript = /^metadata\.(labels|annotations)\['([^']*)'\]$/.exec(fieldPath);
  if (subscript !== null) return pod.metadata[subscript[1] as 'labels' | 'annotations']?.[subscript[2] ?? ''] ?? '';
  return fields[fieldPath]?.(pod, addresses);
}

const fields: Readonly<Record<string, (pod: Pod, addresses: PodAddresses) => string>> = {
  'metadata.name': (pod) => pod.metadata.name ?? '',
  'metadata.namespace': (pod) => pod.metadata.namespace ?? '',
  'metadata.uid': (pod) => pod.metadata.uid ?? '',
  'metadata.labels': (pod) => formatMap(pod.metadata.labels),
  'metadata.annotations': (pod) => formatMap(pod.metadata.annotations),
  'spec.nodeName': (pod) => pod.spec?.nodeName ?? '',
  'spec.serviceAccountName': (pod) => pod.spec?.serviceAccountName ?? '',
  'status.hostIP': (_pod, { hostIps }) => hostIps[0] ?? '',
  'status.hostIPs': (_pod, { hostIps }) => hostIps.join(','),
  'status.podIP': (_pod, { podIp }) => podIp ?? '',
  'status.podIPs': (_pod, { podIp }) => podIp ?? '',
};

/** One `key="value"` line an entry, sorted, as downward API files show maps. */
function formatMap(entries: Readonly<Record<string, string>> = {}): string {
  const lines = Object.entries(entries).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  return lines.sort().join('\n');
}

/**
 * A container's limit or request in units of the divisor, rounded up. A limit that is not set is what the node can give;
 * undefined for a resource that Kubernetes does not know here.
 */
export function resourceFieldValue(pod: Pod, own: Container, selector: ResourceFieldSelector, node: NodeFacts): string | undefined {
  const container =
    selector.containerName === undefined || selector.containerName === '' ? own : findContainer(pod, selector.containerName);
  const [kind = '', ...rest] = selector.resource.split('.');
  const name = rest.join('.');
  if (container === undefined || (kind !== 'limits' && kind !== 'requests')) return undefined;
  const set = container.resources?.[kind]?.[name];
  const amount = set === undefined ? unsetAmount(kind, name, node) : parseQuantity(set).nanos;
  if (amount === undefined) return undefined;
  const divisor = parseQuantity(selector.divisor ?? '1').nanos;
  const unit = divisor === 0n ? 1_000_000_000n : divisor;
  return String((amount + unit - 1n) / unit);
}

function unsetAmount(kind: string, name: string, { allocatable }: NodeFacts): bigint | undefined {
  const known: Readonly<Record<string, bigint>> = {
    cpu: BigInt(allocatable.cpuMillis) * 1_000_000n,
    memory: BigInt(allocatable.memoryBytes) * 1_000_000_000n,
    'ephemeral-storage': BigInt(allocatable.ephemeralStorageBytes) * 1_000_000_000n,
  };
  const amount = known[name];
  return amount === undefined || kind === 'limits' ? amount : 0n;
}

function findContainer(pod: Pod, name: string): Container | undefined {
  return [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])].find((container) => container.name === name);
}
