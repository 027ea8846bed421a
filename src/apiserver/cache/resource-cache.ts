import type { CachedObject } from '#apiserver/cache/cached-object.ts';

/** One change, shared by every watcher of the resource. */
export interface CacheEvent {
  readonly revision: number;
  readonly deleted: boolean;
  /** The new state; on deletion the last one, with the revision of the deletion. */
  readonly current: CachedObject;
  readonly previous: CachedObject | undefined;
  /** Length of the text. */
  readonly size: number;
  /** Encoded frames by view and shape, made once. Filled by the watch layer, emptied when every watcher has passed. */
  readonly frames: Map<string, unknown>;
}

/** Changes kept in memory for watchers that lag behind, by number and by characters; one that falls further back is cut off. */
export const eventWindow = 2048;
const eventCharacters = 32 * 2 ** 20;
/** Changes kept after every watcher has seen them, for who comes back soon. Older ones are in storage's log. */
export const recentEvents = 64;

/** A watcher's place among a resource's changes. */
export interface Follower {
  /** Everything up to this revision has been seen. Only moves forward. */
  position: number;
  /** Called after every batch of changes. */
  wake(): void;
}

/**
 * Current objects of one resource in key order, and its latest changes. Filled and driven by the WatchCache.
 * Followers hold positions into the window instead of queues of their own, so a slow one costs no memory of its own.
 */
export class ResourceCache {
  readonly prefix: string;
  readonly #objects = new Map<string, CachedObject>();
  /** Sorted. */
  readonly #keys: string[] = [];
  #events: CacheEvent[] = [];
  #eventsSize = 0;
  #windowStart: number;
  #lastChange: number;
  /** Changes up to this one have been seen by every follower, and their frames are gone. */
  #passed: number;
  readonly #followers = new Set<Follower>();
  readonly #listeners = new Set<() => void>();

  constructor(prefix: string, revision: number) {
    this.prefix = prefix;
    this.#windowStart = revision;
    this.#lastChange = revision;
    this.#passed = revision;
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

  /** The next change after `revision`, if it is in the window. */
  eventAfter(revision: number): CacheEvent | undefined {
    return this.#events[this.#indexAfter(revision)];
  }

  /** Called after every batch of changes. Returns its removal. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** As long as somebody follows, the window reaches back to the slowest follower's position, within its limit. */
  follow(follower: Follower): () => void {
    this.#followers.add(follower);
    return () => this.#followers.delete(follower);
  }

  /** Takes an object of the initial list. */
  load(object: CachedObject): void {
    this.#insert(object);
  }

  /** Takes a change: the new state, or at a deletion the last one; `size` is the length of its text. */
  apply(current: CachedObject, deleted: boolean, size: number): void {
    const previous = this.#objects.get(current.key);
    if (deleted) this.#remove(current.key);
    else this.#insert(current);
    this.#lastChange = current.revision;
    this.#events.push({ revision: current.revision, deleted, current, previous, size, frames: new Map() });
    this.#eventsSize += size;
  }

  /** Wakes the watchers; once for a batch. */
  notify(): void {
    this.#trim();
    for (const follower of this.#followers) follower.wake();
    for (const listener of this.#listeners) listener();
  }

  #trim(): void {
    let seen = this.#lastChange;
    for (const { position } of this.#followers) seen = Math.min(seen, position);
    const passed = this.#indexAfter(seen);
    for (let index = this.#indexAfter(this.#passed); index < passed; index += 1) this.#events[index]?.frames.clear();
    this.#passed = Math.max(this.#passed, seen);
    const dropped = this.#droppable(passed);
    if (dropped === 0) return;
    this.#windowStart = this.#events[dropped - 1]?.revision ?? this.#windowStart;
    this.#events = this.#events.slice(dropped);
    this.#eventsSize = sizeOf(this.#events);
  }

  /** How many changes to forget: those nobody waits for, in strides; more when there are too many or they are too long. */
  #droppable(passed: number): number {
    const { length } = this.#events;
    const spare = Math.max(Math.min(passed, length - recentEvents), length - eventWindow);
    let dropped = spare < recentEvents ? 0 : spare;
    let size = this.#eventsSize - sizeOf(this.#events.slice(0, dropped));
    for (; size > eventCharacters; dropped += 1) size -= this.#events[dropped]?.size ?? size;
    return dropped;
  }

  /** Index of the first change after `revision`. */
  #indexAfter(revision: number): number {
    let low = 0;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#events[middle]?.revision ?? 0) <= revision) low = middle + 1;
      else high = middle;
    }
    return low;
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

function sizeOf(events: readonly CacheEvent[]): number {
  return events.reduce((sum, { size }) => sum + size, 0);
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
