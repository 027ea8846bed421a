import type { KubeObject } from '#apis/meta/object.ts';
import type { Held } from '#client/client.ts';
import { nameOnly, stateOf } from '#client/held.ts';
import { keysIn, withKey, withoutKey, type FewKeys } from '#core/few-keys.ts';

type IndexFunction<T> = (object: T) => readonly string[];

/** Keys that share an index value. */
interface Bucket {
  readonly value: string;
  keys: FewKeys;
}

/**
 * Objects by key, with indexes kept in step. What it keeps are holds on objects, which need not be in memory; what it gives out is
 * shared: read it, don't keep it.
 */
export class ObjectCache<T extends KubeObject> {
  readonly #held = new Map<string, Held<T>>();
  readonly #indexes = new Map<string, Index<T>>();
  readonly #namespaces = new Buckets();
  /** The last full list, for as long as somebody uses it and nothing changes. */
  #all: WeakRef<readonly T[]> | undefined;

  get size(): number {
    return this.#held.size;
  }

  keys(): IterableIterator<string> {
    return this.#held.keys();
  }

  byKey(key: string): Held<T> | undefined {
    return this.#held.get(key);
  }

  get(namespace: string | undefined, name: string): T | undefined {
    return this.#object(namespace === undefined || namespace === '' ? name : `${namespace}/${name}`);
  }

  list(namespace?: string): readonly T[] {
    if (namespace !== undefined) return this.#objects(this.#namespaces.keys(namespace));
    const known = this.#all?.deref();
    if (known !== undefined) return known;
    const all = Object.freeze(this.#objects(this.#held.keys()));
    this.#all = new WeakRef(all);
    return all;
  }

  byIndex(name: string, value: string): readonly T[] {
    const index = this.#indexes.get(name);
    if (index === undefined) throw new Error(`there is no index ${name}`);
    return this.#objects(index.keys(value));
  }

  addIndex(name: string, values: IndexFunction<T>): void {
    if (this.#indexes.has(name)) return;
    const index = new Index(values);
    this.#indexes.set(name, index);
    for (const key of this.#held.keys()) {
      const object = this.#object(key);
      if (object !== undefined) index.file(key, object);
    }
  }

  /** Puts the object in, and returns what it replaces. */
  set(key: string, object: T, held: Held<T>): Held<T> | undefined {
    const old = this.#held.get(key);
    this.#held.set(key, held);
    this.#all = undefined;
    if (old === undefined) this.#namespaces.add(key, namespaceOf(key));
    for (const index of this.#indexes.values()) index.file(key, object);
    return old;
  }

  /** Takes the object out and returns it. */
  delete(key: string): T | undefined {
    const old = this.#held.get(key);
    if (old === undefined) return undefined;
    this.#held.delete(key);
    this.#all = undefined;
    this.#namespaces.remove(key, namespaceOf(key));
    for (const index of this.#indexes.values()) index.unfile(key);
    return stateOf(old) ?? nameOnly<T>(key);
  }

  #object(key: string): T | undefined {
    return this.#held.get(key)?.object;
  }

  #objects(keys: Iterable<string>): T[] {
    const objects: T[] = [];
    for (const key of keys) {
      const object = this.#object(key);
      if (object !== undefined) objects.push(object);
    }
    return objects;
  }
}

/** Sets of keys by value; empty ones are dropped. */
class Buckets {
  readonly #buckets = new Map<string, Bucket>();

  keys(value: string): Iterable<string> {
    return keysIn(this.#buckets.get(value)?.keys);
  }

  add(key: string, value: string): Bucket {
    const bucket = this.#buckets.get(value);
    if (bucket === undefined) {
      const made = { value, keys: key };
      this.#buckets.set(value, made);
      return made;
    }
    bucket.keys = withKey(bucket.keys, key);
    return bucket;
  }

  remove(key: string, value: string): void {
    const bucket = this.#buckets.get(value);
    if (bucket === undefined) return;
    const left = withoutKey(bucket.keys, key);
    if (left === undefined) this.#buckets.delete(value);
    else bucket.keys = left;
  }
}

/** Remembers where a key is filed: the object it was filed by may be gone when it is taken out. */
class Index<T> {
  readonly #values: IndexFunction<T>;
  readonly #buckets = new Buckets();
  readonly #filed = new Map<string, readonly Bucket[]>();

  constructor(values: IndexFunction<T>) {
    this.#values = values;
  }

  keys(value: string): Iterable<string> {
    return this.#buckets.keys(value);
  }

  file(key: string, object: T): void {
    const values = this.#values(object);
    const known = this.#filed.get(key) ?? [];
    if (known.length === values.length && known.every(({ value }, at) => value === values[at])) return;
    this.unfile(key);
    if (values.length > 0)
      this.#filed.set(
        key,
        values.map((value) => this.#buckets.add(key, value)),
      );
  }

  unfile(key: string): void {
    for (const { value } of this.#filed.get(key) ?? []) this.#buckets.remove(key, value);
    this.#filed.delete(key);
  }
}

function namespaceOf(key: string): string {
  const slash = key.indexOf('/');
  return slash < 0 ? '' : key.slice(0, slash);
}
