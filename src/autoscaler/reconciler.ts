import { deployments, type Deployment } from '#apis/apps/v1/deployment.ts';
import type { Metric, PodAutoscaler } from '#apis/autoscaling-internal/v1alpha1/pod-autoscaler.ts';
import { isReady, isTerminating } from '#apis/core/v1/pod-state.ts';
import { pods, type Pod } from '#apis/core/v1/pod.ts';
import { freezeAnnotation } from '#apis/dormouse/names.ts';
import { conditionOf } from '#apis/knative/status.ts';
import { objectKey } from '#apis/meta/object.ts';
import { ifThere, isReason } from '#apis/meta/status.ts';
import type { ServerlessService } from '#apis/networking/v1alpha1/serverless-service.ts';
import { labels } from '#apis/serving/names.ts';
import type { Informer } from '#client/informer-types.ts';
import { ensureChild, notOwnedRetryMs, NotOwnedError } from '#controller/children.ts';
import { timestamp, type ConditionManager } from '#controller/conditions.ts';
import type { ConfigStore } from '#controller/config-store.ts';
import { done, requeue, type ControllerContext, type Outcome } from '#controller/controller.ts';
import {
  activeForMs,
  activityOf,
  autoscalerConditions,
  isInitialized,
  markActive,
  noteServices,
  type Activity,
} from '#autoscaler/conditions.ts';
import { activators, excessBurstCapacity } from '#autoscaler/kpa.ts';
import { makeMetric, makeServerlessService } from '#autoscaler/resources.ts';
import type { Scalers } from '#autoscaler/scaler.ts';
import { scalingSpec, type ScalingSpec } from '#autoscaler/spec.ts';

export const podsOfRevision = 'revision-pods';
const activationSlackMs = 30_000;

export interface AutoscalerInformers {
  readonly deployments: Informer<Deployment>;
  readonly services: Informer<ServerlessService>;
  readonly metrics: Informer<Metric>;
  readonly pods: Informer<Pod>;
}

interface Plan {
  /** Replicas to write; undefined: leave them. */
  readonly replicas: number | undefined;
  /** What the status is about: wanted pods after bounds, −1 when nothing is known. */
  readonly want: number;
  readonly again: Outcome;
  readonly freeze: boolean;
}

/** PodAutoscaler → ServerlessService, Metric, and the scale of the revision's Deployment (serving.md §3.4). */
export class AutoscalerReconciler {
  readonly #context: ControllerContext;
  readonly #informers: AutoscalerInformers;
  readonly #config: ConfigStore;
  readonly #scalers: Scalers;

  constructor(context: ControllerContext, informers: AutoscalerInformers, config: ConfigStore, scalers: Scalers) {
    this.#context = context;
    this.#informers = informers;
    this.#config = config;
    this.#scalers = scalers;
  }

  /** From now on what is told of its load counts. */
  track(autoscaler: PodAutoscaler, spec = scalingSpec(autoscaler, this.#config.get('config-autoscaler'))): void {
    const key = objectKey(autoscaler);
    this.#scalers.ensure(key, spec, () => this.#readyPods(key));
  }

  async reconcile(autoscaler: PodAutoscaler): Promise<Outcome> {
    const status = (autoscaler.status ??= {});
    const manager = autoscalerConditions.manage(status, timestamp(this.#context.clock));
    const before = activityOf(autoscaler);
    manager.initialize();
    noteServices(status, undefined);
    if (autoscaler.metadata.generation !== undefined) status.observedGeneration = autoscaler.metadata.generation;
    const spec = scalingSpec(autoscaler, this.#config.get('config-autoscaler'));
    const key = objectKey(autoscaler);
    this.track(autoscaler, spec);
    const target = this.#informers.deployments.get(autoscaler.metadata.namespace, autoscaler.spec?.scaleTargetRef?.name ?? '');
    if (target === undefined) return done;
    const plan = this.#plan(autoscaler, key, spec, before);
    // First the pods: a request may be waiting for them.
    await Promise.all([this.#scale(target, plan), this.#freeze(key, plan.freeze)]);
    const owned = await this.#reconcileChildren(autoscaler, key, spec, plan, manager);
    this.#describe(autoscaler, key, spec, { plan, before, manager, target });
    return owned ? plan.again : requeue(notOwnedRetryMs);
  }

  #readyPods(key: string): number {
    return this.#informers.pods.byIndex(podsOfRevision, key).filter((pod) => isReady(pod) && !isTerminating(pod)).length;
  }

  /** Bounds, and the way to zero: idle for a stable window, then inactive, then (frozen or after the retention) gone. */
  #plan(autoscaler: PodAutoscaler, key: string, spec: ScalingSpec, before: Activity): Plan {
    const decided = this.#scalers.decision(key)?.desired ?? -1;
    const initialized = isInitialized(autoscaler);
    // One pod to start with is the Deployment's own beginning; as a bound it would keep a revision that never comes up.
    const starting = !initialized && spec.reachable && spec.initialScale > 1;
    const min = starting ? Math.max(spec.minScale, spec.initialScale) : spec.minScale;
    if (decided < 0 && before !== 'activating' && before !== 'unknown')
      return { replicas: undefined, want: -1, again: done, freeze: before === 'inactive' && spec.frozenRetentionMs !== undefined };
    if (decided < 0) return { replicas: undefined, want: -1, again: this.#deadlineCheck(autoscaler), freeze: false };
    const bounded = Math.max(min, spec.maxScale > 0 ? Math.min(decided, spec.maxScale) : decided);
    if (bounded > 0) return { replicas: bounded, want: bounded, again: done, freeze: false };
    return this.#toZero(autoscaler, spec, before);
  }

  #toZero(autoscaler: PodAutoscaler, spec: ScalingSpec, before: Activity): Plan {
    const forMs = activeForMs(autoscaler, this.#context.clock.now());
    const keepOne = (again: Outcome): Plan => ({ replicas: 1, want: 1, again, freeze: false });
    if (!spec.enableScaleToZero) return keepOne(done);
    if (before === 'activating' || (before === 'unknown' && spec.initialScale > 0)) {
      const deadlineMs = this.#config.get('config-deployment')['progress-deadline'] + activationSlackMs;
      return forMs >= deadlineMs
        ? { replicas: 0, want: 0, again: done, freeze: false }
        : { replicas: undefined, want: -1, again: requeue(deadlineMs - forMs), freeze: false };
    }
    if (before === 'active') {
      // Inactive first; the pods stay until the next look, with the new condition in place.
      if (forMs >= spec.stableWindowMs) return { replicas: undefined, want: 0, again: requeue(10), freeze: false };
      return keepOne(requeue(spec.stableWindowMs - forMs));
    }
    const frozen = spec.frozenRetentionMs !== undefined;
    const keepMs = spec.frozenRetentionMs ?? spec.retentionMs;
    // The gateway is in the path of every request already: nothing has to be rerouted before the last pod may go.
    if (forMs < keepMs) return { replicas: undefined, want: 0, again: requeue(keepMs - forMs), freeze: frozen };
    return { replicas: 0, want: 0, again: done, freeze: frozen };
  }

  #deadlineCheck(autoscaler: PodAutoscaler): Outcome {
    const deadlineMs = this.#config.get('config-deployment')['progress-deadline'] + activationSlackMs;
    return requeue(Math.max(1000, deadlineMs - activeForMs(autoscaler, this.#context.clock.now())));
  }

  async #scale(target: Deployment, { replicas }: Plan): Promise<void> {
    if (replicas === undefined || target.spec?.replicas === replicas) return;
    const { namespace, name = '' } = target.metadata;
    try {
      await this.#context.client
        .of(deployments)
        .patch(namespace, name, { type: 'merge', body: { spec: { replicas } } }, { subresource: 'scale' });
      this.#context.logger.info('scaled', { deployment: `${namespace}/${name}`, from: target.spec?.replicas ?? 1, to: replicas });
    } catch (error) {
      if (!isReason(error, 'NotFound')) throw error;
    }
  }

  async #freeze(key: string, wanted: boolean): Promise<void> {
    const own = this.#informers.pods.byIndex(podsOfRevision, key).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    const toChange = own.filter(
      (pod) => (pod.metadata.annotations?.[freezeAnnotation] === 'true') !== wanted && (wanted ? isReady(pod) : true),
    );
    await Promise.all(
      toChange.map(async ({ metadata: { namespace, name = '' } }) => {
        const body = { metadata: { annotations: { [freezeAnnotation]: wanted ? 'true' : null } } };
        await ifThere(this.#context.client.of(pods).patch(namespace, name, { type: 'merge', body }));
      }),
    );
  }

  /** False when a child's name is taken by a stranger. */
  async #reconcileChildren(
    autoscaler: PodAutoscaler,
    key: string,
    spec: ScalingSpec,
    plan: Plan,
    manager: ConditionManager,
  ): Promise<boolean> {
    const { client } = this.#context;
    const ready = this.#readyPods(key);
    const decision = this.#scalers.decision(key);
    const excess = decision?.excessBurstCapacity ?? excessBurstCapacity(spec, spec.initialScale, 0);
    const mode = plan.want > 0 && decision !== undefined && excess >= 0 ? 'Serve' : 'Proxy';
    const count = decision?.activators ?? activators(spec, ready);
    try {
      const [{ object: service }] = await Promise.all([
        ensureChild(client, this.#informers.services, autoscaler, makeServerlessService(autoscaler, mode, count)),
        ensureChild(client, this.#informers.metrics, autoscaler, makeMetric(autoscaler, spec)),
      ]);
      const status = (autoscaler.status ??= {});
      noteServices(status, service);
      const populated = conditionOf(service, 'Ready');
      // A service is there as soon as the gateway knows its name: it holds requests while there are no pods.
      if (service.status?.serviceName !== undefined) manager.markTrue('SKSReady');
      else manager.markUnknown('SKSReady', populated?.reason ?? 'NotReady', populated?.message ?? 'No Private Service Name');
      return true;
    } catch (error) {
      if (!(error instanceof NotOwnedError)) throw error;
      manager.markFalse(
        'SKSReady',
        'NotOwned',
        `There is an existing ${error.kind} ${JSON.stringify(error.childName)} that we do not own.`,
      );
      return false;
    }
  }

  #describe(
    autoscaler: PodAutoscaler,
    key: string,
    spec: ScalingSpec,
    { plan, before, manager, target }: { plan: Plan; before: Activity; manager: ConditionManager; target: Deployment },
  ): void {
    const status = (autoscaler.status ??= {});
    const ready = this.#readyPods(key);
    const initialized = isInitialized(autoscaler);
    markActive(manager, spec, { want: plan.want, ready, initialized, before });
    const enough = initialized ? Math.max(spec.minScale, 1) : Math.max(spec.minScale, spec.initialScale);
    if (!initialized && ready >= enough && (status.serviceName ?? '') !== '') manager.markTrue('ScaleTargetInitialized');
    const frozen = this.#informers.pods
      .byIndex(podsOfRevision, key)
      .some(({ metadata }) => metadata.annotations?.[freezeAnnotation] === 'true');
    status.actualScale = frozen || (plan.want === 0 && target.spec?.replicas === 0) ? 0 : ready;
    status.desiredScale = plan.want;
  }
}

/** `namespace/revision` of a pod, for the index. */
export function revisionKeyOf(pod: Pod): string[] {
  const revision = pod.metadata.labels?.[labels.revision];
  return revision === undefined ? [] : [`${pod.metadata.namespace}/${revision}`];
}
