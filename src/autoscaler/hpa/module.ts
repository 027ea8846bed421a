import { classOf, podAutoscalers, type PodAutoscaler } from '#apis/autoscaling-internal/v1alpha1/pod-autoscaler.ts';
import { horizontalPodAutoscalers, type HorizontalPodAutoscaler } from '#apis/autoscaling/v2/horizontal-pod-autoscaler.ts';
import { conditionOf } from '#apis/knative/status.ts';
import { ifThere } from '#apis/meta/status.ts';
import { serverlessServices, type ServerlessService } from '#apis/networking/v1alpha1/serverless-service.ts';
import { autoscalingAnnotation, hpaClass } from '#apis/serving/validation/annotations.ts';
import type { Informer } from '#client/informer-types.ts';
import { ensureChild, notOwnedRetryMs, NotOwnedError } from '#controller/children.ts';
import { timestamp } from '#controller/conditions.ts';
import { ConfigStore } from '#controller/config-store.ts';
import { done, requeue, type ControllerContext, type ControllerModule, type Outcome } from '#controller/controller.ts';
import { enqueueOwner, isControlledBy } from '#controller/owner.ts';
import { autoscalerConditions, isInitialized, noteServices } from '#autoscaler/conditions.ts';
import { makeHorizontalPodAutoscaler, scaleBounds } from '#autoscaler/hpa/resources.ts';
import { makeServerlessService } from '#autoscaler/resources.ts';

/** PodAutoscalers of class hpa → a HorizontalPodAutoscaler, which scales by CPU, memory or another metric, never to zero. */
export const hpaController: ControllerModule<PodAutoscaler> = {
  name: 'hpa-controller',
  setup(context, enqueue) {
    const autoscalers = context.informers.of(horizontalPodAutoscalers);
    const services = context.informers.of(serverlessServices);
    enqueueOwner(autoscalers, podAutoscalers, enqueue);
    enqueueOwner(services, podAutoscalers, enqueue);
    const config = new ConfigStore(context);
    config.onChange(['config-autoscaler'], () => enqueue.all());
    const reconciler = new HpaReconciler(context, autoscalers, services, config);
    return {
      resource: podAutoscalers,
      skipsTerminating: true,
      reconcile: (autoscaler) => (isHpa(autoscaler) ? reconciler.reconcile(autoscaler) : reconciler.letGo(autoscaler)),
    };
  },
};

/** Whether Kubernetes' own autoscaler scales this revision, and not Knative's. */
function isHpa(autoscaler: PodAutoscaler): boolean {
  return classOf(autoscaler) === hpaClass;
}

class HpaReconciler {
  readonly #context: ControllerContext;
  readonly #autoscalers: Informer<HorizontalPodAutoscaler>;
  readonly #services: Informer<ServerlessService>;
  readonly #config: ConfigStore;

  constructor(
    context: ControllerContext,
    autoscalers: Informer<HorizontalPodAutoscaler>,
    services: Informer<ServerlessService>,
    config: ConfigStore,
  ) {
    this.#context = context;
    this.#autoscalers = autoscalers;
    this.#services = services;
    this.#config = config;
  }

  async reconcile(autoscaler: PodAutoscaler): Promise<Outcome> {
    const { client, clock } = this.#context;
    const status = (autoscaler.status ??= {});
    const manager = autoscalerConditions.manage(status, timestamp(clock));
    manager.initialize();
    noteServices(status, undefined);
    if (autoscaler.metadata.generation !== undefined) status.observedGeneration = autoscaler.metadata.generation;
    try {
      const desired = makeHorizontalPodAutoscaler(autoscaler, this.#config.get('config-autoscaler'));
      const { object: scaled } = await ensureChild(client, this.#autoscalers, autoscaler, desired);
      const { object: service } = await ensureChild(client, this.#services, autoscaler, makeServerlessService(autoscaler, 'Serve', 0));
      this.#describe(autoscaler, scaled, service, manager);
      return done;
    } catch (error) {
      if (!(error instanceof NotOwnedError)) throw error;
      const text = `There is an existing ${error.kind} ${JSON.stringify(error.childName)} that we do not own.`;
      manager.markFalse(error.kind === 'ServerlessService' ? 'SKSReady' : 'Active', 'NotOwned', text);
      return requeue(notOwnedRetryMs);
    }
  }

  /** One whose class is another now: two would pull at its replicas. */
  async letGo(autoscaler: PodAutoscaler): Promise<Outcome> {
    const { namespace, name = '' } = autoscaler.metadata;
    const left = this.#autoscalers.get(namespace, name);
    if (left !== undefined && isControlledBy(left, autoscaler)) {
      await ifThere(this.#context.client.of(horizontalPodAutoscalers).delete(namespace, name));
    }
    return done;
  }

  #describe(
    autoscaler: PodAutoscaler,
    scaled: HorizontalPodAutoscaler,
    service: ServerlessService,
    manager: ReturnType<typeof autoscalerConditions.manage>,
  ): void {
    const status = (autoscaler.status ??= {});
    const { currentReplicas = 0, desiredReplicas = 0 } = scaled.status ?? {};
    noteServices(status, service);
    if (conditionOf(service, 'Ready')?.status !== 'True') {
      manager.markUnknown('SKSReady', 'NotReady', 'SKS Services are not ready yet');
    } else {
      manager.markTrue('SKSReady');
      if (!isInitialized(autoscaler) && currentReplicas >= this.#enough(autoscaler)) manager.markTrue('ScaleTargetInitialized');
    }
    manager.markTrue('Active');
    status.desiredScale = desiredReplicas;
    status.actualScale = currentReplicas;
  }

  /** Replicas with which a new revision counts as started. */
  #enough(autoscaler: PodAutoscaler): number {
    const config = this.#config.get('config-autoscaler');
    const own = Number(autoscalingAnnotation(autoscaler.metadata.annotations, 'initial-scale')?.[1] ?? config['initial-scale']);
    return Math.max(scaleBounds(autoscaler, config).min, own);
  }
}
