import type { PodSpec } from '#apis/core/v1/pod.ts';
import { addQuantities, compareQuantities, parseQuantity, type Quantity } from '#apis/meta/quantity.ts';

/** Amounts by resource name. */
export type Amounts = ReadonlyMap<string, Quantity>;
type Which = 'requests' | 'limits';

/**
 * What a pod asks for, or may take at most: the sum over its containers and its sidecars (init containers that go on), or what an init
 * container takes beside the sidecars started before it where that is more; its overhead besides. What the pod says itself counts instead.
 */
export function podResources(spec: PodSpec, which: Which): Map<string, Quantity> {
  const total = new Map<string, Quantity>();
  for (const { resources } of spec.containers) addTo(total, amountsOf(resources?.[which]));
  const sidecars = new Map<string, Quantity>();
  const peak = new Map<string, Quantity>();
  for (const { resources, restartPolicy } of spec.initContainers ?? []) {
    const own = amountsOf(resources?.[which]);
    if (restartPolicy === 'Always') addTo(sidecars, own);
    const meanwhile = new Map(sidecars);
    if (restartPolicy !== 'Always') addTo(meanwhile, own);
    raiseTo(peak, meanwhile);
  }
  addTo(total, sidecars);
  raiseTo(total, peak);
  for (const [name, amount] of amountsOf(spec.resources?.[which])) total.set(name, amount);
  for (const [name, amount] of amountsOf(spec.overhead)) {
    if (which === 'requests' || total.has(name)) addTo(total, new Map([[name, amount]]));
  }
  return total;
}

/** A ResourceList. Throws QuantityError for what is none. */
export function amountsOf(list: Readonly<Record<string, string | number>> | undefined): Map<string, Quantity> {
  return new Map(Object.entries(list ?? {}).map(([name, amount]) => [name, parseQuantity(amount)]));
}

export function addTo(total: Map<string, Quantity>, more: Amounts): void {
  for (const [name, amount] of more) {
    const before = total.get(name);
    total.set(name, before === undefined ? amount : addQuantities(before, amount));
  }
}

function raiseTo(total: Map<string, Quantity>, other: Amounts): void {
  for (const [name, amount] of other) {
    const before = total.get(name);
    if (before === undefined || compareQuantities(before, amount) < 0) total.set(name, amount);
  }
}
