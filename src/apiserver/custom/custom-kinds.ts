import type { CustomResourceDefinition } from '#apis/apiextensions/v1/custom-resource-definition.ts';
import { ifThere } from '#apis/meta/status.ts';
import { send } from '#apiserver/bootstrap.ts';
import { resourcePrefix } from '#apiserver/cache/watch-cache.ts';
import type { ServerContext } from '#apiserver/context.ts';
import { cleanupFinalizer, definitionGroup, definitionPlural } from '#apiserver/custom/definition-admission.ts';
import { kindOf } from '#apiserver/custom/custom-kind.ts';
import type { Pipeline } from '#apiserver/pipeline.ts';
import { sleep } from '#core/clock.ts';

const definitionsPath = `/apis/${definitionGroup}/v1/${definitionPlural}`;
const retryMs = 1000;

/**
 * Keeps the registry in step with the stored CustomResourceDefinitions, synchronously with the cache: who has created one and
 * got the answer can use the kind. Removes the objects of a definition that is being deleted, then lets it go.
 */
export class CustomKinds implements Disposable {
  readonly #context: ServerContext;
  readonly #pipeline: Pipeline;
  readonly #stopped = new AbortController();
  /** Plural and revision of what is served, by name. */
  readonly #served = new Map<string, { group: string; plural: string; revision: number }>();
  readonly #cleaning = new Set<string>();
  readonly #unsubscribe: () => void;

  constructor(context: ServerContext, pipeline: Pipeline) {
    this.#context = context;
    this.#pipeline = pipeline;
    this.#unsubscribe = this.#definitions().onChange(() => this.#refresh());
    this.#refresh();
  }

  [Symbol.dispose](): void {
    this.#unsubscribe();
    this.#stopped.abort();
  }

  #definitions() {
    return this.#context.cache.resource(definitionGroup, definitionPlural);
  }

  #refresh(): void {
    const { registry } = this.#context;
    const seen = new Set<string>();
    for (const cached of this.#definitions().range(resourcePrefix(definitionGroup, definitionPlural))) {
      const crd = cached.object as CustomResourceDefinition;
      const established = (crd.status?.conditions ?? []).some(({ type, status }) => type === 'Established' && status === 'True');
      if (!established) continue;
      seen.add(cached.name);
      const { group, names } = crd.spec;
      if (this.#served.get(cached.name)?.revision !== cached.revision) {
        this.#served.set(cached.name, { group, plural: names.plural, revision: cached.revision });
        registry.setCustom(kindOf(crd));
      }
      if (crd.metadata.deletionTimestamp !== undefined && crd.metadata.finalizers?.includes(cleanupFinalizer) === true)
        this.#clean(cached.name, crd);
    }
    for (const [name, { group, plural }] of this.#served) {
      if (seen.has(name)) continue;
      this.#served.delete(name);
      registry.removeCustom(group, plural);
    }
  }

  #clean(name: string, crd: CustomResourceDefinition): void {
    if (this.#cleaning.has(name)) return;
    this.#cleaning.add(name);
    this.#removeObjects(name, crd)
      .catch((error: unknown) => {
        if (!this.#stopped.signal.aborted)
          this.#context.logger.error('objects of a deleted definition could not be removed', { name, error });
      })
      .finally(() => this.#cleaning.delete(name));
  }

  /** Built-in kinds keep their objects when a definition of the same name goes. */
  async #removeObjects(name: string, { spec }: CustomResourceDefinition): Promise<void> {
    const { group, names } = spec;
    const { cache, registry, clock } = this.#context;
    const objects = cache.resource(group, names.plural);
    while (!registry.isBuiltIn(group, names.plural) && objects.size > 0) {
      const version = spec.versions.find((one) => one.served)?.name;
      if (version === undefined) break;
      await send(this.#pipeline, 'DELETE', `/apis/${group}/${version}/${names.plural}`, undefined);
      if (objects.size > 0) await sleep(clock, retryMs, this.#stopped.signal);
    }
    const current = this.#definitions().get(resourcePrefix(definitionGroup, definitionPlural) + name)?.object;
    const finalizers = (current?.metadata.finalizers ?? []).filter((one) => one !== cleanupFinalizer);
    const patch = { metadata: { finalizers } };
    await ifThere(send(this.#pipeline, 'PATCH', `${definitionsPath}/${name}`, patch, 'application/merge-patch+json'));
  }
}
