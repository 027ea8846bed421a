import { CachedObject } from '#apiserver/cache/cached-object.ts';
import type { StorageEvent } from '#storage/storage.ts';

/** One change, shared by every watcher of the resource. */
export interface CacheEvent {
  readonly revision: number;
  readonly deleted: boolean;
  /** The new state; on deletion the last one, with the revision of the deletion. */
  readonly current: CachedObject;
  readonly previous: CachedObject | undefined;
  /** Encoded frames by view and shape, made once. Filled by the watch layer. */
  readonly frames: Map<string, unknown>;
}

/** Changes kept in memory for each resource; a watcher that falls further behind is cut off. */
export const eventWindow = 2048;

/**
 * Current objects of one resource in key order, and its latest changes. Filled and driven by the WatchCache.
 * Readers hold positions into the window instead of queues of their own, so a slow watcher costs no memory.
 */
export class ResourceCache {
  readonly prefix: string;
  readonly #objects = new Map<string, CachedObject>();
  /** Sorted. */
  readonly #keys: string[] = [];
  #events: CacheEvent[] = [];
  #windowStart: number;
  #lastChange: number;
  readonly #listeners = new Set<() => void>();

  constructor(prefix: string, revision: number) {
    this.prefix = prefix;
    this.#windowStart = revision;
    this.#lastChange = revision;
  }

  get size(): number {
    return this.#keys.length;
  }

  /** Changes after this revision are in memory. */
  get windowStart(): number {
    return this.#windowStart;
  }

  /** No object has changed since this revision. */
  get lastChange(): number {
    return this.#lastChange;
  }

  get(key: string): CachedObject | undefined {
    return this.#objects.get(key);
  }

  /** Objects whose key starts with `prefix` and is greater than `after`, in key order. Tolerates no change while iterated. */
  *range(prefix: string, after = ''): Iterable<CachedObject> {
    const start = after > prefix ? upperBound(this.#keys, after) : lowerBound(this.#keys, prefix);
    for (let index = start; index < this.#keys.length; index += 1) {
      const key = this.#keys[index] ?? '';
      if (!key.startsWith(prefix)) return;
      const object = this.#objects.get(key);
      if (object !== undefined) yield object;
    }
  }

  /** How many objects `range` would give. */
  count(prefix: string, after: string): number {
    return lowerBound(this.#keys, `${prefix.slice(0, -1)}0`) - upperBound(this.#keys, after);
  }

  /** Changes after `revision` that are still in the window, oldest first. */
  eventsAfter(revision: number): readonly CacheEvent[] {
    let low = 0;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#events[middle]?.revision ?? 0) <= revision) low = middle + 1;
      else high = middle;
    }
    return this.#events.slice(low);
  }

  /** Called after every batch of changes. Returns its removal. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Takes an object of the initial list. */
  load(object: CachedObject): void {
    this.#insert(object);
  }

  apply(event: StorageEvent): void {
    const previous = this.#objects.get(event.key);
    const current = new CachedObject(event.key, event.value, event.revision);
    const deleted = event.type === 'delete';
    if (deleted) this.#remove(event.key);
    else this.#insert(current);
    this.#lastChange = event.revision;
    this.#events.push({ revision: event.revision, deleted, current, previous, frames: new Map() });
    if (this.#events.length >= eventWindow * 1.25) this.#trim();
  }

  /** Wakes the watchers; once for a batch. */
  notify(): void {
    for (const listener of this.#listeners) listener();
  }

  #trim(): void {
    const dropped = this.#events.length - eventWindow;
    this.#windowStart = this.#events[dropped - 1]?.revision ?? this.#windowStart;
    this.#events = this.#events.slice(dropped);
  }

  #insert(object: CachedObject): void {
    if (!this.#objects.has(object.key)) {
      if (object.key > (this.#keys.at(-1) ?? '')) this.#keys.push(object.key);
      else this.#keys.splice(lowerBound(this.#keys, object.key), 0, object.key);
    }
    this.#objects.set(object.key, object);
  }

  #remove(key: string): void {
    if (!this.#objects.delete(key)) return;
    this.#keys.splice(lowerBound(this.#keys, key), 1);
  }
}

/** First index whose key is not less than `key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] ?? '') < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

function upperBound(keys: readonly string[], key: string): number {
  const at = lowerBound(keys, key);
  return keys[at] === key ? at + 1 : at;
}
