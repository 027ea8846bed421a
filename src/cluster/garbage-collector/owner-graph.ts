import type { Resource } from '#apis/definition.ts';
import type { KubeObject, OwnerReference } from '#apis/meta/object.ts';

export const foregroundFinalizer = 'foregroundDeletion';
export const orphanFinalizer = 'orphan';

/** What garbage collection has to know of one object: a few hundred bytes instead of the whole object. */
export interface GraphNode {
  readonly uid: string;
  readonly resource: Resource;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly owners: readonly OwnerReference[];
  readonly deleting: boolean;
  /** Deleted, and waits until its blocking children are gone. */
  readonly waitsForChildren: boolean;
  /** Deleted, and its children shall stay. */
  readonly leavesChildren: boolean;
}

/** Of all that have none. */
export const noOwners: readonly OwnerReference[] = Object.freeze([]);

export function describeNode(resource: Resource, { metadata }: KubeObject): GraphNode {
  const { uid = '', namespace, name = '', ownerReferences, finalizers = [], deletionTimestamp } = metadata;
  const deleting = deletionTimestamp !== undefined;
  return {
    uid,
    resource,
    namespace,
    name,
    owners: ownerReferences ?? noOwners,
    deleting,
    waitsForChildren: deleting && finalizers.includes(foregroundFinalizer),
    leavesChildren: deleting && finalizers.includes(orphanFinalizer),
  };
}

/** Whose child an object is, over all kinds, by uid. Owners need not be known: a child may be seen before them. */
export class OwnerGraph {
  readonly #nodes = new Map<string, GraphNode>();
  readonly #children = new Map<string, Set<string>>();

  get(uid: string): GraphNode | undefined {
    return this.#nodes.get(uid);
  }

  /** Puts a node in; returns it as it is kept (equal owners are the same array) and the one it replaces. */
  put(described: GraphNode): { readonly node: GraphNode; readonly old: GraphNode | undefined } {
    const old = this.#nodes.get(described.uid);
    const node = { ...described, owners: this.#shared(described, old) };
    this.#nodes.set(node.uid, node);
    if (old?.owners !== node.owners) {
      for (const { uid } of old?.owners ?? noOwners) this.#unlink(uid, node.uid);
      for (const { uid } of node.owners) this.#link(uid, node.uid);
    }
    return { node, old };
  }

  remove(uid: string): GraphNode | undefined {
    const node = this.#nodes.get(uid);
    if (node === undefined) return undefined;
    this.#nodes.delete(uid);
    for (const owner of node.owners) this.#unlink(owner.uid, uid);
    return node;
  }

  childrenOf(uid: string): GraphNode[] {
    return [...(this.#children.get(uid) ?? [])].map((child) => this.#nodes.get(child)).filter((child) => child !== undefined);
  }

  hasChildren(uid: string): boolean {
    return this.#children.has(uid);
  }

  all(): IterableIterator<GraphNode> {
    return this.#nodes.values();
  }

  /** The children of one owner refer to it in the same words: they share them, as a node does with its earlier states. */
  #shared({ owners, uid }: GraphNode, old: GraphNode | undefined): readonly OwnerReference[] {
    const [first] = owners;
    if (first === undefined) return noOwners;
    const text = JSON.stringify(owners);
    for (const known of [old, this.#siblingOf(uid, first.uid)]) {
      if (known !== undefined && JSON.stringify(known.owners) === text) return known.owners;
    }
    return owners;
  }

  #siblingOf(uid: string, owner: string): GraphNode | undefined {
    for (const child of this.#children.get(owner) ?? []) if (child !== uid) return this.#nodes.get(child);
    return undefined;
  }

  #link(owner: string, child: string): void {
    const children = this.#children.get(owner);
    if (children === undefined) this.#children.set(owner, new Set([child]));
    else children.add(child);
  }

  #unlink(owner: string, child: string): void {
    const children = this.#children.get(owner);
    children?.delete(child);
    if (children?.size === 0) this.#children.delete(owner);
  }
}
