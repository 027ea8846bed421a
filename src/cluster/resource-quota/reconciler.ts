import { persistentVolumeClaims } from '#apis/core/v1/persistent-volume-claim.ts';
import { pods, type Pod } from '#apis/core/v1/pod.ts';
import { resourceQuotas, type ResourceQuota } from '#apis/core/v1/resource-quota.ts';
import { services } from '#apis/core/v1/service.ts';
import { customResourceDefinitions } from '#apis/apiextensions/v1/custom-resource-definition.ts';
import type { Resource } from '#apis/definition.ts';
import { objectKey, type KubeObject } from '#apis/meta/object.ts';
import type { Informer, InformerEvent } from '#client/informer-types.ts';
import { requeue, type ControllerContext, type ControllerModule, type Outcome } from '#controller/controller.ts';
import { customResource, definedResources } from '#cluster/served-kinds.ts';
import { isFinished } from '#apis/core/v1/pod-state.ts';
import { jsonEqual } from '#apis/meta/equal.ts';
import { addTo, amountsOf } from '#machinery/pod-resources.ts';
import { parseQuantity, type Quantity } from '#apis/meta/quantity.ts';
import { countName, inScope, limitedBy, listOf, usageOf } from '#machinery/quota.ts';

/** Everything is counted again so often, as Kubernetes does: of most kinds it is only known by asking how many there are. */
const recountMs = 300_000;
/** And once more after a change: what had been admitted but not stored when it was counted is there by then. */
const settleMs = 1000;

/** ResourceQuota → what it allows and how much of it is used. What is created is counted at its admission; here it is given back. */
export const resourceQuotaController: ControllerModule<ResourceQuota> = {
  name: 'resource-quota-controller',
  setup(context, enqueue) {
    const { informers } = context;
    const quotas = informers.of(resourceQuotas);
    const measured = [pods, services, persistentVolumeClaims].map((resource) => ({
      resource: resource as Resource,
      informer: informers.of(resource as Resource) as Informer<KubeObject>,
    }));
    const definitions = informers.of(customResourceDefinitions);
    const reconciler = new ResourceQuotaReconciler(context, measured, () => [
      ...definedResources,
      ...definitions.list().flatMap((definition) => customResource(definition) ?? []),
    ]);
    for (const { resource, informer } of measured) {
      informer.on((event) => {
        if (!mayBeLess(resource, event)) return;
        for (const quota of quotas.list(event.object.metadata.namespace)) {
          reconciler.changed(objectKey(quota));
          enqueue.key(objectKey(quota));
        }
      });
    }
    return {
      resource: resourceQuotas,
      reconcile: (quota) => reconciler.reconcile(quota),
      deleted: (key) => reconciler.changed(key),
    };
  },
};

function mayBeLess({ plural }: Resource, { type, object }: InformerEvent<KubeObject>): boolean {
  if (type === 'deleted') return true;
  return plural === 'pods' ? isFinished(object as Pod) : type === 'updated';
}

interface Measured {
  readonly resource: Resource;
  readonly informer: Informer<KubeObject>;
}

class ResourceQuotaReconciler {
  readonly #context: ControllerContext;
  readonly #measured: readonly Measured[];
  readonly #kinds: () => readonly Resource[];
  /** When to count again, by quota. Every admission changes the status, and must not be counted before its object is there. */
  readonly #dueMs = new Map<string, number>();

  constructor(context: ControllerContext, measured: readonly Measured[], kinds: () => readonly Resource[]) {
    this.#context = context;
    this.#measured = measured;
    this.#kinds = kinds;
  }

  changed(key: string): void {
    this.#dueMs.delete(key);
  }

  async reconcile(quota: ResourceQuota): Promise<Outcome> {
    const key = objectKey(quota);
    const nowMs = this.#context.clock.now();
    const hard = amountsOf(quota.spec?.hard);
    const waitMs = (this.#dueMs.get(key) ?? 0) - nowMs;
    if (waitMs > 0 && jsonEqual(quota.status?.hard ?? {}, listOf(hard))) return requeue(waitMs);
    const used = new Map<string, Quantity>([...hard.keys()].map((name) => [name, parseQuantity(0)]));
    for (const { resource, informer } of this.#measured) addTo(used, limitedBy(hard, this.#usageOf(quota, resource, informer)));
    addTo(used, await this.#counts(quota, new Set(hard.keys())));
    const status = { ...quota.status, hard: listOf(hard), used: listOf(used) };
    const nextMs = jsonEqual(status, quota.status ?? {}) ? recountMs : settleMs;
    quota.status = status;
    this.#dueMs.set(key, nowMs + nextMs);
    return requeue(nextMs);
  }

  #usageOf({ metadata, spec }: ResourceQuota, resource: Resource, informer: Informer<KubeObject>): Map<string, Quantity> {
    const total = new Map<string, Quantity>();
    for (const object of informer.list(metadata.namespace)) {
      if (inScope(spec, resource, object)) addTo(total, usageOf(resource, object, this.#context.clock.now()));
    }
    return total;
  }

  /** Of kinds of which only the number counts. A quota of scopes is about pods alone. */
  async #counts({ metadata, spec }: ResourceQuota, names: ReadonlySet<string>): Promise<Map<string, Quantity>> {
    const counts = new Map<string, Quantity>();
    if ((spec.scopes?.length ?? 0) > 0 || (spec.scopeSelector?.matchExpressions?.length ?? 0) > 0) return counts;
    for (const kind of this.#kinds()) {
      const own = [countName(kind), ...(kind.group === '' ? [kind.plural] : [])].filter((name) => names.has(name));
      if (own.length === 0 || !kind.namespaced || this.#isMeasured(kind)) continue;
      const list = await this.#context.client.of(kind).list({ namespace: metadata.namespace, limit: 1 });
      const count = parseQuantity(list.items.length + (list.metadata.remainingItemCount ?? 0));
      for (const name of own) counts.set(name, count);
    }
    return counts;
  }

  #isMeasured({ group, plural }: Resource): boolean {
    return this.#measured.some(({ resource }) => resource.group === group && resource.plural === plural);
  }
}
