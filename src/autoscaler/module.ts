import { deployments } from '#apis/apps/v1/deployment.ts';
import { metrics, podAutoscalers, type PodAutoscaler } from '#apis/autoscaling-internal/v1alpha1/pod-autoscaler.ts';
import { pods } from '#apis/core/v1/pod.ts';
import { serverlessServices } from '#apis/networking/v1alpha1/serverless-service.ts';
import { hpaClass, autoscalingAnnotation } from '#apis/serving/validation/annotations.ts';
import { ConfigStore } from '#controller/config-store.ts';
import { done, type ControllerModule } from '#controller/controller.ts';
import { enqueueOwner } from '#controller/owner.ts';
import type { Clock } from '#core/clock.ts';
import { Collector } from '#autoscaler/collector.ts';
import { AutoscalerReconciler, podsOfRevision, revisionKeyOf } from '#autoscaler/reconciler.ts';
import { Scalers } from '#autoscaler/scaler.ts';
import { StatsReceiver } from '#autoscaler/stats-receiver.ts';

/** The autoscaler: a controller, and where the gateways send their counters; the front door of this part. */
export interface Autoscaler {
  readonly module: ControllerModule;
  readonly stats: StatsReceiver;
  stop(): void;
}

export function createAutoscaler(clock: Clock): Autoscaler {
  const collector = new Collector(clock);
  let enqueueKey = (_key: string) => {};
  const scalers = new Scalers(collector, clock, (key) => enqueueKey(key));
  const module: ControllerModule<PodAutoscaler> = {
    name: 'kpa-controller',
    setup(context, enqueue) {
      enqueueKey = (key) => enqueue.key(key);
      const informers = {
        deployments: context.informers.of(deployments),
        services: context.informers.of(serverlessServices),
        metrics: context.informers.of(metrics),
        pods: context.informers.of(pods),
      };
      informers.pods.addIndex(podsOfRevision, revisionKeyOf);
      enqueueOwner(informers.services, podAutoscalers, enqueue);
      for (const changed of [informers.pods]) {
        changed.on(({ object }) => {
          for (const key of revisionKeyOf(object)) enqueue.key(key);
        });
      }
      // A Deployment is the revision's, as the autoscaler is: both carry the revision's name.
      informers.deployments.on(({ object }) => {
        const revision = object.metadata.labels?.['serving.knative.dev/revision'];
        if (revision !== undefined) enqueue.key(`${object.metadata.namespace}/${revision}`);
      });
      const config = new ConfigStore(context);
      config.onChange(['config-autoscaler', 'config-deployment'], () => enqueue.all());
      const reconciler = new AutoscalerReconciler(context, informers, config, scalers);
      scalers.start();
      return {
        name: 'kpa-controller',
        resource: podAutoscalers,
        skipsTerminating: true,
        workers: 8,
        // Other classes are other autoscalers' business.
        reconcile: (autoscaler) => (isOurs(autoscaler) ? reconciler.reconcile(autoscaler) : Promise.resolve(done)),
        deleted: (key) => scalers.forget(key),
      };
    },
  };
  return { module: module as ControllerModule, stats: new StatsReceiver(collector, scalers), stop: () => scalers.stop() };
}

function isOurs(autoscaler: PodAutoscaler): boolean {
  return autoscalingAnnotation(autoscaler.metadata.annotations, 'class')?.[1] !== hpaClass;
}
