import { apiVersionOf, type Resource } from '#apis/definition.ts';
import { controllerOf, type KubeObject, type OwnerReference } from '#apis/meta/object.ts';
import type { Informer, InformerEvent } from '#client/informer-types.ts';

/** The reference that makes `owner` the managing controller of what carries it: deleted with it, adopted by nobody else. */
export function controllerReference(owner: KubeObject, resource: Resource): OwnerReference {
  const { name = '', uid = '' } = owner.metadata;
  return { apiVersion: apiVersionOf(resource), kind: resource.kind, name, uid, controller: true, blockOwnerDeletion: true };
}

/** `owner` (this very object, not one of the same name before it) manages `object`. */
export function isControlledBy(object: KubeObject, owner: KubeObject): boolean {
  return owner.metadata.uid !== undefined && controllerOf(object)?.uid === owner.metadata.uid;
}

/** The key of the managing owner, when it is of `resource`'s kind and group (whatever version). */
export function ownerKey(object: KubeObject, resource: Resource): string | undefined {
  const owner = controllerOf(object);
  if (owner === undefined || owner.kind !== resource.kind) return undefined;
  const slash = owner.apiVersion.indexOf('/');
  if ((slash < 0 ? '' : owner.apiVersion.slice(0, slash)) !== resource.group) return undefined;
  const namespace = resource.namespaced ? object.metadata.namespace : undefined;
  return namespace === undefined ? owner.name : `${namespace}/${owner.name}`;
}

/**
 * Enqueues the owner whenever one of its children changes; when a child changes hands, both owners. Returns the end of it.
 */
export function enqueueOwner<C extends KubeObject>(
  children: Informer<C>,
  owners: Resource,
  enqueue: { key(key: string): void },
): () => void {
  return children.on((event) => {
    for (const key of new Set(ownersOf(event, owners))) enqueue.key(key);
  });
}

function ownersOf(event: InformerEvent<KubeObject>, owners: Resource): string[] {
  const objects = event.type === 'updated' ? [event.object, event.old] : [event.object];
  return objects.map((object) => ownerKey(object, owners)).filter((key) => key !== undefined);
}

const ownerIndex = 'controller-uid';

/** Files children by their managing owner, for `childrenOf`, and enqueues it whenever one of them changes. */
export function trackChildren<C extends KubeObject>(children: Informer<C>, owners: Resource, enqueue: { key(key: string): void }): void {
  indexByOwner(children);
  enqueueOwner(children, owners, enqueue);
}

/** Files children under the uid of their managing owner; then `childrenOf` finds them. */
export function indexByOwner<C extends KubeObject>(children: Informer<C>): void {
  children.addIndex(ownerIndex, (object) => {
    const uid = controllerOf(object)?.uid;
    return uid === undefined ? [] : [uid];
  });
}

/** The children `owner` manages. `indexByOwner` comes first. */
export function childrenOf<C extends KubeObject>(children: Informer<C>, owner: KubeObject): readonly C[] {
  return children.byIndex(ownerIndex, owner.metadata.uid ?? '');
}
