import { objectKey, type KubeObject } from '#apis/meta/object.ts';
import type { Lister } from '#client/informer-types.ts';

type IndexFunction<T> = (object: T) => readonly string[];
interface Index<T> {
  readonly values: IndexFunction<T>;
  readonly filed: Map<string, Set<string>>;
}

const byNamespace = 'dormouse:namespace';

/** Objects by key, with indexes kept in step. What `list` returns is shared until the next change: read it, don't keep it. */
export class ObjectCache<T extends KubeObject> implements Lister<T> {
  readonly #objects = new Map<string, T>();
  readonly #indexes = new Map<string, Index<T>>();
  #all: readonly T[] | undefined;

  constructor() {
    this.addIndex(byNamespace, (object) => [object.metadata.namespace ?? '']);
  }

  get size(): number {
    return this.#objects.size;
  }

  keys(): IterableIterator<string> {
    return this.#objects.keys();
  }

  byKey(key: string): T | undefined {
    return this.#objects.get(key);
  }

  get(namespace: string | undefined, name: string): T | undefined {
    return this.#objects.get(namespace === undefined || namespace === '' ? name : `${namespace}/${name}`);
  }

  list(namespace?: string): readonly T[] {
    if (namespace !== undefined) return this.byIndex(byNamespace, namespace);
    this.#all ??= Object.freeze([...this.#objects.values()]);
    return this.#all;
  }

  byIndex(name: string, value: string): readonly T[] {
    const index = this.#indexes.get(name);
    if (index === undefined) throw new Error(`there is no index ${name}`);
    const keys = index.filed.get(value);
    if (keys === undefined) return [];
    return [...keys].map((key) => this.#objects.get(key)).filter((object) => object !== undefined);
  }

  addIndex(name: string, values: IndexFunction<T>): void {
    if (this.#indexes.has(name)) return;
    const index: Index<T> = { values, filed: new Map() };
    this.#indexes.set(name, index);
    for (const [key, object] of this.#objects) file(index, key, object);
  }

  /** Puts the object in, and returns the one it replaces. */
  set(object: T): T | undefined {
    const key = objectKey(object);
    const old = this.#objects.get(key);
    this.#objects.set(key, object);
    this.#all = undefined;
    for (const index of this.#indexes.values()) {
      if (old !== undefined) unfile(index, key, old);
      file(index, key, object);
    }
    return old;
  }

  /** Takes the object out and returns it. */
  delete(key: string): T | undefined {
    const old = this.#objects.get(key);
    if (old === undefined) return undefined;
    this.#objects.delete(key);
    this.#all = undefined;
    for (const index of this.#indexes.values()) unfile(index, key, old);
    return old;
  }
}

function file<T>({ values, filed }: Index<T>, key: string, object: T): void {
  for (const value of values(object)) {
    const keys = filed.get(value);
    if (keys === undefined) filed.set(value, new Set([key]));
    else keys.add(key);
  }
}

function unfile<T>({ values, filed }: Index<T>, key: string, object: T): void {
  for (const value of values(object)) {
    const keys = filed.get(value);
    if (keys?.delete(key) && keys.size === 0) filed.delete(value);
  }
}
