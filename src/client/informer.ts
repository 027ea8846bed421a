import { objectKey, type KubeObject } from '#apis/meta/object.ts';
import type { Resource } from '#apis/definition.ts';
import type { Client, Held, WatchEvent } from '#client/client.ts';
import { heldObject, stateOf, type Keep } from '#client/held.ts';
import type { Informer, InformerEvent, Informers } from '#client/informer-types.ts';
import { ObjectCache } from '#client/object-cache.ts';
import { Reflector, type Mirror, type ReflectorOptions } from '#client/reflector.ts';
import { systemClock, type Clock } from '#core/clock.ts';
import { silentLogger, type Logger } from '#core/logger.ts';

export interface InformerOptions {
  readonly clock?: Clock;
  readonly logger?: Logger;
  readonly random?: () => number;
  /** What the caches keep of objects that come over the wire; name, namespace, uid and resourceVersion must stay. */
  readonly keep?: <T extends KubeObject>(object: T, resource: Resource<T>) => T;
}

/**
 * Informers over any client: one list and watch for each resource and selector, shared by everybody who asks. When the server is
 * away they go on serving what they know and catch up later; a deletion missed meanwhile is reported when it is found out.
 */
export function createInformers(client: Client, options: InformerOptions = {}): Informers {
  return new SharedInformers(client, options);
}

type Selector = NonNullable<Parameters<Informers['of']>[1]>;

class SharedInformers implements Informers {
  readonly #client: Client;
  readonly #options: Required<Omit<InformerOptions, 'keep'>> & Pick<InformerOptions, 'keep'>;
  readonly #informers = new Map<string, SharedInformer<KubeObject>>();
  readonly #stop = new AbortController();
  readonly #running = new Set<Promise<void>>();

  constructor(client: Client, options: InformerOptions) {
    this.#client = client;
    this.#options = { clock: systemClock, logger: silentLogger, random: Math.random, ...options };
  }

  of<T extends KubeObject>(resource: Resource<T>, selector: Selector = {}): Informer<T> {
    const { namespace = '', fieldSelector = '', labelSelector = '' } = selector;
    const key = JSON.stringify([resource.group, resource.version, resource.plural, namespace, fieldSelector, labelSelector]);
    let informer = this.#informers.get(key);
    if (informer === undefined) {
      informer = new SharedInformer<KubeObject>(this.#client, resource, selector, this.#options);
      this.#informers.set(key, informer);
    }
    return informer as unknown as Informer<T>;
  }

  async start(signal?: AbortSignal): Promise<void> {
    const life = signal === undefined ? this.#stop.signal : AbortSignal.any([signal, this.#stop.signal]);
    life.throwIfAborted();
    const all = [...this.#informers.values()];
    for (const informer of all) {
      if (informer.started) continue;
      const run = informer.run(life);
      this.#running.add(run);
      void run.finally(() => this.#running.delete(run));
    }
    await Promise.all(all.map((informer) => informer.whenSynced(life)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new DOMException('the informers have been stopped', 'AbortError'));
    await Promise.all(this.#running);
  }
}

class SharedInformer<T extends KubeObject> implements Informer<T>, Mirror<T> {
  readonly resource: Resource<T>;
  readonly #cache = new ObjectCache<T>();
  readonly #reflector: Reflector<T>;
  readonly #logger: Logger;
  readonly #keep: Keep | undefined;
  readonly #handlers = new Set<(event: InformerEvent<T>) => void>();
  readonly #firstList = Promise.withResolvers<void>();
  started = false;
  synced = false;

  constructor(client: Client, resource: Resource<T>, selector: Selector, options: InformerOptions & Omit<ReflectorOptions, 'keep'>) {
    this.resource = resource;
    this.#logger = options.logger.child({ component: 'informer', resource: resource.plural, group: resource.group });
    const { keep, ...rest } = options;
    this.#keep = keep === undefined ? undefined : (object) => keep(object, resource as never);
    const kept = this.#keep === undefined ? {} : { keep: this.#keep };
    this.#reflector = new Reflector(client.of(resource), selector, this, { ...rest, ...kept, logger: this.#logger });
  }

  run(signal: AbortSignal): Promise<void> {
    this.started = true;
    return this.#reflector.run(signal);
  }

  async whenSynced(signal?: AbortSignal): Promise<void> {
    if (this.synced) return;
    if (signal === undefined) return this.#firstList.promise;
    signal.throwIfAborted();
    const aborted = Promise.withResolvers<never>();
    const onAbort = () => aborted.reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await Promise.race([this.#firstList.promise, aborted.promise]);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  get(namespace: string | undefined, name: string): T | undefined {
    return this.#cache.get(namespace, name);
  }

  keys(): Iterable<string> {
    return this.#cache.keys();
  }

  list(namespace?: string): readonly T[] {
    return this.#cache.list(namespace);
  }

  byIndex(index: string, value: string): readonly T[] {
    return this.#cache.byIndex(index, value);
  }

  addIndex(name: string, values: (object: T) => readonly string[]): void {
    this.#cache.addIndex(name, (object) => {
      try {
        return values(object);
      } catch (error) {
        this.#logger.error('an index function failed', { index: name, key: objectKey(object), error });
        return [];
      }
    });
  }

  on(handler: (event: InformerEvent<T>) => void): () => void {
    // A wrapper, so that one function registered twice is two registrations.
    const registered = (event: InformerEvent<T>) => handler(event);
    this.#handlers.add(registered);
    for (const key of this.#cache.keys()) {
      const object = this.#cache.byKey(key)?.object;
      if (object !== undefined) this.#deliver(registered, { type: 'added', object });
    }
    return () => this.#handlers.delete(registered);
  }

  replace(objects: readonly Held<T>[]): void {
    const gone = new Set(this.#cache.keys());
    for (const held of objects) {
      const { object } = held;
      gone.delete(objectKey(object));
      this.#put(object, held);
    }
    for (const key of gone) this.#remove(key);
    if (this.synced) return;
    this.synced = true;
    this.#firstList.resolve();
  }

  change(event: WatchEvent<T>): void {
    if (event.type === 'BOOKMARK') return;
    const held = heldObject(event, this.#keep);
    const { object } = held;
    if (event.type === 'DELETED') this.#remove(objectKey(object), object);
    else this.#put(object, held);
  }

  #put(object: T, held: Held<T>): void {
    const key = objectKey(object);
    const known = this.#cache.byKey(key);
    if (known !== undefined && known.resourceVersion === held.resourceVersion) return;
    const before = known === undefined ? undefined : stateOf(known);
    // Same name, other object: whoever knew the first one must hear that it is gone.
    if (before !== undefined && before.metadata.uid !== object.metadata.uid) this.#remove(key);
    const old = this.#cache.set(key, object, held) === undefined ? undefined : before;
    this.#tell(old === undefined ? { type: 'added', object } : { type: 'updated', object, old });
  }

  /** `last` is the object's final state, when the server told. */
  #remove(key: string, last?: T): void {
    const known = this.#cache.delete(key);
    if (known !== undefined) this.#tell({ type: 'deleted', object: last ?? known });
  }

  #tell(event: InformerEvent<T>): void {
    for (const handler of this.#handlers) this.#deliver(handler, event);
  }

  #deliver(handler: (event: InformerEvent<T>) => void, event: InformerEvent<T>): void {
    try {
      handler(event);
    } catch (error) {
      this.#logger.error('an informer handler failed', { event: event.type, key: objectKey(event.object), error });
    }
  }
}
