import type { Resource } from '#apis/definition.ts';
import type { KubeObject, OwnerReference } from '#apis/meta/object.ts';
import { keysIn, withKey, withoutKey, type FewKeys } from '#core/few-keys.ts';

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

const maxWords = 1000;

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
  readonly #children = new Map<string, FewKeys>();
  /** The few kinds that own something, each in one text. */
  readonly #words = new Map<string, string>();

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
    return [...keysIn(this.#children.get(uid))].map((child) => this.#nodes.get(child)).filter((child) => child !== undefined);
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
    return owners.map((owner) => this.#interned(owner));
  }

  #siblingOf(uid: string, owner: string): GraphNode | undefined {
    for (const child of keysIn(this.#children.get(owner))) if (child !== uid) return this.#nodes.get(child);
    return undefined;
  }

  #link(owner: string, child: string): void {
    // In the words of the nodes themselves, where they are known: texts out of different objects would be kept twice.
    const key = this.#nodes.get(owner)?.uid ?? owner;
    this.#children.set(key, withKey(this.#children.get(key), child));
  }

  #unlink(owner: string, child: string): void {
    const children = this.#children.get(owner);
    const left = children === undefined ? undefined : withoutKey(children, child);
    if (left === undefined) this.#children.delete(owner);
    else this.#children.set(owner, left);
  }

  #interned(reference: OwnerReference): OwnerReference {
    const owner = this.#nodes.get(reference.uid);
    const { uid = reference.uid, name = reference.name } = owner?.name === reference.name ? owner : {};
    return { ...reference, uid, name, apiVersion: this.#word(reference.apiVersion), kind: this.#word(reference.kind) };
  }

  #word(text: string): string {
    const known = this.#words.get(text);
    if (known !== undefined) return known;
    // Anything can be written into a reference.
    if (this.#words.size >= maxWords) this.#words.clear();
    this.#words.set(text, text);
    return text;
  }
}
