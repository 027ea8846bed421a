import { describe } from 'node:test';
import type { Metric } from '#apis/autoscaling-internal/v1alpha1/pod-autoscaler.ts';
import { metricController } from '#autoscaler/metric/module.ts';
import { runTable } from '#controller/testing.ts';

const metric: Metric = {
  apiVersion: 'autoscaling.internal.knative.dev/v1alpha1',
  kind: 'Metric',
  metadata: { name: 'r', namespace: 'n', generation: 2 },
  spec: { stableWindow: 60_000_000_000, panicWindow: 6_000_000_000, scrapeTarget: 'r-private' },
};

describe('metric controller', () => {
  runTable(metricController, [
    {
      name: 'a metric is ready',
      objects: [metric],
      key: 'n/r',
      status: { observedGeneration: 2, conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }] },
    },
  ]);
});
