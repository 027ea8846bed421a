import type { Pod } from '#apis/core/v1/pod.ts';
import { replicaSets, type ReplicaSet } from '#apis/apps/v1/replica-set.ts';
import { OwnedPods, podFromTemplate } from '#cluster/owned-pods.ts';
import { timestamp, withCondition, withoutCondition } from '#controller/conditions.ts';
import { done, requeue, type ControllerModule, type Outcome } from '#controller/controller.ts';
import { isActive, isAvailable, isReady, nextAvailableMs } from '#apis/core/v1/pod-state.ts';
import { deletionOrder } from '#cluster/replica-set/pod-ranking.ts';
import { settleAll } from '#core/async.ts';
import type { Clock } from '#core/clock.ts';

type Conditions = NonNullable<NonNullable<ReplicaSet['status']>['conditions']>;

/** Pods made or removed in one reconcile; more follow at once. Keeps one object from taking all of the API's attention. */
const burst = 500;

/** ReplicaSet → as many pods of its template as it asks for. */
export const replicaSetController: ControllerModule<ReplicaSet> = {
  name: 'replicaset-controller',
  setup(context, enqueue) {
    const own = new OwnedPods(context, replicaSets, enqueue);
    const reconciler = new ReplicaSetReconciler(context.clock, own);
    return {
      resource: replicaSets,
      workers: 8,
      isUrgent: true,
      reconcile: (replicaSet) => reconciler.reconcile(replicaSet),
      deleted: (key) => own.forget(key),
    };
  },
};

class ReplicaSetReconciler {
  readonly #clock: Clock;
  readonly #pods: OwnedPods;

  constructor(clock: Clock, own: OwnedPods) {
    this.#clock = clock;
    this.#pods = own;
  }

  async reconcile(replicaSet: ReplicaSet): Promise<Outcome> {
    const active = this.#pods.of(replicaSet).filter(isActive);
    let failure: Error | undefined;
    if (this.#pods.isSettled(replicaSet) && replicaSet.metadata.deletionTimestamp === undefined) {
      failure = await this.#manage(replicaSet, active).then(
        () => undefined,
        (error: unknown) => error as Error,
      );
    }
    const waitMs = this.#describe(replicaSet, active, failure);
    if (failure !== undefined) throw failure;
    return waitMs === undefined ? done : requeue(Math.max(50, waitMs));
  }

  /** Adds to `active` what it makes: the status is to count it at once, and not with a write of its own. */
  async #manage(replicaSet: ReplicaSet, active: Pod[]): Promise<void> {
    const difference = (replicaSet.spec?.replicas ?? 1) - active.length;
    if (difference > 0) {
      const pod = podFromTemplate(replicaSet, replicaSets, replicaSet.spec?.template ?? {});
      const create = async () => active.push(await this.#pods.create(replicaSet, pod));
      await settleAll(Array.from({ length: Math.min(difference, burst) }, create));
    } else {
      const surplus = deletionOrder(active).slice(0, Math.min(-difference, burst));
      await settleAll(surplus.map((pod) => this.#pods.remove(replicaSet, pod)));
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
    return known ? conditions : withCondition(conditions, failed, timestamp(this.#clock));
  }

  /** Sets the status; returns after how many milliseconds a pod becomes available, if that is what is waited for. */
  #describe(replicaSet: ReplicaSet, active: readonly Pod[], failure: Error | undefined): number | undefined {
    const nowMs = this.#clock.now();
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
    return nextAvailableMs(ready, minReadySeconds, nowMs);
  }
}
