import { pods, type Pod } from '#apis/core/v1/pod.ts';
import { replicaSets, type ReplicaSet } from '#apis/apps/v1/replica-set.ts';
import { objectKey } from '#apis/meta/object.ts';
import { isReason } from '#apis/meta/status.ts';
import type { Informer } from '#client/informer-types.ts';
import { timestamp, withCondition, withoutCondition } from '#controller/conditions.ts';
import { done, requeue, type ControllerContext, type ControllerModule, type Outcome } from '#controller/controller.ts';
import { childrenOf, controllerReference, enqueueOwner, indexByOwner, ownerKey } from '#controller/owner.ts';
import { Expectations } from '#cluster/expectations.ts';
import { isActive, isAvailable, isReady, readySinceMs } from '#apis/core/v1/pod-state.ts';
import { deletionOrder } from '#cluster/replica-set/pod-ranking.ts';

type Conditions = NonNullable<NonNullable<ReplicaSet['status']>['conditions']>;

/** Pods made or removed in one reconcile; more follow at once. Keeps one object from taking all of the API's attention. */
const burst = 500;

/** ReplicaSet → as many pods of its template as it asks for. */
export const replicaSetController: ControllerModule<ReplicaSet> = {
  name: 'replicaset-controller',
  setup(context, enqueue) {
    const informer = context.informers.of(pods);
    indexByOwner(informer);
    const expectations = new Expectations(context.clock);
    informer.on((event) => {
      const key = ownerKey(event.object, replicaSets);
      if (key === undefined) return;
      const uid = event.object.metadata.uid ?? '';
      if (event.type === 'added') expectations.seen(key, `+${uid}`);
      if (event.type === 'deleted' || event.object.metadata.deletionTimestamp !== undefined) expectations.seen(key, `-${uid}`);
    });
    enqueueOwner(informer, replicaSets, enqueue);
    const reconciler = new ReplicaSetReconciler(context, informer, expectations);
    return {
      resource: replicaSets,
      workers: 8,
      isUrgent: true,
      reconcile: (replicaSet) => reconciler.reconcile(replicaSet),
      deleted: (key) => expectations.forget(key),
    };
  },
};

class ReplicaSetReconciler {
  readonly #context: ControllerContext;
  readonly #pods: Informer<Pod>;
  readonly #expectations: Expectations;

  constructor(context: ControllerContext, informer: Informer<Pod>, expectations: Expectations) {
    this.#context = context;
    this.#pods = informer;
    this.#expectations = expectations;
  }

  async reconcile(replicaSet: ReplicaSet): Promise<Outcome> {
    const key = objectKey(replicaSet);
    const active = childrenOf(this.#pods, replicaSet).filter(isActive);
    let failure: Error | undefined;
    if (this.#expectations.met(key) && replicaSet.metadata.deletionTimestamp === undefined) {
      failure = await this.#manage(key, replicaSet, active).then(
        () => undefined,
        (error: unknown) => error as Error,
      );
    }
    const waitMs = this.#describe(replicaSet, active, failure);
    if (failure !== undefined) throw failure;
    return waitMs === undefined ? done : requeue(waitMs);
  }

  async #manage(key: string, replicaSet: ReplicaSet, active: readonly Pod[]): Promise<void> {
    const difference = (replicaSet.spec?.replicas ?? 1) - active.length;
    if (difference > 0) await this.#settle(Array.from({ length: Math.min(difference, burst) }, () => this.#createPod(key, replicaSet)));
    if (difference < 0) {
      const surplus = deletionOrder(active).slice(0, Math.min(-difference, burst));
      await this.#settle(surplus.map((pod) => this.#deletePod(key, replicaSet, pod)));
    }
  }

  /** All have been tried; the first failure is thrown. */
  async #settle(attempts: readonly Promise<void>[]): Promise<void> {
    const failed = (await Promise.allSettled(attempts)).find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  async #createPod(key: string, replicaSet: ReplicaSet): Promise<void> {
    const { name = '', namespace = '' } = replicaSet.metadata;
    const template = replicaSet.spec?.template;
    const pod = {
      metadata: {
        generateName: `${name}-`,
        namespace,
        labels: { ...template?.metadata?.labels },
        annotations: { ...template?.metadata?.annotations },
        ...(template?.metadata?.finalizers === undefined ? {} : { finalizers: template.metadata.finalizers }),
        ownerReferences: [controllerReference(replicaSet, replicaSets)],
      },
      spec: template?.spec,
    } as Pod;
    try {
      const created = await this.#context.client.of(pods).create(pod);
      // The watch may have been quicker than the answer.
      if (this.#pods.get(namespace, created.metadata.name ?? '') === undefined) this.#expectations.expect(key, `+${created.metadata.uid}`);
      this.#context.events.event(replicaSet, 'Normal', 'SuccessfulCreate', `Created pod: ${created.metadata.name}`);
    } catch (error) {
      this.#context.events.event(replicaSet, 'Warning', 'FailedCreate', `Error creating: ${(error as Error).message}`);
      throw error;
    }
  }

  async #deletePod(key: string, replicaSet: ReplicaSet, pod: Pod): Promise<void> {
    const { namespace, name = '', uid = '' } = pod.metadata;
    this.#expectations.expect(key, `-${uid}`);
    try {
      await this.#context.client.of(pods).delete(namespace, name, { preconditions: { uid } });
      this.#context.events.event(replicaSet, 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`);
    } catch (error) {
      this.#expectations.seen(key, `-${uid}`);
      if (isReason(error, 'NotFound')) return;
      this.#context.events.event(replicaSet, 'Warning', 'FailedDelete', `Error deleting: ${(error as Error).message}`);
      throw error;
    }
  }

  /**
   * The message stays that of the first failure: each names the pod that was not made, and a status that changed with every attempt would
   * bring the next one at once.
   */
  #conditions(conditions: Conditions, failure: Error | undefined): Conditions {
    if (failure === undefined) return withoutCondition(conditions, 'ReplicaFailure');
    const failed = { type: 'ReplicaFailure', status: 'True' as const, reason: 'FailedCreate', message: failure.message };
    const known = conditions.some(
      ({ type, status, reason }) => type === failed.type && status === failed.status && reason === failed.reason,
    );
    return known ? conditions : withCondition(conditions, failed, timestamp(this.#context.clock));
  }

  /** Sets the status; returns after how many milliseconds a pod becomes available, if that is what is waited for. */
  #describe(replicaSet: ReplicaSet, active: readonly Pod[], failure: Error | undefined): number | undefined {
    const nowMs = this.#context.clock.now();
    const minReadySeconds = replicaSet.spec?.minReadySeconds ?? 0;
    const templateLabels = Object.entries(replicaSet.spec?.template?.metadata?.labels ?? {});
    const ready = active.filter(isReady);
    const available = ready.filter((pod) => isAvailable(pod, minReadySeconds, nowMs));
    const status = (replicaSet.status ??= { replicas: 0 });
    status.replicas = active.length;
    status.fullyLabeledReplicas = active.filter((pod) =>
      templateLabels.every(([label, value]) => pod.metadata.labels?.[label] === value),
    ).length;
    status.readyReplicas = ready.length;
    status.availableReplicas = available.length;
    if (replicaSet.metadata.generation !== undefined) status.observedGeneration = replicaSet.metadata.generation;
    status.conditions = this.#conditions(status.conditions ?? [], failure);
    if (status.conditions.length === 0) delete status.conditions;
    const waiting = ready
      .filter((pod) => !available.includes(pod))
      .map((pod) => (readySinceMs(pod) ?? nowMs) + minReadySeconds * 1000 - nowMs);
    return waiting.length === 0 ? undefined : Math.max(50, Math.min(...waiting));
  }
}
