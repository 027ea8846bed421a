import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { podAutoscalerDefinition, podAutoscalers, type PodAutoscaler } from '#apis/autoscaling-internal/v1alpha1/pod-autoscaler.ts';
import { horizontalPodAutoscalers, type HorizontalPodAutoscaler } from '#apis/autoscaling/v2/horizontal-pod-autoscaler.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import { serverlessServices } from '#apis/networking/v1alpha1/serverless-service.ts';
import { hpaController } from '#autoscaler/hpa/module.ts';
import type { ControllerModule } from '#controller/controller.ts';
import { startRig } from '#controller/testing.ts';

const prefix = 'autoscaling.knative.dev/';

function autoscaler(annotations: Readonly<Record<string, string>>): KubeObject {
  const notes = Object.fromEntries(Object.entries(annotations).map(([name, value]) => [`${prefix}${name}`, value]));
  return {
    apiVersion: 'autoscaling.internal.knative.dev/v1alpha1',
    kind: 'PodAutoscaler',
    metadata: { namespace: 'n', name: 'r', generation: 1, annotations: { [`${prefix}class`]: 'hpa.autoscaling.knative.dev', ...notes } },
    spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'r-deployment' }, protocolType: 'http1' },
  } as KubeObject;
}

async function specOf(annotations: Readonly<Record<string, string>>): Promise<HorizontalPodAutoscaler['spec'] | undefined> {
  await using rig = await startRig([hpaController as ControllerModule], [autoscaler(annotations)]);
  await rig.settle();
  return rig.cluster.find(horizontalPodAutoscalers, 'n', 'r')?.spec;
}

describe('a revision of class hpa', () => {
  test('without a target is held at the default share of its CPU, between one and as many as it takes', async () => {
    assert.deepEqual(await specOf({}), {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'r-deployment' },
      minReplicas: 1,
      maxReplicas: 2_147_483_647,
      metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } }],
    });
  });

  for (const [metric, target, wanted] of [
    ['cpu', '62.5', { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 63 } } }],
    ['memory', '200', { type: 'Resource', resource: { name: 'memory', target: { type: 'AverageValue', averageValue: '200Mi' } } }],
    ['depth', '7', { type: 'Pods', pods: { metric: { name: 'depth' }, target: { type: 'AverageValue', averageValue: '7' } } }],
  ] as const) {
    test(`is scaled by ${metric} at ${target}`, async () => {
      const spec = await specOf({ metric, target, 'min-scale': '2', 'max-scale': '4' });
      assert.deepEqual([spec?.metrics, spec?.minReplicas, spec?.maxReplicas], [[wanted], 2, 4]);
    });
  }

  test('gives its window to both directions', async () => {
    const spec = await specOf({ window: '90s' });
    assert.deepEqual(
      [spec?.behavior?.scaleUp?.stabilizationWindowSeconds, spec?.behavior?.scaleDown?.stabilizationWindowSeconds],
      [90, 90],
    );
  });

  test('is active, serves, and is initialized once its pods are there', async () => {
    await using rig = await startRig([hpaController as ControllerModule], [autoscaler({ 'min-scale': '2' })]);
    await rig.settle();
    assert.equal(rig.cluster.find(serverlessServices, 'n', 'r')?.spec?.mode, 'Serve');
    const own = () => rig.cluster.find(podAutoscalers, 'n', 'r') as PodAutoscaler;
    const state = (type: string) => own().status?.conditions?.find((one) => one.type === type)?.status;
    assert.deepEqual([state('Active'), state('SKSReady'), state('Ready')], ['True', 'Unknown', 'Unknown']);
    rig.cluster.change(serverlessServices, 'n', 'r', (service) => {
      service.status = { serviceName: 'r', privateServiceName: 'r-private', conditions: [{ type: 'Ready', status: 'True' }] };
    });
    await rig.settle();
    assert.deepEqual([state('SKSReady'), state('ScaleTargetInitialized')], ['True', 'Unknown']);
    rig.cluster.change(horizontalPodAutoscalers, 'n', 'r', (scaled) => {
      scaled.status = { currentReplicas: 2, desiredReplicas: 3 };
    });
    await rig.settle();
    assert.deepEqual([state('ScaleTargetInitialized'), state('Ready')], ['True', 'True']);
    const { serviceName, metricsServiceName, actualScale, desiredScale } = own().status ?? {};
    assert.deepEqual([serviceName, metricsServiceName, actualScale, desiredScale], ['r', 'r-private', 2, 3]);
  });

  test('whose class becomes another loses its HorizontalPodAutoscaler', async () => {
    await using rig = await startRig([hpaController as ControllerModule], [autoscaler({})]);
    await rig.settle();
    assert.ok(rig.cluster.find(horizontalPodAutoscalers, 'n', 'r') !== undefined);
    rig.cluster.change(
      podAutoscalers,
      'n',
      'r',
      (object) => (object.metadata.annotations = { [`${prefix}class`]: 'kpa.autoscaling.knative.dev' }),
    );
    await rig.settle();
    assert.equal(rig.cluster.find(horizontalPodAutoscalers, 'n', 'r'), undefined);
  });
});

describe('the class of a new autoscaler', () => {
  const made = (standard: string | undefined, operation: 'create' | 'update', annotations: Record<string, string> = {}) => {
    const object = { metadata: { name: 'r', namespace: 'n', annotations } } as PodAutoscaler;
    podAutoscalerDefinition.default?.(object, {
      operation,
      subresource: '',
      user: { username: 'ada', groups: [] },
      dryRun: false,
      now: '2026-01-01T00:00:00Z',
      config: () => (standard === undefined ? undefined : { 'pod-autoscaler-class': standard }),
      warn: () => {},
    });
    return object.metadata.annotations?.[`${prefix}class`];
  };

  test('is the one of the configuration at that time, where it names none itself', () => {
    const hpa = 'hpa.autoscaling.knative.dev';
    assert.equal(made(hpa, 'create'), hpa);
    assert.equal(made(hpa, 'create', { [`${prefix}class`]: 'other.example.com' }), 'other.example.com');
    assert.equal(made(hpa, 'update'), undefined);
    assert.equal(made(undefined, 'create'), undefined);
  });
});
