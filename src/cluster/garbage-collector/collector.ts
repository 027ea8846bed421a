import type { Resource } from '#apis/definition.ts';
import type { KubeObject, OwnerReference } from '#apis/meta/object.ts';
import { ifThere, isReason } from '#apis/meta/status.ts';
import type { DeleteOptions } from '#client/client.ts';
import type { ControllerContext } from '#controller/controller.ts';
import { WorkQueue } from '#controller/work-queue.ts';
import { errorText } from '#core/errors.ts';
import { blocks, decide, knownState, type OwnerState } from '#cluster/garbage-collector/decide.ts';
import {
  describeNode,
  foregroundFinalizer,
  noOwners,
  orphanFinalizer,
  OwnerGraph,
  type GraphNode,
} from '#cluster/garbage-collector/owner-graph.ts';

const workers = 20;
/** Uids known to be gone, so that the children of one owner need not all ask for it. */
const rememberedGone = 20_000;
const failuresToWarn = 6;

/**
 * Acts on the owner graph: children of vanished owners go; what is deleted in the foreground waits for its blocking children;
 * what is deleted as an orphanage lets its children go free. Every write is checked against uid and resourceVersion.
 */
export class Collector {
  readonly #context: ControllerContext;
  readonly #resourceFor: (owner: OwnerReference) => Resource | undefined;
  readonly #graph = new OwnerGraph();
  readonly #gone = new Set<string>();
  readonly #queue: WorkQueue;

  constructor(context: ControllerContext, resourceFor: (owner: OwnerReference) => Resource | undefined) {
    this.#context = context;
    this.#resourceFor = resourceFor;
    this.#queue = new WorkQueue({ clock: context.clock, onOverflow: () => this.#all() });
  }

  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#queue.close(), { once: true });
    if (signal.aborted) this.#queue.close();
    await Promise.all(Array.from({ length: workers }, () => this.#work(signal)));
  }

  seen(resource: Resource, object: KubeObject): void {
    const { node, old } = this.#graph.put(describeNode(resource, object));
    const sameOwners = (old?.owners ?? noOwners) === node.owners;
    if (!sameOwners) {
      for (const { uid } of old?.owners ?? []) this.#look(uid);
      if (node.owners.length > 0) this.#queue.add(node.uid);
    }
    const waits = node.waitsForChildren || node.leavesChildren;
    if (waits && (old?.waitsForChildren !== node.waitsForChildren || old.leavesChildren !== node.leavesChildren)) this.#queue.add(node.uid);
  }

  removed(uid: string): void {
    const node = this.#graph.remove(uid);
    if (node === undefined) return;
    this.#gone.add(uid);
    if (this.#gone.size > rememberedGone) for (const oldest of this.#gone) if (this.#gone.delete(oldest)) break;
    for (const child of this.#graph.childrenOf(uid)) this.#queue.add(child.uid);
    for (const owner of node.owners) this.#look(owner.uid);
  }

  /** The uids of a kind's objects that are not among `kept`: a list has not shown them any more. */
  missing(resource: Resource, kept: ReadonlySet<string>): string[] {
    return [...this.#graph.all()].filter((node) => node.resource === resource && !kept.has(node.uid)).map(({ uid }) => uid);
  }

  #all(): void {
    for (const node of this.#graph.all()) if (node.owners.length > 0 || node.deleting) this.#queue.addSlow(node.uid);
  }

  /** An owner that waits for its children has one less to wait for, perhaps. */
  #look(uid: string): void {
    if (this.#graph.get(uid)?.waitsForChildren === true) this.#queue.add(uid);
  }

  async #work(signal: AbortSignal): Promise<void> {
    for (;;) {
      const uid = await this.#queue.take();
      if (uid === undefined) return;
      try {
        await this.#attend(uid);
        this.#queue.forget(uid);
      } catch (error) {
        if (!signal.aborted) this.#failed(uid, error);
      }
      this.#queue.done(uid);
    }
  }

  #failed(uid: string, error: unknown): void {
    // Gone meanwhile: its deletion event does what is left to do.
    if (isReason(error, 'NotFound')) return this.#queue.forget(uid);
    const retryMs = this.#queue.retry(uid);
    if (this.#queue.failuresOf(uid) !== failuresToWarn) return;
    const { name, namespace, resource } = this.#graph.get(uid) ?? {};
    this.#context.logger.warn('garbage collection keeps failing', {
      kind: resource?.kind,
      namespace,
      name,
      retryMs,
      error: errorText(error),
    });
  }

  async #attend(uid: string): Promise<void> {
    const node = this.#graph.get(uid);
    if (node === undefined) return;
    if (node.leavesChildren) return this.#leaveChildren(node);
    if (node.waitsForChildren) return this.#waitForChildren(node);
    if (node.deleting || node.owners.length === 0) return;
    await this.#judge(node);
  }

  async #leaveChildren(node: GraphNode): Promise<void> {
    await Promise.all(this.#graph.childrenOf(node.uid).map((child) => ifThere(this.#detach(child, new Set([node.uid])))));
    await this.#dropFinalizer(node, orphanFinalizer);
  }

  async #waitForChildren(node: GraphNode): Promise<void> {
    const children = this.#graph.childrenOf(node.uid);
    for (const child of children) if (!child.deleting) this.#queue.add(child.uid);
    if (!children.some((child) => blocks(child, node.uid))) await this.#dropFinalizer(node, foregroundFinalizer);
  }

  async #judge(node: GraphNode): Promise<void> {
    const states = new Map<string, OwnerState>();
    for (const owner of node.owners) {
      states.set(owner.uid, knownState(this.#graph, node, owner) ?? (await this.#askFor(node, owner)));
    }
    const verdict = decide(this.#graph, node, states);
    if (verdict.kind === 'keep') return;
    if (verdict.kind === 'detach') return this.#detach(node, verdict.from);
    const live = await this.#live(node);
    // Somebody has adopted it since: its event brings it here again.
    if (live === undefined || JSON.stringify(live.metadata.ownerReferences ?? []) !== JSON.stringify(node.owners)) return;
    if (verdict.unblock) {
      const ownerReferences = node.owners.map((owner) => ({ ...owner, blockOwnerDeletion: false }));
      await this.#patch(live, node, { ownerReferences });
    }
    const { resourceVersion } = live.metadata;
    const preconditions = { uid: node.uid, ...(resourceVersion === undefined || verdict.unblock ? {} : { resourceVersion }) };
    const policy: DeleteOptions = verdict.foreground ? { propagationPolicy: 'Foreground' } : { propagationPolicy: inherited(live) };
    await this.#context.client.of(node.resource).delete(node.namespace, node.name, { ...policy, preconditions });
  }

  /** The state of an owner the graph has not seen (yet): the server knows. */
  async #askFor(node: GraphNode, owner: OwnerReference): Promise<OwnerState> {
    if (this.#gone.has(owner.uid)) return 'gone';
    const resource = this.#resourceFor(owner);
    if (resource === undefined) throw new Error(`nobody serves ${owner.apiVersion} ${owner.kind}, the kind of an owner`);
    if (resource.namespaced && node.namespace === undefined) return 'solid';
    const found = await ifThere(this.#context.client.of(resource).get(resource.namespaced ? node.namespace : undefined, owner.name));
    return found?.metadata.uid === owner.uid ? 'solid' : 'gone';
  }

  async #detach(node: GraphNode, from: ReadonlySet<string>): Promise<void> {
    const live = await this.#live(node);
    const owners = live?.metadata.ownerReferences ?? [];
    const left = owners.filter(({ uid }) => !from.has(uid));
    if (live !== undefined && left.length < owners.length)
      await this.#patch(live, node, { ownerReferences: left.length === 0 ? null : left });
  }

  async #dropFinalizer(node: GraphNode, finalizer: string): Promise<void> {
    const live = await this.#live(node);
    const finalizers = live?.metadata.finalizers ?? [];
    if (live !== undefined && finalizers.includes(finalizer))
      await this.#patch(live, node, { finalizers: finalizers.filter((one) => one !== finalizer) });
  }

  async #patch(live: KubeObject, { resource, namespace, name, uid }: GraphNode, metadata: Record<string, unknown>): Promise<void> {
    const body = { metadata: { uid, resourceVersion: live.metadata.resourceVersion, ...metadata } };
    await this.#context.client.of(resource).patch(namespace, name, { type: 'merge', body });
  }

  /** The object as it is now; undefined when another one of its name has taken its place. */
  async #live({ resource, namespace, name, uid }: GraphNode): Promise<KubeObject | undefined> {
    const live = await this.#context.client.of(resource).get(namespace, name);
    return live.metadata.uid === uid ? live : undefined;
  }
}

/** A deletion keeps to what the object's finalizers say already. */
function inherited({ metadata: { finalizers = [] } }: KubeObject): 'Orphan' | 'Foreground' | 'Background' {
  if (finalizers.includes(orphanFinalizer)) return 'Orphan';
  return finalizers.includes(foregroundFinalizer) ? 'Foreground' : 'Background';
}
