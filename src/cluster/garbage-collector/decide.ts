import type { OwnerReference } from '#apis/meta/object.ts';
import type { GraphNode, OwnerGraph } from '#cluster/garbage-collector/owner-graph.ts';

/** An owner as its child sees it: there, deleted and waiting for the child, or gone (or never there). */
export type OwnerState = 'solid' | 'waiting' | 'gone';

/** What has to be done with an object that has owners. */
export type Verdict =
  | { readonly kind: 'keep' }
  /** Some owners are left: only the references to these others go. */
  | { readonly kind: 'detach'; readonly from: ReadonlySet<string> }
  /** `unblock`: it waits, through its own children, for itself; its references must not block any more. */
  | { readonly kind: 'delete'; readonly foreground: boolean; readonly unblock: boolean };

export const blocks = (child: GraphNode, owner: string): boolean =>
  child.owners.some(({ uid, blockOwnerDeletion }) => uid === owner && blockOwnerDeletion === true);

/** The owner's state where the graph knows it; undefined where one has to ask the server. */
export function knownState(graph: OwnerGraph, child: GraphNode, owner: OwnerReference): OwnerState | undefined {
  const node = graph.get(owner.uid);
  if (node === undefined) return undefined;
  // An owner in another namespace owns nothing, and neither does one of another kind or name under a borrowed uid.
  const foreign = node.resource.namespaced && node.namespace !== child.namespace;
  if (foreign || node.resource.kind !== owner.kind || node.name !== owner.name) return 'gone';
  return node.waitsForChildren ? 'waiting' : 'solid';
}

export function decide(graph: OwnerGraph, node: GraphNode, states: ReadonlyMap<string, OwnerState>): Verdict {
  const left = [...states.values()];
  if (left.includes('solid')) {
    const from = new Set([...states].filter(([, state]) => state !== 'solid').map(([uid]) => uid));
    return from.size === 0 ? { kind: 'keep' } : { kind: 'detach', from };
  }
  const foreground = left.includes('waiting') && graph.hasChildren(node.uid);
  const unblock = foreground && graph.childrenOf(node.uid).some((child) => child.waitsForChildren);
  return { kind: 'delete', foreground, unblock };
}
