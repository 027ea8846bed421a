import { metrics, type Metric } from '#apis/autoscaling-internal/v1alpha1/pod-autoscaler.ts';
import { ConditionSet, timestamp } from '#controller/conditions.ts';
import { done, type ControllerModule } from '#controller/controller.ts';

const metricConditions = new ConditionSet([]);

/** Metric → Ready: the gateways count every revision, so what a Metric asks for is there as soon as it is asked for. */
export const metricController: ControllerModule<Metric> = {
  name: 'metric-controller',
  setup({ clock }) {
    return {
      resource: metrics,
      skipsTerminating: true,
      reconcile(metric) {
        const status = (metric.status ??= {});
        metricConditions.manage(status, timestamp(clock)).markTrue('Ready');
        if (metric.metadata.generation !== undefined) status.observedGeneration = metric.metadata.generation;
        return Promise.resolve(done);
      },
    };
  },
};
