import type { Pod } from '#apis/core/v1/pod.ts';
import { keepsOthersAway, type PlacedPod } from '#cluster/scheduler/between-pods.ts';
import { semanticEqual } from '#machinery/semantic-equality.ts';
import { add, requestsOf, subtract, type Amounts } from '#cluster/scheduler/resources.ts';

interface Share {
  readonly node: string;
  readonly pod: Pod;
  readonly amounts: Amounts;
  readonly ports: readonly string[];
}

const nothing: Amounts = new Map();

/**
 * What the pods on each node take, kept up to date pod by pod, so that a decision does not add up all pods anew. A pod counts
 * from the decision on, before the cache shows it bound.
 */
export class NodeUsage {
  readonly #shares = new Map<string, Share>();
  readonly #keepAway = new Set<string>();
  readonly #totals = new Map<string, Map<string, bigint>>();
  readonly #ports = new Map<string, Map<string, number>>();

  has(key: string): boolean {
    return this.#shares.has(key);
  }

  put(key: string, node: string, pod: Pod): void {
    this.remove(key);
    const share = { node, pod, amounts: requestsOf(pod), ports: hostPorts(pod) };
    this.#shares.set(key, share);
    const total = this.#totals.get(node) ?? new Map<string, bigint>();
    add(total, share.amounts);
    this.#totals.set(node, total);
    for (const port of share.ports) this.#countPort(node, port, 1);
    if (keepsOthersAway(pod)) this.#keepAway.add(key);
  }

  /** The pod has changed. True when that may matter to pods to come: its labels are others, or it is going away. */
  refresh(key: string, pod: Pod): boolean {
    const share = this.#shares.get(key);
    if (share === undefined) return false;
    this.#shares.set(key, { ...share, pod });
    const facts = ({ metadata }: Pod) => [metadata.labels, metadata.deletionTimestamp];
    return !semanticEqual(facts(share.pod), facts(pod));
  }

  /** Every pod that has a place, or only those that want others elsewhere: few, as a rule. */
  placed(which: 'all' | 'keeping others away'): PlacedPod[] {
    if (which === 'all') return [...this.#shares.values()];
    return [...this.#keepAway].flatMap((key) => this.#shares.get(key) ?? []);
  }

  remove(key: string): void {
    const share = this.#shares.get(key);
    if (share === undefined) return;
    this.#shares.delete(key);
    this.#keepAway.delete(key);
    subtract(this.#totals.get(share.node) ?? new Map<string, bigint>(), share.amounts);
    for (const port of share.ports) this.#countPort(share.node, port, -1);
  }

  /** The pods that have a place on the node. */
  podsOn(node: string): readonly Pod[] {
    return [...this.#shares.values()].filter((share) => share.node === node).map(({ pod }) => pod);
  }

  on(node: string): Amounts {
    return this.#totals.get(node) ?? nothing;
  }

  /** The same as if other pods came and some of those that are there were gone. */
  onIf(node: string, coming: readonly Pod[], without: ReadonlySet<string>): Amounts {
    if (coming.length === 0 && without.size === 0) return this.on(node);
    const total = new Map(this.on(node));
    for (const pod of coming) add(total, requestsOf(pod));
    for (const key of without) subtract(total, this.#shares.get(key)?.amounts ?? nothing);
    return total;
  }

  /** Whether a host port the pod asks for is taken on the node, by others than those `without`. */
  portsTaken(node: string, pod: Pod, coming: readonly Pod[], without: ReadonlySet<string>): boolean {
    const wanted = hostPorts(pod);
    if (wanted.length === 0) return false;
    const taken = new Map(this.#ports.get(node));
    for (const port of coming.flatMap(hostPorts)) taken.set(port, (taken.get(port) ?? 0) + 1);
    for (const port of [...without].flatMap((key) => this.#shares.get(key)?.ports ?? [])) {
      const count = (taken.get(port) ?? 0) - 1;
      if (count > 0) taken.set(port, count);
      else taken.delete(port);
    }
    return wanted.some((port) => conflicts(port, taken));
  }

  #countPort(node: string, port: string, change: number): void {
    const ports = this.#ports.get(node) ?? new Map<string, number>();
    const count = (ports.get(port) ?? 0) + change;
    if (count > 0) ports.set(port, count);
    else ports.delete(port);
    this.#ports.set(node, ports);
  }
}

/** `TCP 8080 0.0.0.0` of each host port. */
function hostPorts(pod: Pod): string[] {
  return (pod.spec?.containers ?? []).flatMap(({ ports = [] }) =>
    ports
      .filter(({ hostPort = 0 }) => hostPort > 0)
      .map((port) => `${port.protocol ?? 'TCP'} ${port.hostPort} ${port.hostIP ?? '0.0.0.0'}`),
  );
}

/** Two addresses meet when they are the same or one of them is every address. */
function conflicts(port: string, taken: ReadonlyMap<string, number>): boolean {
  const [protocol, number, address] = port.split(' ');
  for (const other of taken.keys()) {
    const [otherProtocol, otherNumber, otherAddress] = other.split(' ');
    const meet = address === otherAddress || address === '0.0.0.0' || otherAddress === '0.0.0.0';
    if (protocol === otherProtocol && number === otherNumber && meet) return true;
  }
  return false;
}
