import { customResourceDefinitions, type CustomResourceDefinition } from '#apis/apiextensions/v1/custom-resource-definition.ts';
import { namespaces, type Namespace } from '#apis/core/v1/namespace.ts';
import type { Resource } from '#apis/definition.ts';
import { ifThere, isReason } from '#apis/meta/status.ts';
import type { Informer } from '#client/informer-types.ts';
import { timestamp, withCondition } from '#controller/conditions.ts';
import { done, requeue, type ControllerContext, type ControllerModule, type Outcome } from '#controller/controller.ts';
import { deepClone } from '#machinery/deep.ts';
import { customResource, definedResources } from '#cluster/served-kinds.ts';
import { contentConditions, type Remaining } from '#cluster/namespace/conditions.ts';

const finalizer = 'kubernetes';
const lookAgainMs = 200;
const slowestLookMs = 5000;

/** Terminating namespace → everything in it is deleted, then it may go. */
export const namespaceController: ControllerModule<Namespace> = {
  name: 'namespace-controller',
  setup(context) {
    const reconciler = new NamespaceReconciler(context, context.informers.of(customResourceDefinitions));
    return {
      resource: namespaces,
      workers: 4,
      reconcile: (namespace) => reconciler.reconcile(namespace),
      deleted: (name) => reconciler.forget(name),
    };
  },
};

class NamespaceReconciler {
  readonly #context: ControllerContext;
  readonly #definitions: Informer<CustomResourceDefinition>;
  readonly #looks = new Map<string, number>();

  constructor(context: ControllerContext, definitions: Informer<CustomResourceDefinition>) {
    this.#context = context;
    this.#definitions = definitions;
  }

  forget(name: string): void {
    this.#looks.delete(name);
  }

  async reconcile(namespace: Namespace): Promise<Outcome> {
    const { name = '', deletionTimestamp } = namespace.metadata;
    if (deletionTimestamp === undefined || !(namespace.spec.finalizers ?? []).includes(finalizer)) return done;
    const failures: string[] = [];
    const left = await Promise.all(this.#kinds().map((resource) => this.#empty(name, resource, failures)));
    const remaining = left.filter((one) => one !== undefined);
    if (remaining.length === 0 && failures.length === 0) {
      await this.#finalize(namespace);
      return done;
    }
    const status = (namespace.status ??= {});
    status.phase = 'Terminating';
    for (const condition of contentConditions(remaining, failures))
      status.conditions = withCondition(status.conditions, condition, timestamp(this.#context.clock));
    const looks = this.#looks.get(name) ?? 0;
    this.#looks.set(name, looks + 1);
    return requeue(Math.min(slowestLookMs, lookAgainMs * 2 ** Math.min(looks, 10)));
  }

  #kinds(): Resource[] {
    const custom = this.#definitions.list().map(customResource);
    return [...definedResources, ...custom].filter((resource) => resource !== undefined).filter(({ namespaced }) => namespaced);
  }

  /** Deletes what there is of a kind; returns what is still there afterwards. */
  async #empty(namespace: string, resource: Resource, failures: string[]): Promise<Remaining | undefined> {
    const client = this.#context.client.of(resource);
    try {
      const before = await client.list({ namespace });
      if (before.items.length === 0) return undefined;
      if (before.items.some(({ metadata }) => metadata.deletionTimestamp === undefined))
        await client.deleteCollection({ namespace }, { propagationPolicy: 'Background' });
      const { items } = await client.list({ namespace });
      if (items.length === 0) return undefined;
      return { resource, count: items.length, finalizers: items.flatMap(({ metadata }) => metadata.finalizers ?? []) };
    } catch (error) {
      // A custom kind that is no longer served has no objects any more.
      if (!isReason(error, 'NotFound')) failures.push(`${resource.plural}: ${(error as Error).message}`);
      return undefined;
    }
  }

  async #finalize(namespace: Namespace): Promise<void> {
    const copy = deepClone(namespace);
    copy.spec.finalizers = (copy.spec.finalizers ?? []).filter((one) => one !== finalizer);
    await ifThere(this.#context.client.of(namespaces).update(copy, { subresource: 'finalize' }));
  }
}
