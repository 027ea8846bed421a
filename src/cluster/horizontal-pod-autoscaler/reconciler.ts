import type { CustomResourceDefinition } from '#apis/apiextensions/v1/custom-resource-definition.ts';
import { customResourceDefinitions } from '#apis/apiextensions/v1/custom-resource-definition.ts';
import type { Scale } from '#apis/autoscaling/v1/scale.ts';
import { horizontalPodAutoscalers, type HorizontalPodAutoscaler } from '#apis/autoscaling/v2/horizontal-pod-autoscaler.ts';
import { pods, type Pod } from '#apis/core/v1/pod.ts';
import { resourceOf, type Resource } from '#apis/definition.ts';
import { matchesLabels } from '#apis/meta/label-selector.ts';
import { objectKey } from '#apis/meta/object.ts';
import { usageKinds, type PodMetrics } from '#apis/metrics/v1beta1/usage.ts';
import type { Informer } from '#client/informer-types.ts';
import { timestamp, withCondition, type ConditionStatus } from '#controller/conditions.ts';
import { requeue, type ControllerContext, type ControllerModule, type EventRecorder, type Outcome } from '#controller/controller.ts';
import { errorText } from '#core/errors.ts';
import { normalize, remember, type Decision, type History } from '#cluster/horizontal-pod-autoscaler/behavior.ts';
import { evaluate, InvalidMetric, type Evaluation, type Surroundings } from '#cluster/horizontal-pod-autoscaler/metric.ts';
import { customResource, definedResources } from '#cluster/served-kinds.ts';
import { parseLabelSelector } from '#machinery/selectors.ts';

/** How often each autoscaler is looked at, as kube-controller-manager does. */
const periodMs = 15_000;
const podMetrics = resourceOf(usageKinds[1]) as Resource<PodMetrics>;

/** HorizontalPodAutoscaler → the scale of its target, from what the kubelets say its pods use. */
export const horizontalPodAutoscalerController: ControllerModule<HorizontalPodAutoscaler> = {
  name: 'horizontal-pod-autoscaler',
  setup(context) {
    const reconciler = new Reconciler(context, context.informers.of(pods), context.informers.of(customResourceDefinitions));
    return {
      resource: horizontalPodAutoscalers,
      skipsTerminating: true,
      reconcile: (autoscaler) => reconciler.reconcile(autoscaler),
      deleted: (key) => reconciler.forget(key),
    };
  },
};

interface Target {
  readonly resource: Resource;
  readonly scale: Scale;
  readonly pods: readonly Pod[];
}

/** What the metrics say together: the largest of their proposals. */
interface Verdict {
  readonly replicas: number;
  readonly name: string;
  readonly statuses: readonly Evaluation['status'][];
}

class Reconciler {
  readonly #context: ControllerContext;
  readonly #events: EventRecorder;
  readonly #pods: Informer<Pod>;
  readonly #definitions: Informer<CustomResourceDefinition>;
  readonly #histories = new Map<string, History>();
  /** When each was looked at last, and by which spec: its own status' changes are no reason to look again. */
  readonly #looked = new Map<string, { readonly atMs: number; readonly spec: string }>();

  constructor(context: ControllerContext, podInformer: Informer<Pod>, definitions: Informer<CustomResourceDefinition>) {
    this.#context = context;
    this.#events = context.events.as('horizontal-pod-autoscaler');
    this.#pods = podInformer;
    this.#definitions = definitions;
  }

  forget(key: string): void {
    this.#histories.delete(key);
    this.#looked.delete(key);
  }

  async reconcile(autoscaler: HorizontalPodAutoscaler): Promise<Outcome> {
    const waitMs = this.#waitMs(objectKey(autoscaler), JSON.stringify(autoscaler.spec));
    if (waitMs > 0) return requeue(waitMs);
    const status = (autoscaler.status ??= { desiredReplicas: 0 });
    if (autoscaler.metadata.generation !== undefined) status.observedGeneration = autoscaler.metadata.generation;
    const target = await this.#target(autoscaler);
    if (target !== undefined) await this.#adjust(autoscaler, target);
    return requeue(periodMs);
  }

  #waitMs(key: string, spec: string): number {
    const nowMs = this.#context.clock.monotonic();
    const last = this.#looked.get(key);
    if (last !== undefined && last.spec === spec && nowMs < last.atMs + periodMs) return last.atMs + periodMs - nowMs;
    this.#looked.set(key, { atMs: nowMs, spec });
    return 0;
  }

  async #target(autoscaler: HorizontalPodAutoscaler): Promise<Target | undefined> {
    const { namespace } = autoscaler.metadata;
    const { name } = autoscaler.spec.scaleTargetRef;
    try {
      const resource = this.#resourceOf(autoscaler);
      const scale = (await this.#context.client.of(resource).get(namespace, name, 'scale')) as Scale;
      this.#say(autoscaler, 'AbleToScale', 'True', 'SucceededGetScale', "the HPA controller was able to get the target's current scale");
      const selector = parseLabelSelector(scale.status?.selector ?? '');
      const own = this.#pods.list(namespace).filter(({ metadata }) => matchesLabels(selector, metadata.labels));
      return { resource, scale, pods: own };
    } catch (error) {
      const text = errorText(error);
      this.#events.event(autoscaler, 'Warning', 'FailedGetScale', text);
      this.#say(
        autoscaler,
        'AbleToScale',
        'False',
        'FailedGetScale',
        `the HPA controller was unable to get the target's current scale: ${text}`,
      );
      return undefined;
    }
  }

  #resourceOf({ spec }: HorizontalPodAutoscaler): Resource {
    const { kind, apiVersion = '' } = spec.scaleTargetRef;
    const slash = apiVersion.indexOf('/');
    const group = slash < 0 ? '' : apiVersion.slice(0, slash);
    const custom = this.#definitions.list().flatMap((definition) => customResource(definition) ?? []);
    const found = [...definedResources, ...custom].find((one) => one.kind === kind && one.group === group);
    if (found === undefined) throw new Error(`no matches for kind "${kind}" in group "${group}"`);
    return found;
  }

  async #adjust(autoscaler: HorizontalPodAutoscaler, target: Target): Promise<void> {
    const { spec, metadata } = autoscaler;
    const status = (autoscaler.status ??= { desiredReplicas: 0 });
    const current = target.scale.spec?.replicas ?? 0;
    status.currentReplicas = target.scale.status?.replicas ?? 0;
    const { minReplicas = 1, maxReplicas } = spec;
    if (current === 0 && minReplicas !== 0) {
      status.desiredReplicas = 0;
      const message = 'scaling is disabled since the replica count of the target is zero';
      return this.#say(autoscaler, 'ScalingActive', 'False', 'ScalingDisabled', message);
    }
    if (current > maxReplicas) return this.#scale(autoscaler, target, maxReplicas, 'Current number of replicas above Spec.MaxReplicas');
    if (current < minReplicas) return this.#scale(autoscaler, target, minReplicas, 'Current number of replicas below Spec.MinReplicas');
    const verdict = await this.#judge(autoscaler, target, current);
    if (verdict === undefined) {
      status.desiredReplicas = current;
      return;
    }
    status.currentMetrics = [...verdict.statuses];
    const history = this.#history(objectKey(autoscaler));
    const decision = normalize(spec, current, verdict.replicas, history, this.#context.clock.now());
    this.#describe(autoscaler, decision);
    const why = decision.replicas > current ? `${verdict.name} above target` : 'All metrics below target';
    status.desiredReplicas = decision.replicas;
    if (decision.replicas !== current) await this.#scale(autoscaler, target, decision.replicas, why);
    else this.#context.logger.debug('autoscaler leaves its target', { name: metadata.name, replicas: current });
  }

  #history(key: string): History {
    const known = this.#histories.get(key);
    if (known !== undefined) return known;
    const made: History = { recommendations: [], ups: [], downs: [] };
    this.#histories.set(key, made);
    return made;
  }

  /** Undefined when the metrics do not suffice for a decision. */
  async #judge(autoscaler: HorizontalPodAutoscaler, target: Target, current: number): Promise<Verdict | undefined> {
    const specs = autoscaler.spec.metrics ?? [];
    const around = this.#surroundings(autoscaler, target, current);
    const evaluations: Evaluation[] = [];
    const invalid: InvalidMetric[] = [];
    for (const metric of specs) {
      try {
        evaluations.push(await evaluate(metric, around));
      } catch (error) {
        if (!(error instanceof InvalidMetric)) throw error;
        this.#events.event(autoscaler, 'Warning', error.reason, error.message);
        invalid.push(error);
      }
    }
    const [first] = invalid;
    const best = evaluations.toSorted((a, b) => b.replicas - a.replicas)[0];
    // What one metric does not tell may be the reason to stay large.
    if (first !== undefined && (best === undefined || best.replicas < current)) {
      const text = `invalid metrics (${invalid.length} invalid out of ${specs.length}), first error is: ${first.what}: ${first.message}`;
      this.#events.event(autoscaler, 'Warning', 'FailedComputeMetricsReplicas', text);
      this.#say(autoscaler, 'ScalingActive', 'False', first.reason, `the HPA was unable to compute the replica count: ${first.message}`);
      return undefined;
    }
    if (best === undefined) return undefined;
    const message = `the HPA was able to successfully calculate a replica count from ${best.name}`;
    this.#say(autoscaler, 'ScalingActive', 'True', 'ValidMetricFound', message);
    return { replicas: best.replicas, name: best.name, statuses: evaluations.map(({ status }) => status) };
  }

  #surroundings({ spec, metadata }: HorizontalPodAutoscaler, target: Target, current: number): Surroundings {
    let asked: Promise<readonly PodMetrics[]> | undefined;
    const labelSelector = target.scale.status?.selector ?? '';
    const list = async () => (await this.#context.client.of(podMetrics).list({ namespace: metadata.namespace, labelSelector })).items;
    return { spec, current, pods: target.pods, metrics: () => (asked ??= list()), nowMs: this.#context.clock.now() };
  }

  async #scale(autoscaler: HorizontalPodAutoscaler, { resource, scale }: Target, replicas: number, why: string): Promise<void> {
    const { namespace } = autoscaler.metadata;
    const status = (autoscaler.status ??= { desiredReplicas: 0 });
    const before = scale.spec?.replicas ?? 0;
    status.desiredReplicas = replicas;
    try {
      const patch = { type: 'merge', body: { spec: { replicas } } } as const;
      await this.#context.client.of(resource).patch(namespace, autoscaler.spec.scaleTargetRef.name, patch, { subresource: 'scale' });
    } catch (error) {
      const text = errorText(error);
      status.desiredReplicas = before;
      this.#events.event(autoscaler, 'Warning', 'FailedRescale', `New size: ${replicas}; reason: ${why}; error: ${text}`);
      this.#say(
        autoscaler,
        'AbleToScale',
        'False',
        'FailedUpdateScale',
        `the HPA controller was unable to update the target scale: ${text}`,
      );
      throw error;
    }
    const { clock } = this.#context;
    remember(autoscaler.spec, this.#history(objectKey(autoscaler)), before, replicas, clock.now());
    status.lastScaleTime = timestamp(clock);
    this.#events.event(autoscaler, 'Normal', 'SuccessfulRescale', `New size: ${replicas}; reason: ${why}`);
    const message = `the HPA controller was able to update the target scale to ${replicas}`;
    this.#say(autoscaler, 'AbleToScale', 'True', 'SucceededRescale', message);
  }

  #describe(autoscaler: HorizontalPodAutoscaler, { able, limited }: Decision): void {
    this.#say(autoscaler, 'AbleToScale', 'True', able.reason, able.message);
    this.#say(autoscaler, 'ScalingLimited', limited.status, limited.reason, limited.message);
  }

  #say(autoscaler: HorizontalPodAutoscaler, type: string, status: ConditionStatus, reason: string, message: string): void {
    const own = (autoscaler.status ??= { desiredReplicas: 0 });
    own.conditions = withCondition(own.conditions, { type, status, reason, message }, timestamp(this.#context.clock));
  }
}
