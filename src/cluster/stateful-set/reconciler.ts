import { controllerRevisions } from '#apis/apps/v1/controller-revision.ts';
import { statefulSets, type StatefulSet, type StatefulSetStatus } from '#apis/apps/v1/stateful-set.ts';
import { persistentVolumeClaims, type PersistentVolumeClaim } from '#apis/core/v1/persistent-volume-claim.ts';
import { pods, type Pod } from '#apis/core/v1/pod.ts';
import { isReason } from '#apis/meta/status.ts';
import { deleteObject } from '#client/delete-object.ts';
import type { Informer } from '#client/informer-types.ts';
import { done, requeue, type ControllerContext, type ControllerModule, type Outcome } from '#controller/controller.ts';
import { childrenOf, indexByOwner, trackChildren } from '#controller/owner.ts';
import { isAvailable, isTerminating, nextAvailableMs } from '#apis/core/v1/pod-state.ts';
import { isHealthy, planStep, revisionOf, type Revisions } from '#cluster/stateful-set/plan.ts';
import { ownersOfClaim } from '#cluster/stateful-set/claim-retention.ts';
import { claimsOf, ordinalOf, podName, podOf } from '#cluster/stateful-set/pods.ts';
import { History } from '#cluster/revision-history.ts';

/** StatefulSet → pods with lasting names and claims, made, removed and updated in order. */
export const statefulSetController: ControllerModule<StatefulSet> = {
  name: 'statefulset-controller',
  setup(context, enqueue) {
    const informer = context.informers.of(pods);
    const revisions = context.informers.of(controllerRevisions);
    trackChildren(informer, statefulSets, enqueue);
    indexByOwner(revisions);
    const reconciler = new StatefulSetReconciler(
      context,
      informer,
      context.informers.of(persistentVolumeClaims),
      new History(statefulSets, context.client, revisions),
    );
    return {
      resource: statefulSets,
      skipsTerminating: true,
      reconcile: (set) => reconciler.reconcile(set),
    };
  },
};

class StatefulSetReconciler {
  readonly #context: ControllerContext;
  readonly #pods: Informer<Pod>;
  readonly #claims: Informer<PersistentVolumeClaim>;
  readonly #history: History;

  constructor(context: ControllerContext, informer: Informer<Pod>, claims: Informer<PersistentVolumeClaim>, history: History) {
    this.#context = context;
    this.#pods = informer;
    this.#claims = claims;
    this.#history = history;
  }

  async reconcile(set: StatefulSet): Promise<Outcome> {
    const update = await this.#history.update(set);
    const revisions = { current: set.status?.currentRevision ?? update, update };
    const own = childrenOf(this.#pods, set);
    const nowMs = this.#context.clock.now();
    set.status = statusOf(set, own, revisions, nowMs);
    const { create, remove } = planStep(set, own, revisions, nowMs);
    for (const pod of own) await this.#ownClaims(set, pod);
    for (const { ordinal, revision } of create) await this.#create(set, ordinal, revision);
    for (const pod of remove) await this.#remove(set, pod);
    await this.#history.trim(set, new Set([set.status.currentRevision ?? '', update, revisions.current, ...own.map(revisionOf)]));
    const waitMs = nextAvailableMs(own.filter(isHealthy), set.spec.minReadySeconds, nowMs);
    return waitMs === undefined ? done : requeue(Math.max(50, waitMs));
  }

  async #create(set: StatefulSet, ordinal: number, revision: string): Promise<void> {
    const name = podName(set, ordinal);
    try {
      for (const claim of claimsOf(set, ordinal)) await this.#createClaim(set, claim, name);
      await this.#context.client.of(pods).create(podOf(set, this.#history.template(set, revision), ordinal, revision));
    } catch (error) {
      // The cache is late: the pod shows, and with it this comes again.
      if (isReason(error, 'AlreadyExists')) return;
      this.#say(
        set,
        'Warning',
        'FailedCreate',
        `create Pod ${name} in StatefulSet ${set.metadata.name} failed error: ${(error as Error).message}`,
      );
      throw error;
    }
    this.#say(set, 'Normal', 'SuccessfulCreate', `create Pod ${name} in StatefulSet ${set.metadata.name} successful`);
  }

  async #createClaim(set: StatefulSet, claim: ReturnType<typeof claimsOf>[number], pod: string): Promise<void> {
    try {
      await this.#context.client.of(persistentVolumeClaims).create(claim);
    } catch (error) {
      if (isReason(error, 'AlreadyExists')) return;
      throw error;
    }
    const text = `create Claim ${claim.metadata.name} Pod ${pod} in StatefulSet ${set.metadata.name} success`;
    this.#say(set, 'Normal', 'SuccessfulCreate', text);
  }

  /** Before a pod that is one too many goes: its claims may have to follow it. */
  async #ownClaims(set: StatefulSet, pod: Pod): Promise<void> {
    for (const { metadata } of claimsOf(set, ordinalOf(set, pod) ?? 0)) {
      const claim = this.#claims.get(metadata.namespace, metadata.name ?? '');
      const ownerReferences = claim === undefined ? undefined : ownersOfClaim(set, pod, claim);
      if (claim === undefined || ownerReferences === undefined) continue;
      const body = { metadata: { resourceVersion: claim.metadata.resourceVersion, ownerReferences } };
      await this.#context.client.of(persistentVolumeClaims).patch(metadata.namespace, metadata.name ?? '', { type: 'merge', body });
    }
  }

  async #remove(set: StatefulSet, pod: Pod): Promise<void> {
    const { name } = pod.metadata;
    try {
      if (!(await deleteObject(this.#context.client.of(pods), pod))) return;
    } catch (error) {
      this.#say(
        set,
        'Warning',
        'FailedDelete',
        `delete Pod ${name} in StatefulSet ${set.metadata.name} failed error: ${(error as Error).message}`,
      );
      throw error;
    }
    this.#say(set, 'Normal', 'SuccessfulDelete', `delete Pod ${name} in StatefulSet ${set.metadata.name} successful`);
  }

  #say(set: StatefulSet, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#context.events.event(set, type, reason, message);
  }
}

/** An update is complete, and its revision the current one, once every pod has it and is ready. */
function statusOf(set: StatefulSet, own: readonly Pod[], { current, update }: Revisions, nowMs: number): StatefulSetStatus {
  const staying = own.filter((pod) => !isTerminating(pod));
  const ready = own.filter(isHealthy);
  const updated = staying.filter((pod) => revisionOf(pod) === update).length;
  const replicas = set.spec.replicas ?? 1;
  const isComplete =
    set.spec.updateStrategy?.type !== 'OnDelete' && updated === replicas && ready.length === replicas && own.length === replicas;
  const currentRevision = isComplete ? update : current;
  return {
    ...set.status,
    ...(set.metadata.generation === undefined ? {} : { observedGeneration: set.metadata.generation }),
    replicas: own.length,
    readyReplicas: ready.length,
    availableReplicas: ready.filter((pod) => isAvailable(pod, set.spec.minReadySeconds ?? 0, nowMs)).length,
    currentReplicas: staying.filter((pod) => revisionOf(pod) === currentRevision).length,
    updatedReplicas: updated,
    currentRevision,
    updateRevision: update,
    collisionCount: set.status?.collisionCount ?? 0,
  };
}
