import type { Resource } from '#apis/definition.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import { isReason } from '#apis/meta/status.ts';
import type { Client } from '#client/client.ts';
import type { Informer } from '#client/informer-types.ts';
import { isControlledBy } from '#controller/owner.ts';
import { deepClone } from '#machinery/deep.ts';
import { semanticEqual } from '#machinery/semantic-equality.ts';

/** A parent whose child's name is taken looks again after this long: the stranger may have gone. */
export const notOwnedRetryMs = 10_000;

/** A child object is there, but somebody else's: its parent's conditions say so. */
export class NotOwnedError extends Error {
  readonly kind: string;
  readonly childName: string;
  constructor(kind: string, childName: string) {
    super(`${kind} ${JSON.stringify(childName)} is not owned`);
    this.name = 'NotOwnedError';
    this.kind = kind;
    this.childName = childName;
  }
}

export interface Ensured<T> {
  readonly object: T;
  readonly created: boolean;
}

type WithSpec = KubeObject & { spec?: unknown };

/**
 * Makes sure that `owner` has the child `desired`: creates it, or brings spec, labels and annotations of the existing one in
 * line (other metadata stays). `merge` may say how an existing child takes over the desired state; it may set fields of the copy and of its
 * metadata, and change its spec.
 * Throws NotOwnedError when the name is taken by an object `owner` does not control.
 */
export async function ensureChild<T extends WithSpec>(
  client: Client,
  informer: Informer<T>,
  owner: KubeObject,
  desired: T,
  merge: (existing: T, desired: T) => void = takeOver,
): Promise<Ensured<T>> {
  const resource = informer.resource as Resource<T>;
  const { namespace, name = '' } = desired.metadata;
  const existing = informer.get(namespace, name) ?? (await createOrGet(client, resource, desired));
  if ('created' in existing) return existing as Ensured<T>;
  const current = existing as T;
  if (!isControlledBy(current, owner)) throw new NotOwnedError(resource.kind, name);
  const next: T = { ...current, metadata: { ...current.metadata }, spec: deepClone(current.spec) };
  merge(next, desired);
  if (semanticEqual(next, current)) return { object: current, created: false };
  return { object: await client.of(resource).update(next), created: false };
}

/** Spec, labels and annotations as desired. */
function takeOver<T extends WithSpec>(existing: T, desired: T): void {
  if (desired.spec !== undefined) existing.spec = desired.spec;
  existing.metadata.labels = desired.metadata.labels ?? {};
  existing.metadata.annotations = desired.metadata.annotations ?? {};
}

/** The new object, or the one that got there first (the cache did not know it yet). */
async function createOrGet<T extends WithSpec>(client: Client, resource: Resource<T>, desired: T): Promise<Ensured<T> | T> {
  try {
    return { object: await client.of(resource).create(desired), created: true };
  } catch (error) {
    if (!isReason(error, 'AlreadyExists')) throw error;
    return client.of(resource).get(desired.metadata.namespace, desired.metadata.name ?? '');
  }
}

/** The entries of `map` whose key passes. */
export function pick(map: Readonly<Record<string, string>> | undefined, keep: (key: string) => boolean): Record<string, string> {
  return Object.fromEntries(Object.entries(map ?? {}).filter(([key]) => keep(key)));
}
