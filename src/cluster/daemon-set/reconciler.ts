import { controllerRevisions } from '#apis/apps/v1/controller-revision.ts';
import { daemonSets, type DaemonSet } from '#apis/apps/v1/daemon-set.ts';
import { nodes, type Node } from '#apis/core/v1/node.ts';
import type { Pod } from '#apis/core/v1/pod.ts';
import { objectKey } from '#apis/meta/object.ts';
import type { Informer } from '#client/informer-types.ts';
import { OwnedPods } from '#cluster/owned-pods.ts';
import { done, requeue, type ControllerContext, type ControllerModule, type Outcome } from '#controller/controller.ts';
import { indexByOwner } from '#controller/owner.ts';
import { plan } from '#cluster/daemon-set/plan.ts';
import { nodeOf, podFor } from '#cluster/daemon-set/pods.ts';
import { isFinished, isReady, nextAvailableMs } from '#apis/core/v1/pod-state.ts';
import { History, revisionLabel } from '#cluster/revision-history.ts';
import { jsonEqual } from '#apis/meta/equal.ts';

/** A pod that ends as soon as it is made is not made again sooner. */
const failedWaitMs = 5000;

/** DaemonSet → one pod on every node that it fits. */
export const daemonSetController: ControllerModule<DaemonSet> = {
  name: 'daemonset-controller',
  setup(context, enqueue) {
    const nodeInformer = context.informers.of(nodes);
    const revisions = context.informers.of(controllerRevisions);
    indexByOwner(revisions);
    const own = new OwnedPods(context, daemonSets, enqueue);
    nodeInformer.on((event) => {
      // Nodes report every few seconds; only what decides about daemons counts.
      const same = event.type === 'updated' && jsonEqual(decisive(event.object), decisive(event.old));
      if (!same) enqueue.all();
    });
    const reconciler = new DaemonSetReconciler(context, nodeInformer, own, new History(daemonSets, context.client, revisions));
    return {
      resource: daemonSets,
      skipsTerminating: true,
      reconcile: (set) => reconciler.reconcile(set),
      deleted: (key) => own.forget(key),
    };
  },
};

function decisive({ metadata, spec }: Node): unknown {
  return { labels: metadata.labels ?? {}, taints: spec?.taints ?? [] };
}

class DaemonSetReconciler {
  readonly #context: ControllerContext;
  readonly #nodes: Informer<Node>;
  readonly #pods: OwnedPods;
  readonly #history: History;

  constructor(context: ControllerContext, nodeInformer: Informer<Node>, own: OwnedPods, history: History) {
    this.#context = context;
    this.#nodes = nodeInformer;
    this.#pods = own;
    this.#history = history;
  }

  async reconcile(set: DaemonSet): Promise<Outcome> {
    const nowMs = this.#context.clock.now();
    const name = await this.#history.update(set);
    const revision = name.slice((set.metadata.name ?? '').length + 1);
    const own = this.#pods.of(set);
    const { create, remove, status } = plan(set, this.#nodes.list(), own, revision, nowMs);
    set.status = status;
    if (!this.#pods.isSettled(set)) return done;
    const young = remove.filter((pod) => isFinished(pod) && failedWaitLeft(pod, nowMs) > 0);
    for (const node of create) await this.#pods.create(set, podFor(set, node, revision));
    for (const pod of remove) if (!young.includes(pod)) await this.#remove(set, pod);
    const inUse = own.map(({ metadata }) => `${set.metadata.name}-${metadata.labels?.[revisionLabel]}`);
    await this.#history.trim(set, new Set([name, ...inUse]));
    const waitMs = Math.min(
      ...young.map((pod) => failedWaitLeft(pod, nowMs)),
      nextAvailableMs(own.filter(isReady), set.spec.minReadySeconds, nowMs) ?? Infinity,
    );
    return waitMs === Infinity ? done : requeue(Math.max(50, waitMs));
  }

  async #remove(set: DaemonSet, pod: Pod): Promise<void> {
    if (pod.status?.phase === 'Failed') {
      const text = `Found failed daemon pod ${objectKey(pod)} on node ${nodeOf(pod)}, will try to kill it`;
      this.#context.events.event(set, 'Warning', 'FailedDaemonPod', text);
    }
    await this.#pods.remove(set, pod);
  }
}

function failedWaitLeft({ metadata }: Pod, nowMs: number): number {
  return Date.parse(metadata.creationTimestamp ?? '') + failedWaitMs - nowMs;
}
