import { nodes, type Node } from '#apis/core/v1/node.ts';
import { pods, type Pod } from '#apis/core/v1/pod.ts';
import { schedulerName } from '#apis/dormouse/names.ts';
import { objectKey } from '#apis/meta/object.ts';
import { isReason } from '#apis/meta/status.ts';
import type { Informer } from '#client/informer-types.ts';
import { timestamp, withCondition } from '#controller/conditions.ts';
import { done, requeue, type ControllerContext, type ControllerModule, type Outcome } from '#controller/controller.ts';
import { isFinished } from '#cluster/pod-state.ts';
import { filters, preference } from '#cluster/scheduler/filters.ts';
import { add, allocatableOf, requestsOf, shortages } from '#cluster/scheduler/resources.ts';

const byNode = 'node';
const retryMs = 5000;

/** Pod without a node → binding to one that has room and that it may run on; else `FailedScheduling` and PodScheduled False. */
export const schedulerController: ControllerModule<Pod> = {
  name: schedulerName,
  setup(context, enqueue) {
    const podInformer = context.informers.of(pods);
    const nodeInformer = context.informers.of(nodes);
    podInformer.addIndex(byNode, (pod) => [pod.spec?.nodeName ?? '']);
    const wakeWaiting = () => {
      for (const pod of podInformer.byIndex(byNode, '')) enqueue.key(objectKey(pod));
    };
    // Room appears when a node changes or a pod ends.
    nodeInformer.on(({ type }) => {
      if (type !== 'deleted') wakeWaiting();
    });
    podInformer.on((event) => {
      if (event.type === 'deleted' || (event.type === 'updated' && isFinished(event.object) && !isFinished(event.old))) wakeWaiting();
    });
    const scheduler = new Scheduler(context, podInformer, nodeInformer);
    // One at a time: two decisions at once could take the same room.
    return {
      name: schedulerName,
      resource: pods,
      workers: 1,
      reconcile: (pod) => scheduler.schedule(pod),
      deleted: (key) => scheduler.forget(key),
    };
  },
};

class Scheduler {
  readonly #context: ControllerContext;
  readonly #pods: Informer<Pod>;
  readonly #nodes: Informer<Node>;
  /** Bound by us, not yet seen bound in the cache: pod key → node. */
  readonly #assumed = new Map<string, { node: string; pod: Pod }>();

  constructor(context: ControllerContext, podInformer: Informer<Pod>, nodeInformer: Informer<Node>) {
    this.#context = context;
    this.#pods = podInformer;
    this.#nodes = nodeInformer;
  }

  forget(key: string): void {
    this.#assumed.delete(key);
  }

  async schedule(pod: Pod): Promise<Outcome> {
    const key = objectKey(pod);
    if ((pod.spec?.nodeName ?? '') !== '') {
      this.#assumed.delete(key);
      return done;
    }
    if (this.#assumed.has(key) || pod.metadata.deletionTimestamp !== undefined || isFinished(pod)) return done;
    if ((pod.spec?.schedulerName ?? schedulerName) !== schedulerName || (pod.spec?.schedulingGates ?? []).length > 0) return done;
    const { chosen, reasons } = this.#choose(pod);
    if (chosen !== undefined) {
      await this.#bind(pod, key, chosen);
      return done;
    }
    this.#refuse(pod, reasons);
    return requeue(retryMs);
  }

  #choose(pod: Pod): { chosen: string | undefined; reasons: ReadonlyMap<string, number> } {
    const reasons = new Map<string, number>();
    const wanted = requestsOf(pod);
    let best: { name: string; score: number } | undefined;
    for (const node of this.#nodes.list()) {
      const used = this.#usedOn(node.metadata.name ?? '');
      const allocatable = allocatableOf(node);
      const refusal = filters.map((filter) => filter(pod, node)).find((reason) => reason !== undefined);
      const problems = refusal === undefined ? shortages(wanted, used, allocatable) : [refusal];
      for (const problem of problems) reasons.set(problem, (reasons.get(problem) ?? 0) + 1);
      if (problems.length > 0) continue;
      const cpuLeft = Number((allocatable.get('cpu') ?? 0n) - (used.get('cpu') ?? 0n)) / Number(allocatable.get('cpu') ?? 1n);
      const score = preference(pod.spec?.affinity, node) * 100 + cpuLeft * 50 - Number((used.get('pods') ?? 0n) / 1_000_000_000n);
      if (best === undefined || score > best.score) best = { name: node.metadata.name ?? '', score };
    }
    return { chosen: best?.name, reasons };
  }

  #usedOn(node: string): Map<string, bigint> {
    const used = new Map<string, bigint>();
    for (const pod of this.#pods.byIndex(byNode, node)) if (!isFinished(pod)) add(used, requestsOf(pod));
    for (const assumed of this.#assumed.values()) if (assumed.node === node) add(used, requestsOf(assumed.pod));
    return used;
  }

  async #bind(pod: Pod, key: string, node: string): Promise<void> {
    const { namespace = '', name = '', uid } = pod.metadata;
    const binding = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name, namespace, uid },
      target: { apiVersion: 'v1', kind: 'Node', name: node },
    };
    this.#assumed.set(key, { node, pod });
    try {
      await this.#context.client.of(pods).createSubresource(namespace, name, 'binding', binding);
      this.#context.events.event(pod, 'Normal', 'Scheduled', `Successfully assigned ${namespace}/${name} to ${node}`);
    } catch (error) {
      this.#assumed.delete(key);
      if (!isReason(error, 'NotFound') && !isReason(error, 'Conflict')) throw error;
    }
  }

  #refuse(pod: Pod, reasons: ReadonlyMap<string, number>): void {
    const total = this.#nodes.list().length;
    const detail = [...reasons]
      .map(([reason, count]) => `${count} ${reason}`)
      .toSorted()
      .join(', ');
    const message =
      total === 0
        ? 'no nodes available to schedule pods'
        : `0/${total} nodes are available: ${detail}. preemption: 0/${total} nodes are available: ${total} Preemption is not helpful for scheduling.`;
    const status = (pod.status ??= {});
    const before = status.conditions?.find(({ type }) => type === 'PodScheduled');
    status.conditions = withCondition(
      status.conditions,
      { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message },
      timestamp(this.#context.clock),
    );
    if (before?.message !== message) this.#context.events.event(pod, 'Warning', 'FailedScheduling', message);
  }
}
