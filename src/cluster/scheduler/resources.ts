import type { Node } from '#apis/core/v1/node.ts';
import type { Pod } from '#apis/core/v1/pod.ts';
import { tryParseQuantity } from '#apis/meta/quantity.ts';
import { podResources } from '#machinery/pod-resources.ts';

/** Amounts by resource name, in billionths of its unit. */
export type Amounts = ReadonlyMap<string, bigint>;

/** What a pod takes of a node: its requests, and one pod. */
export function requestsOf(pod: Pod): Amounts {
  const total = new Map<string, bigint>();
  for (const [name, { nanos }] of podResources(pod.spec, 'requests')) total.set(name, nanos);
  return total.set('pods', 1_000_000_000n);
}

export function allocatableOf(node: Node): Amounts {
  return amounts(node.status?.allocatable ?? node.status?.capacity);
}

/** `Insufficient cpu` and the like for each resource that `used` and `wanted` together exceed. */
export function shortages(wanted: Amounts, used: Amounts, allocatable: Amounts): string[] {
  const missing: string[] = [];
  for (const [name, amount] of wanted) {
    if (amount === 0n || (used.get(name) ?? 0n) + amount <= (allocatable.get(name) ?? 0n)) continue;
    missing.push(name === 'pods' ? 'Too many pods' : `Insufficient ${name}`);
  }
  return missing;
}

export function add(total: Map<string, bigint>, amountsToAdd: Amounts): void {
  for (const [name, amount] of amountsToAdd) total.set(name, (total.get(name) ?? 0n) + amount);
}

export function subtract(total: Map<string, bigint>, amountsToTake: Amounts): void {
  for (const [name, amount] of amountsToTake) total.set(name, (total.get(name) ?? 0n) - amount);
}

function amounts(list: Readonly<Record<string, string | number>> | undefined): Map<string, bigint> {
  return new Map(Object.entries(list ?? {}).map(([name, text]) => [name, tryParseQuantity(text)?.nanos ?? 0n]));
}
