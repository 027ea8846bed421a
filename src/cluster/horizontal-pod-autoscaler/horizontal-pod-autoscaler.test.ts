import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec } from '#apis/autoscaling/v2/horizontal-pod-autoscaler.ts';
import type { Pod } from '#apis/core/v1/pod.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import { reconcileOnce } from '#controller/testing.ts';
import type { ControllerModule } from '#controller/controller.ts';
import { FakeClock } from '#core/clock.ts';
import { normalize, remember, type History } from '#cluster/horizontal-pod-autoscaler/behavior.ts';
import { horizontalPodAutoscalerController } from '#cluster/horizontal-pod-autoscaler/reconciler.ts';
import { proposeReplicas, type Aim } from '#cluster/horizontal-pod-autoscaler/replicas.ts';

const nowMs = Date.parse('2026-01-01T01:00:00Z');
const aim: Aim = { targetOf: () => 100, fullOf: () => 100, tolerance: { up: 0.1, down: 0.1 } };

function pod(name: string, state: 'ready' | 'pending' | 'starting' = 'ready'): Pod {
  const ready = state === 'ready' ? 'True' : 'False';
  const since = state === 'ready' ? '2026-01-01T00:00:10Z' : '2026-01-01T00:59:50Z';
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'n', name, labels: { app: 'web' } },
    spec: { containers: [{ name: 'c', resources: { requests: { cpu: '100m' } } }] },
    status: {
      phase: state === 'pending' ? 'Pending' : 'Running',
      startTime: state === 'starting' ? '2026-01-01T00:59:50Z' : '2026-01-01T00:00:00Z',
      conditions: [{ type: 'Ready', status: ready, lastTransitionTime: since }],
    },
  } as Pod;
}

/** Each pod's use in millicores; undefined: nothing is known of it. */
function propose(current: number, ...uses: (readonly [number | undefined, ('ready' | 'pending' | 'starting')?])[]): number {
  const pods = uses.map(([, state], index) => pod(`p${index}`, state));
  const usage = new Map(
    uses.flatMap(([milli], index) => (milli === undefined ? [] : [[`p${index}`, { milli, atMs: nowMs, windowMs: 15_000 }] as const])),
  );
  return proposeReplicas(current, { pods, usage, resource: 'cpu', nowMs }, aim).replicas;
}

describe('replicas by use', () => {
  for (const [what, actual, wanted] of [
    ['twice the target', () => propose(2, [200], [200]), 4],
    ['half of it', () => propose(4, [50], [50], [50], [50]), 2],
    ['within the tolerance', () => propose(2, [109], [109]), 2],
    ['a little above', () => propose(2, [111], [111]), 3],
    ['an unknown pod does not raise it', () => propose(2, [300], [undefined]), 3],
    ['an unknown pod counts as full before one goes', () => propose(3, [20], [20], [undefined]), 2],
    ['an unknown pod can hold all', () => propose(2, [95], [undefined]), 2],
    ['a starting pod damps a rise', () => propose(2, [180], [900, 'starting']), 2],
    ['a pending pod damps a rise', () => propose(3, [200], [200], [undefined, 'pending']), 4],
    ['a starting pod is no reason to stay', () => propose(3, [50], [50], [0, 'starting']), 1],
  ] as const) {
    it(`${what}: ${wanted}`, () => assert.equal(actual(), wanted));
  }

  it('knows nothing without measured pods', () => {
    assert.throws(() => propose(1), /no pods returned by selector/);
    assert.throws(() => propose(1, [undefined]), /did not receive metrics for targeted pods \(pods might be unready\)/);
  });
});

describe('bounds, windows and rates', () => {
  const history = (): History => ({ recommendations: [], ups: [], downs: [] });
  const spec = (more: Partial<HorizontalPodAutoscalerSpec> = {}): HorizontalPodAutoscalerSpec =>
    ({ scaleTargetRef: { kind: 'Deployment', name: 'web' }, minReplicas: 1, maxReplicas: 50, ...more }) as HorizontalPodAutoscalerSpec;

  it('rises by a factor of two or four pods in 15 seconds', () => {
    const own = history();
    assert.deepEqual(pick(normalize(spec(), 3, 40, own, 0)), [7, 'ScaleUpLimit']);
    remember(spec(), own, 3, 7, 0);
    assert.equal(normalize(spec(), 7, 40, own, 1000).replicas, 7);
    assert.equal(normalize(spec(), 7, 40, own, 16_000).replicas, 14);
  });

  it('falls only when five minutes agree', () => {
    const own = history();
    assert.equal(normalize(spec(), 10, 10, own, 0).replicas, 10);
    const held = normalize(spec(), 10, 2, own, 60_000);
    assert.deepEqual([held.replicas, held.able.reason], [10, 'ScaleDownStabilized']);
    assert.equal(normalize(spec(), 10, 3, own, 301_000).replicas, 3);
  });

  it('keeps within its bounds and says so', () => {
    assert.deepEqual(pick(normalize(spec({ maxReplicas: 4 }), 3, 9, history(), 0)), [4, 'TooManyReplicas']);
    const behavior = {
      scaleDown: { stabilizationWindowSeconds: 0, policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }] },
    } as const;
    assert.deepEqual(pick(normalize(spec({ minReplicas: 2, behavior } as never), 3, 1, { ...history(), recommendations: [] }, 0)), [
      2,
      'TooFewReplicas',
    ]);
  });

  function pick({ replicas, limited }: ReturnType<typeof normalize>): [number, string] {
    return [replicas, limited.reason];
  }
});

describe('the controller', () => {
  const deployment = (replicas: number): KubeObject =>
    ({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { namespace: 'n', name: 'web' },
      spec: { replicas, selector: { matchLabels: { app: 'web' } } },
      status: { replicas },
    }) as KubeObject;
  const autoscaler = (more: object = {}): HorizontalPodAutoscaler & KubeObject =>
    ({
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      metadata: { namespace: 'n', name: 'web' },
      spec: {
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
        minReplicas: 1,
        maxReplicas: 10,
        metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } }],
        ...more,
      },
    }) as HorizontalPodAutoscaler & KubeObject;
  const used = (name: string, cpu: string): KubeObject =>
    ({
      apiVersion: 'metrics.k8s.io/v1beta1',
      kind: 'PodMetrics',
      metadata: { namespace: 'n', name, labels: { app: 'web' } },
      timestamp: '2026-01-01T00:59:55Z',
      window: '10s',
      containers: [{ name: 'c', usage: { cpu } }],
    }) as unknown as KubeObject;
  const run = async (...objects: KubeObject[]) =>
    reconcileOnce(horizontalPodAutoscalerController as ControllerModule, { key: 'n/web', objects, clock: new FakeClock(nowMs) });
  const reasons = (status: unknown) =>
    Object.fromEntries(
      ((status as HorizontalPodAutoscaler['status'])?.conditions ?? []).map((one) => [one.type, `${one.status} ${one.reason}`]),
    );

  it('scales what is used twice as much as it should be', async () => {
    const result = await run(autoscaler(), deployment(1), pod('a'), used('a', '100m'));
    assert.deepEqual(result.error, undefined);
    assert.deepEqual(
      result.patches.map(({ body }) => body),
      [{ spec: { replicas: 2 } }],
    );
    assert.match(
      result.events.join('\n'),
      /SuccessfulRescale New size: 2; reason: cpu resource utilization \(percentage of request\) above target/,
    );
    assert.deepEqual(reasons(result.status), {
      AbleToScale: 'True SucceededRescale',
      ScalingActive: 'True ValidMetricFound',
      ScalingLimited: 'False DesiredWithinRange',
    });
    const { currentMetrics, desiredReplicas } = result.status as NonNullable<HorizontalPodAutoscaler['status']>;
    assert.equal(desiredReplicas, 2);
    assert.deepEqual(currentMetrics?.[0]?.resource?.current, { averageUtilization: 100, averageValue: '100m' });
  });

  it('says why it knows nothing, and leaves the target alone', async () => {
    const result = await run(autoscaler(), deployment(1), pod('a'));
    assert.deepEqual(result.patches, []);
    assert.equal(reasons(result.status)['ScalingActive'], 'False FailedGetResourceMetric');
    assert.match(
      result.events.join('\n'),
      /FailedComputeMetricsReplicas invalid metrics \(1 invalid out of 1\), first error is: failed to get cpu resource metric value: failed to get cpu utilization: unable to get metrics for resource cpu: no metrics returned from resource metrics API/,
    );
  });

  it('does not touch what is scaled to zero, nor what does not exist', async () => {
    const off = await run(autoscaler(), deployment(0));
    assert.equal(reasons(off.status)['ScalingActive'], 'False ScalingDisabled');
    const missing = await run(autoscaler());
    assert.equal(reasons(missing.status)['AbleToScale'], 'False FailedGetScale');
  });

  it('brings the count within the bounds without asking for metrics', async () => {
    const result = await run(autoscaler({ minReplicas: 3 }), deployment(1));
    assert.deepEqual(
      result.patches.map(({ body }) => body),
      [{ spec: { replicas: 3 } }],
    );
    assert.match(result.events.join('\n'), /New size: 3; reason: Current number of replicas below Spec.MinReplicas/);
  });
});
