import { leases, type Lease } from '#apis/coordination/v1/lease.ts';
import { nodes, type Node } from '#apis/core/v1/node.ts';
import { pods, type Pod } from '#apis/core/v1/pod.ts';
import { objectKey } from '#apis/meta/object.ts';
import { ifThere } from '#apis/meta/status.ts';
import { deleteObject } from '#client/delete-object.ts';
import type { Informer } from '#client/informer-types.ts';
import { timestamp, withCondition } from '#controller/conditions.ts';
import { done, requeue, type ControllerContext, type ControllerModule, type Outcome } from '#controller/controller.ts';
import { semanticEqual } from '#machinery/semantic-equality.ts';
import { isActive, isTerminating } from '#apis/core/v1/pod-state.ts';
import { evictionMs, graceMs, lastHeardMs, taintsOf } from '#cluster/node-lifecycle/health.ts';

const byNode = 'node';
const leaseNamespace = 'kube-node-lease';
const watched = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'] as const;

/** Node → Unknown when it is no longer heard of, taints that follow from its conditions, and the pods that these drive away. */
export const nodeLifecycleController: ControllerModule<Node> = {
  name: 'node-controller',
  setup(context, enqueue) {
    const podInformer = context.informers.of(pods);
    const leaseInformer = context.informers.of(leases, { namespace: leaseNamespace });
    podInformer.addIndex(byNode, (pod) => [pod.spec?.nodeName ?? '']);
    // A pod that comes to a tainted node has its own time there.
    podInformer.on((event) => {
      const bound = event.object.spec?.nodeName ?? '';
      if (bound === '' || event.type === 'deleted' || (event.type === 'updated' && event.old.spec?.nodeName === bound)) return;
      enqueue.key(bound);
    });
    const reconciler = new NodeReconciler(context, podInformer, leaseInformer);
    return {
      resource: nodes,
      workers: 1,
      reconcile: (node) => reconciler.reconcile(node),
    };
  },
};

class NodeReconciler {
  readonly #context: ControllerContext;
  readonly #pods: Informer<Pod>;
  readonly #leases: Informer<Lease>;
  /** While this process was away nobody could be heard: every node gets its time anew. */
  readonly #startedMs: number;

  constructor(context: ControllerContext, podInformer: Informer<Pod>, leaseInformer: Informer<Lease>) {
    this.#context = context;
    this.#pods = podInformer;
    this.#leases = leaseInformer;
    this.#startedMs = context.clock.now();
  }

  async reconcile(node: Node): Promise<Outcome> {
    const { name = '' } = node.metadata;
    const now = this.#context.clock.now();
    const heard = Math.max(this.#startedMs, lastHeardMs(node, this.#leases.get(leaseNamespace, name)));
    const leftMs = heard + graceMs - now;
    const wasReady = readiness(node);
    if (leftMs <= 0) this.#markUnknown(node);
    const isReady = readiness(node);
    if (wasReady === 'True' && isReady !== 'True')
      this.#context.events.event(node, 'Normal', 'NodeNotReady', `Node ${name} status is now: NodeNotReady`);
    const taints = taintsOf(node, timestamp(this.#context.clock));
    if (!semanticEqual(taints, node.spec?.taints ?? [])) await this.#taint(node, taints);
    const own = this.#pods.byIndex(byNode, name);
    if (isReady !== 'True') await Promise.all(own.map((pod) => this.#markPodNotReady(pod)));
    const dueMs = await this.#evict(own, taints, now);
    const waits = [...(leftMs > 0 ? [leftMs] : []), ...(dueMs === undefined ? [] : [dueMs - now])];
    return waits.length === 0 ? done : requeue(Math.max(100, Math.min(...waits)));
  }

  #markUnknown(node: Node): void {
    const status = (node.status ??= {});
    const conditions = status.conditions ?? [];
    for (const type of watched) {
      const old = conditions.find((condition) => condition.type === type);
      if (old?.status === 'Unknown') continue;
      const [reason, message] =
        old === undefined
          ? ['NodeStatusNeverUpdated', 'Kubelet never posted node status.']
          : ['NodeStatusUnknown', 'Kubelet stopped posting node status.'];
      status.conditions = withCondition(
        status.conditions,
        { ...old, type, status: 'Unknown', reason, message },
        timestamp(this.#context.clock),
      );
    }
  }

  async #taint(node: Node, taints: readonly unknown[]): Promise<void> {
    const { name = '', resourceVersion } = node.metadata;
    const body = { metadata: { resourceVersion }, spec: { taints: taints.length === 0 ? null : taints } };
    const patched = await this.#context.client.of(nodes).patch(undefined, name, { type: 'merge', body });
    // The status that follows is about what we have just written.
    if (patched.metadata.resourceVersion !== undefined) node.metadata.resourceVersion = patched.metadata.resourceVersion;
  }

  /** Nobody is there to say that the pod is not ready; endpoints must stop naming it. */
  async #markPodNotReady(pod: Pod): Promise<void> {
    const ready = pod.status?.conditions?.find(({ type }) => type === 'Ready');
    if (ready?.status !== 'True') return;
    const { namespace, name = '', resourceVersion } = pod.metadata;
    const conditions = withCondition(pod.status?.conditions, { ...ready, status: 'False' }, timestamp(this.#context.clock));
    const body = { metadata: { resourceVersion }, status: { conditions } };
    await ifThere(this.#context.client.of(pods).patch(namespace, name, { type: 'merge', body }, { subresource: 'status' }));
    this.#context.events.event(pod, 'Warning', 'NodeNotReady', 'Node is not ready');
  }

  /** Deletes the pods whose time on the node is over; returns when the next one's is. */
  async #evict(own: readonly Pod[], taints: Parameters<typeof evictionMs>[1], now: number): Promise<number | undefined> {
    let next: number | undefined;
    for (const pod of own) {
      if (!isActive(pod) || isTerminating(pod)) continue;
      const due = evictionMs(pod, taints, now);
      if (due === undefined) continue;
      if (due > now) {
        next = Math.min(next ?? Infinity, due);
        continue;
      }
      this.#context.events.event(pod, 'Normal', 'TaintManagerEviction', `Marking for deletion Pod ${objectKey(pod)}`);
      await deleteObject(this.#context.client.of(pods), pod);
    }
    return next;
  }
}

const readiness = (node: Node) => node.status?.conditions?.find(({ type }) => type === 'Ready')?.status ?? 'Unknown';
