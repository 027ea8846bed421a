import type { Resource } from '#apis/definition.ts';
import type { KubeObject } from '#apis/meta/object.ts';

/**
 * Read side of a cache that a list and a watch keep up to date. Objects are deep-frozen; managed fields may be missing. An object
 * that is not in use may have to be read and parsed again: look single ones up, or by index, rather than listing all.
 */
export interface Lister<T extends KubeObject> {
  get(namespace: string | undefined, name: string): T | undefined;
  list(namespace?: string): readonly T[];
  /** Objects filed under `value` by the named index function. */
  byIndex(index: string, value: string): readonly T[];
}

export type InformerEvent<T extends KubeObject> =
  | { readonly type: 'added'; readonly object: T }
  | { readonly type: 'updated'; readonly object: T; readonly old: T }
  | { readonly type: 'deleted'; readonly object: T };

export interface Informer<T extends KubeObject> extends Lister<T> {
  readonly resource: Resource<T>;
  /** True once the first list is in the cache. */
  readonly synced: boolean;
  /** `namespace/name` (or `name`) of everything in the cache; costs no reading. */
  keys(): Iterable<string>;
  whenSynced(signal?: AbortSignal): Promise<void>;
  /** Called after the cache has changed; at registration with `added` for everything known. Returns its removal. */
  on(handler: (event: InformerEvent<T>) => void): () => void;
  /** Adds an index; `values` gives the index values of one object. Adding the same name twice is harmless. */
  addIndex(name: string, values: (object: T) => readonly string[]): void;
}

/** Hands out one shared informer per resource and selector; all start and stop together. */
export interface Informers extends AsyncDisposable {
  of<T extends KubeObject>(
    resource: Resource<T>,
    selector?: { namespace?: string; fieldSelector?: string; labelSelector?: string },
  ): Informer<T>;
  /** Starts those not yet started; resolves when all are synced. */
  start(signal?: AbortSignal): Promise<void>;
}
