import { deployments } from '#apis/apps/v1/deployment.ts';
import { classOf, metrics, podAutoscalers, type PodAutoscaler } from '#apis/autoscaling-internal/v1alpha1/pod-autoscaler.ts';
import { pods } from '#apis/core/v1/pod.ts';
import { serverlessServices } from '#apis/networking/v1alpha1/serverless-service.ts';
import { kpaClass } from '#apis/serving/validation/annotations.ts';
import { ConfigStore } from '#controller/config-store.ts';
import { done, type ControllerModule } from '#controller/controller.ts';
import { enqueueOwner } from '#controller/owner.ts';
import { Collector } from '#autoscaler/collector.ts';
import { AutoscalerReconciler, podsOfRevision, revisionKeyOf } from '#autoscaler/reconciler.ts';
import { metricController } from '#autoscaler/metric/module.ts';
import { hpaController } from '#autoscaler/hpa/module.ts';
import { Scalers } from '#autoscaler/scaler.ts';
import { StatsReader } from '#autoscaler/stats-reader.ts';

/** The autoscaler as a controller that also reads the gateways' counters. */
export const autoscalerController: ControllerModule<PodAutoscaler> = {
  name: 'kpa-controller',
  setup(context, enqueue) {
    const { client, clock, logger } = context;
    const collector = new Collector(clock);
    const scalers = new Scalers(collector, clock, (key) => enqueue.key(key));
    const reader = new StatsReader(collector, scalers, clock);
    const informers = {
      deployments: context.informers.of(deployments),
      services: context.informers.of(serverlessServices),
      metrics: context.informers.of(metrics),
      pods: context.informers.of(pods),
    };
    informers.pods.addIndex(podsOfRevision, revisionKeyOf);
    enqueueOwner(informers.services, podAutoscalers, enqueue);
    informers.pods.on(({ object }) => {
      for (const key of revisionKeyOf(object)) enqueue.key(key);
    });
    // One that somebody deletes is made again; nothing else of it concerns its autoscaler, whose name it has.
    informers.metrics.on(({ type, object: { metadata } }) => {
      if (type === 'deleted') enqueue.key(`${metadata.namespace}/${metadata.name}`);
    });
    // A Deployment is the revision's, as the autoscaler is: both carry the revision's name.
    informers.deployments.on(({ object }) => {
      const revision = object.metadata.labels?.['serving.knative.dev/revision'];
      if (revision !== undefined) enqueue.key(`${object.metadata.namespace}/${revision}`);
    });
    const config = new ConfigStore(context);
    config.onChange(['config-autoscaler', 'config-deployment'], () => enqueue.all());
    const reconciler = new AutoscalerReconciler(context, informers, config, scalers);
    return {
      resource: podAutoscalers,
      skipsTerminating: true,
      workers: 8,
      isUrgent: true,
      // Other classes are other autoscalers' business.
      reconcile: (autoscaler) => (isOurs(autoscaler) ? reconciler.reconcile(autoscaler) : Promise.resolve(done)),
      deleted: (key) => scalers.forget(key),
      async run(signal) {
        // The gateways will tell of the last minutes at once, and only what is tracked is listened to.
        for (const autoscaler of context.informers.of(podAutoscalers).list()) {
          if (isOurs(autoscaler)) reconciler.track(autoscaler);
        }
        scalers.start();
        signal.addEventListener('abort', () => scalers.stop(), { once: true });
        await reader.run(client, logger, signal);
      },
    };
  },
};

const isOurs = (autoscaler: PodAutoscaler): boolean => (classOf(autoscaler) ?? kpaClass) === kpaClass;

/** The front door of this part: Knative's autoscaler, the one that leaves scaling to Kubernetes', and what tells that counting works. */
export const autoscalerControllers = [autoscalerController, hpaController, metricController] as readonly ControllerModule[];
