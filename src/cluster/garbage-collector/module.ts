import { customResourceDefinitions, type CustomResourceDefinition } from '#apis/apiextensions/v1/custom-resource-definition.ts';
import type { Resource } from '#apis/definition.ts';
import type { Held } from '#client/client.ts';
import { Reflector, type Mirror } from '#client/reflector.ts';
import type { KubeObject, OwnerReference } from '#apis/meta/object.ts';
import { done, type ControllerContext, type ControllerModule } from '#controller/controller.ts';
import { customResource, definedResources } from '#cluster/served-kinds.ts';
import { Collector } from '#cluster/garbage-collector/collector.ts';

/** Owner references over every kind there is; custom kinds come and go with their definitions. */
export const garbageCollector: ControllerModule<CustomResourceDefinition> = {
  name: 'garbage-collector',
  setup(context) {
    const kinds = new WatchedKinds(context);
    return {
      resource: customResourceDefinitions,
      workers: 1,
      reconcile(definition, signal) {
        const resource = customResource(definition);
        if (resource === undefined) kinds.leave(definition.metadata.name ?? '');
        else kinds.watchCustom(definition.metadata.name ?? '', resource, signal);
        return Promise.resolve(done);
      },
      deleted: (name) => kinds.leave(name),
      run: (signal) => kinds.run(signal),
    };
  },
};

/** Feeds the collector from one list and watch a kind. Of what comes in only the owner graph is kept. */
class WatchedKinds {
  readonly #context: ControllerContext;
  readonly #collector: Collector;
  readonly #byKind = new Map<string, Resource>();
  readonly #custom = new Map<string, { readonly resource: Resource; readonly stop: AbortController }>();

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#collector = new Collector(context, (owner) => this.#byKind.get(kindKey(owner.apiVersion, owner.kind)));
    // Events are nobody's children, and there are many.
    this.#defined = definedResources.filter(({ plural }) => plural !== 'events');
    for (const resource of definedResources) this.#byKind.set(kindKey(resource.group, resource.kind), resource);
  }
  readonly #defined: readonly Resource[];

  /** Judges only once everything has been listed: before, owners would have to be asked for one by one. */
  async run(signal: AbortSignal): Promise<void> {
    let missing = this.#defined.length;
    const listed = Promise.withResolvers<void>();
    signal.addEventListener('abort', () => listed.resolve(), { once: true });
    const feeding = this.#defined.map((resource) =>
      this.#feed(resource, signal, () => {
        missing -= 1;
        if (missing === 0) listed.resolve();
      }),
    );
    await listed.promise;
    await Promise.all([...feeding, this.#collector.run(signal)]);
  }

  watchCustom(name: string, resource: Resource, signal: AbortSignal): void {
    const known = this.#custom.get(name)?.resource;
    if (known !== undefined && known.version === resource.version && known.kind === resource.kind) return;
    this.leave(name);
    const stop = new AbortController();
    this.#custom.set(name, { resource, stop });
    this.#byKind.set(kindKey(resource.group, resource.kind), resource);
    void this.#feed(resource, AbortSignal.any([signal, stop.signal]), () => {});
  }

  /** The kind is not served any more, so its objects are gone. */
  leave(name: string): void {
    const known = this.#custom.get(name);
    if (known === undefined) return;
    known.stop.abort();
    this.#custom.delete(name);
    this.#byKind.delete(kindKey(known.resource.group, known.resource.kind));
    for (const uid of this.#collector.missing(known.resource, new Set())) this.#collector.removed(uid);
  }

  #feed(resource: Resource, signal: AbortSignal, onListed: () => void): Promise<void> {
    const { client, clock, logger } = this.#context;
    const mirror = new GraphMirror(this.#collector, resource, onListed);
    return new Reflector(client.of(resource), {}, mirror, { clock, logger, random: Math.random }).run(signal);
  }
}

class GraphMirror implements Mirror<KubeObject> {
  readonly #collector: Collector;
  readonly #resource: Resource;
  readonly #onListed: () => void;
  #listed = false;

  constructor(collector: Collector, resource: Resource, onListed: () => void) {
    this.#collector = collector;
    this.#resource = resource;
    this.#onListed = onListed;
  }

  replace(objects: readonly Held<KubeObject>[]): void {
    if (this.#listed) {
      const kept = new Set(objects.map(({ object }) => object.metadata.uid ?? ''));
      for (const uid of this.#collector.missing(this.#resource, kept)) this.#collector.removed(uid);
    }
    for (const { object } of objects) this.#collector.seen(this.#resource, object);
    if (this.#listed) return;
    this.#listed = true;
    this.#onListed();
  }

  change({ type, object }: { type: string; object: KubeObject }): void {
    if (type === 'DELETED') this.#collector.removed(object.metadata.uid ?? '');
    else this.#collector.seen(this.#resource, object);
  }
}

/** Group and kind, of `group/version` or of the group itself; the version does not matter. */
function kindKey(apiVersionOrGroup: OwnerReference['apiVersion'], kind: string): string {
  const slash = apiVersionOrGroup.indexOf('/');
  const group = slash >= 0 ? apiVersionOrGroup.slice(0, slash) : apiVersionOrGroup === 'v1' ? '' : apiVersionOrGroup;
  return `${group}/${kind}`;
}
