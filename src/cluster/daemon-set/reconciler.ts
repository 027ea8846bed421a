import { controllerRevisions } from '#apis/apps/v1/controller-revision.ts';
import { daemonSets, type DaemonSet } from '#apis/apps/v1/daemon-set.ts';
import { nodes, type Node } from '#apis/core/v1/node.ts';
import { pods, type Pod } from '#apis/core/v1/pod.ts';
import { objectKey } from '#apis/meta/object.ts';
import { isReason } from '#apis/meta/status.ts';
import type { Informer } from '#client/informer-types.ts';
import { done, requeue, type ControllerContext, type ControllerModule, type Outcome } from '#controller/controller.ts';
import { childrenOf, enqueueOwner, indexByOwner, ownerKey } from '#controller/owner.ts';
import { plan } from '#cluster/daemon-set/plan.ts';
import { nodeOf, podFor } from '#cluster/daemon-set/pods.ts';
import { Expectations } from '#cluster/expectations.ts';
import { isAvailable, isFinished, isReady, readySinceMs } from '#apis/core/v1/pod-state.ts';
import { History, revisionLabel } from '#cluster/revision-history.ts';
import { jsonEqual } from '#machinery/deep.ts';

/** A pod that ends as soon as it is made is not made again sooner. */
const failedWaitMs = 5000;

/** DaemonSet → one pod on every node that it fits. */
export const daemonSetController: ControllerModule<DaemonSet> = {
  name: 'daemonset-controller',
  setup(context, enqueue) {
    const { informers, clock } = context;
    const sources = { nodes: informers.of(nodes), pods: informers.of(pods), expectations: new Expectations(clock) };
    const revisions = informers.of(controllerRevisions);
    indexByOwner(sources.pods);
    indexByOwner(revisions);
    sources.pods.on(({ type, object }) => {
      const key = ownerKey(object, daemonSets);
      if (key === undefined) return;
      if (type === 'added') sources.expectations.seen(key, `+${object.metadata.uid}`);
      if (type === 'deleted' || object.metadata.deletionTimestamp !== undefined) sources.expectations.seen(key, `-${object.metadata.uid}`);
    });
    enqueueOwner(sources.pods, daemonSets, enqueue);
    sources.nodes.on((event) => {
      // Nodes report every few seconds; only what decides about daemons counts.
      const same = event.type === 'updated' && jsonEqual(decisive(event.object), decisive(event.old));
      if (!same) enqueue.all();
    });
    const reconciler = new DaemonSetReconciler(context, sources, new History(daemonSets, context.client, revisions));
    return {
      resource: daemonSets,
      skipsTerminating: true,
      reconcile: (set) => reconciler.reconcile(set),
      deleted: (key) => sources.expectations.forget(key),
    };
  },
};

function decisive({ metadata, spec }: Node): unknown {
  return { labels: metadata.labels ?? {}, taints: spec?.taints ?? [] };
}

interface Sources {
  readonly nodes: Informer<Node>;
  readonly pods: Informer<Pod>;
  readonly expectations: Expectations;
}

class DaemonSetReconciler {
  readonly #context: ControllerContext;
  readonly #sources: Sources;
  readonly #history: History;

  constructor(context: ControllerContext, sources: Sources, history: History) {
    this.#context = context;
    this.#sources = sources;
    this.#history = history;
  }

  async reconcile(set: DaemonSet): Promise<Outcome> {
    const key = objectKey(set);
    const nowMs = this.#context.clock.now();
    const name = await this.#history.update(set);
    const revision = name.slice((set.metadata.name ?? '').length + 1);
    const own = childrenOf(this.#sources.pods, set);
    const { create, remove, status } = plan(set, this.#sources.nodes.list(), own, revision, nowMs);
    set.status = status;
    if (!this.#sources.expectations.met(key)) return done;
    const young = remove.filter((pod) => isFinished(pod) && failedWaitLeft(pod, nowMs) > 0);
    for (const node of create) await this.#create(key, set, node, revision);
    for (const pod of remove) if (!young.includes(pod)) await this.#remove(key, set, pod);
    const inUse = own.map(({ metadata }) => `${set.metadata.name}-${metadata.labels?.[revisionLabel]}`);
    await this.#history.trim(set, new Set([name, ...inUse]));
    const waits = [...young.map((pod) => failedWaitLeft(pod, nowMs)), ...availabilityWaits(set, own, nowMs)];
    return waits.length === 0 ? done : requeue(Math.max(50, Math.min(...waits)));
  }

  async #create(key: string, set: DaemonSet, node: string, revision: string): Promise<void> {
    try {
      const { metadata } = await this.#context.client.of(pods).create(podFor(set, node, revision));
      const shows = this.#sources.pods.get(metadata.namespace, metadata.name ?? '') !== undefined;
      if (!shows) this.#sources.expectations.expect(key, `+${metadata.uid}`);
      this.#context.events.event(set, 'Normal', 'SuccessfulCreate', `Created pod: ${metadata.name}`);
    } catch (error) {
      this.#context.events.event(set, 'Warning', 'FailedCreate', `Error creating: ${(error as Error).message}`);
      throw error;
    }
  }

  async #remove(key: string, set: DaemonSet, pod: Pod): Promise<void> {
    const { namespace, name = '', uid = '' } = pod.metadata;
    if (pod.status?.phase === 'Failed') {
      const text = `Found failed daemon pod ${namespace}/${name} on node ${nodeOf(pod)}, will try to kill it`;
      this.#context.events.event(set, 'Warning', 'FailedDaemonPod', text);
    }
    this.#sources.expectations.expect(key, `-${uid}`);
    try {
      await this.#context.client.of(pods).delete(namespace, name, { preconditions: { uid } });
      this.#context.events.event(set, 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`);
    } catch (error) {
      this.#sources.expectations.seen(key, `-${uid}`);
      if (isReason(error, 'NotFound')) return;
      this.#context.events.event(set, 'Warning', 'FailedDelete', `Error deleting: ${(error as Error).message}`);
      throw error;
    }
  }
}

function failedWaitLeft({ metadata }: Pod, nowMs: number): number {
  return Date.parse(metadata.creationTimestamp ?? '') + failedWaitMs - nowMs;
}

function availabilityWaits({ spec }: DaemonSet, own: readonly Pod[], nowMs: number): number[] {
  const seconds = spec.minReadySeconds ?? 0;
  return own
    .filter((pod) => isReady(pod) && !isAvailable(pod, seconds, nowMs))
    .map((pod) => (readySinceMs(pod) ?? nowMs) + seconds * 1000 - nowMs);
}
