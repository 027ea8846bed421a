import { CachedObject, type TextSource } from '#apiserver/cache/cached-object.ts';
import { HotObjects } from '#apiserver/cache/hot-objects.ts';
import type { CacheEvent } from '#apiserver/cache/resource-cache.ts';
import { ResourceCache } from '#apiserver/cache/resource-cache.ts';
import type { Storage, StorageEvent, Watch } from '#storage/storage.ts';

const root = '/registry/';
/** About bytes: of objects in use, and of those that nobody has used for a while. */
const hotWeight = 32 * 2 ** 20;
const keptWeight = 4 * 2 ** 20;
const ageMs = 15_000;

/** Prefix of a resource's keys, with its trailing slash. */
export function resourcePrefix(group: string, plural: string): string {
  return `${root}${group === '' ? 'core' : group}/${plural}/`;
}

/** Storage key of an object; `namespace` is empty for cluster-scoped kinds. */
export function objectKeyOf(group: string, plural: string, namespace: string, name: string): string {
  const prefix = resourcePrefix(group, plural);
  return namespace === '' ? `${prefix}${name}` : `${prefix}${namespace}/${name}`;
}

/**
 * Mirror of the whole storage, kept up to date by one storage watch: every key, and the contents of what is in use. `revision` is
 * how far it has got; `fresh()` waits until it has everything that was committed when it was called, so that a client reads its
 * own writes.
 */
export class WatchCache implements AsyncDisposable {
  readonly #storage: Storage;
  readonly #source: TextSource;
  readonly #resources = new Map<string, ResourceCache>();
  #revision = 0;
  #watch: Watch | undefined;
  #waiting: { revision: number; reached: PromiseWithResolvers<void> }[] = [];
  readonly #failed: (error: unknown) => void;
  readonly #ageing: NodeJS.Timeout;

  private constructor(storage: Storage, failed: (error: unknown) => void) {
    this.#storage = storage;
    const hot = new HotObjects(hotWeight, keptWeight);
    this.#source = {
      valueOf: (revision) => storage.valueOf(revision),
      valuesOf: (revisions) => storage.valuesOf(revisions),
      hot,
    };
    this.#ageing = setInterval(() => hot.age(), ageMs).unref();
    this.#failed = failed;
  }

  /** Reads everything, then follows. `failed` is called when the watch breaks: the process cannot go on serving. */
  static async open(storage: Storage, failed: (error: unknown) => void): Promise<WatchCache> {
    const cache = new WatchCache(storage, failed);
    await cache.#load();
    return cache;
  }

  get revision(): number {
    return this.#revision;
  }

  resource(group: string, plural: string): ResourceCache {
    return this.#byPrefix(resourcePrefix(group, plural));
  }

  /** Resolves when everything committed before the call is visible. */
  fresh(): Promise<void> {
    return this.reached(this.#storage.revision);
  }

  /** Resolves when the cache has seen `revision`. */
  reached(revision: number): Promise<void> {
    if (this.#revision >= revision) return Promise.resolve();
    const waiter = { revision, reached: Promise.withResolvers<void>() };
    this.#waiting.push(waiter);
    return waiter.reached.promise;
  }

  /**
   * Changes of one resource after `revision` and up to what the cache has now, read back from storage's log.
   * Throws CompactedError when the log no longer reaches back.
   */
  async history(prefix: string, revision: number): Promise<CacheEvent[]> {
    const until = this.#revision;
    const events: CacheEvent[] = [];
    // Once the watch is live it has delivered everything up to the newest revision.
    const watch = await this.#storage.watch(prefix, revision, (batch) => {
      for (const event of batch) if (event.revision <= until) events.push(historical(event));
    });
    watch[Symbol.dispose]();
    return events;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#ageing);
    this.#watch?.[Symbol.dispose]();
    await this.#watch?.done.catch(() => {});
  }

  async #load(): Promise<void> {
    const { entries, revision } = await this.#storage.index();
    for (const { key, modRevision } of entries) {
      this.#byKey(key, revision).load(new CachedObject(key, modRevision, undefined, this.#source));
    }
    this.#revision = revision;
    this.#watch = await this.#storage.watch(root, revision, (events) => this.#apply(events));
    this.#watch.done.catch(this.#failed);
  }

  #apply(events: readonly StorageEvent[]): void {
    const touched = new Set<ResourceCache>();
    for (const event of events) {
      const resource = this.#byKey(event.key, this.#revision);
      const deleted = event.type === 'delete';
      // What a deletion leaves has no change of its own to be read again from.
      resource.apply(
        new CachedObject(event.key, event.revision, event.value, deleted ? undefined : this.#source),
        deleted,
        event.value.length,
      );
      touched.add(resource);
      this.#revision = event.revision;
    }
    for (const resource of touched) resource.notify();
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const waiter of waiting) {
      if (waiter.revision <= this.#revision) waiter.reached.resolve();
      else this.#waiting.push(waiter);
    }
  }

  #byKey(key: string, revision: number): ResourceCache {
    const end = key.indexOf('/', key.indexOf('/', root.length) + 1);
    return this.#byPrefix(key.slice(0, end + 1), revision);
  }

  #byPrefix(prefix: string, revision = this.#revision): ResourceCache {
    let resource = this.#resources.get(prefix);
    if (resource === undefined) {
      resource = new ResourceCache(prefix, revision);
      this.#resources.set(prefix, resource);
    }
    return resource;
  }
}

function historical(event: StorageEvent): CacheEvent {
  const previous = event.previous === undefined ? undefined : new CachedObject(event.key, event.revision - 1, event.previous);
  const current = new CachedObject(event.key, event.revision, event.value);
  return { revision: event.revision, deleted: event.type === 'delete', current, previous, size: event.value.length, frames: new Map() };
}
