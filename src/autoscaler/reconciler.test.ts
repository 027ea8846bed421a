import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { describe, test } from 'node:test';
import { deployments } from '#apis/apps/v1/deployment.ts';
import { metrics, podAutoscalers, type PodAutoscaler } from '#apis/autoscaling-internal/v1alpha1/pod-autoscaler.ts';
import { pods } from '#apis/core/v1/pod.ts';
import { statsPath, type StatsFrame, type StatsPoke, type StatsReport } from '#apis/dormouse/stats.ts';
import { serverlessServices } from '#apis/networking/v1alpha1/serverless-service.ts';
import { autoscalerController } from '#autoscaler/module.ts';
import type { ControllerModule } from '#controller/controller.ts';
import { startRig, type Action, type Rig } from '#controller/testing.ts';
import { FakeClock } from '#core/clock.ts';

const labels = { 'serving.knative.dev/revision': 'r' };
const startMs = Date.parse('2026-01-01T00:00:00Z');

/** A revision `n/r` of one replica with its autoscaler, and a gateway that reports. */
class Scene implements AsyncDisposable {
  readonly clock: FakeClock;
  readonly rig: Rig;
  readonly #stats: PassThrough;

  constructor(clock: FakeClock, rig: Rig, stats: PassThrough) {
    this.clock = clock;
    this.rig = rig;
    this.#stats = stats;
  }

  get replicas(): number {
    return this.rig.cluster.find(deployments, 'n', 'r-deployment')?.spec?.replicas ?? -1;
  }

  get autoscaler(): PodAutoscaler {
    return this.rig.cluster.find(podAutoscalers, 'n', 'r') as PodAutoscaler;
  }

  /** `True`, `False NoTraffic` … */
  condition(type: string): string {
    const found = this.autoscaler.status?.conditions?.find((condition) => condition.type === type);
    return `${found?.status}${found?.reason === undefined ? '' : ` ${found.reason}`}`;
  }

  get frozen(): number {
    return this.rig.cluster.all(pods).filter(({ metadata }) => metadata.annotations?.['node.dormouse.dev/freeze'] === 'true').length;
  }

  get mode(): string | undefined {
    return this.rig.cluster.find(serverlessServices, 'n', 'r')?.spec?.mode;
  }

  async setPods(count: number): Promise<void> {
    const client = this.rig.cluster.of(pods);
    const have = this.rig.cluster.all(pods).length;
    for (let number = count; number < have; number += 1) await client.delete('n', `p${number}`);
    for (let number = have; number < count; number += 1) {
      this.rig.cluster.seed({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: `p${number}`, namespace: 'n', labels },
        status: { conditions: [{ type: 'Ready', status: 'True' }] },
      } as never);
    }
    await this.rig.settle();
  }

  say(message: StatsReport | StatsPoke): Promise<void> {
    return this.tell({ type: 'said', connection: 1, message });
  }

  async tell(frame: StatsFrame): Promise<void> {
    this.#stats.write(`${JSON.stringify(frame)}\n`);
    await this.rig.settle();
  }

  /** Seconds that pass with `concurrency` requests in the containers; the cluster follows with its pods. */
  async pass(seconds: number, concurrency = 0, requests = 0): Promise<void> {
    for (let one = 0; one < seconds; one += 1) {
      const second = Math.floor(this.clock.now() / 1000);
      await this.clock.advance(500);
      const numbers = { averageConcurrency: concurrency, requests, queued: 0, running: Math.ceil(concurrency) };
      const quiet = concurrency === 0 && requests === 0;
      await this.say({ type: 'report', second, revisions: quiet ? [] : [{ namespace: 'n', revision: 'r', ...numbers }] });
      await this.clock.advance(500);
      await this.rig.settle();
      await this.setPods(this.replicas);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stats.destroy();
    await this.rig[Symbol.asyncDispose]();
  }
}

async function start(
  annotations: Record<string, string> = {},
  { replicas = 1, ready = replicas }: { replicas?: number; ready?: number } = {},
): Promise<Scene> {
  const clock = new FakeClock(startMs + 500);
  const prefixed = Object.entries(annotations).map(([key, value]) => [key.includes('/') ? key : `autoscaling.knative.dev/${key}`, value]);
  const metadata = { namespace: 'n', labels, generation: 1 };
  const objects = [
    {
      apiVersion: 'autoscaling.internal.knative.dev/v1alpha1',
      kind: 'PodAutoscaler',
      metadata: { ...metadata, name: 'r', uid: 'u', annotations: Object.fromEntries(prefixed) as Record<string, string> },
      spec: {
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'r-deployment' },
        protocolType: 'http1',
        reachability: 'Reachable',
      },
    },
    { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { ...metadata, name: 'r-deployment', uid: 'd' }, spec: { replicas } },
  ];
  const rig = await startRig([autoscalerController as ControllerModule], objects as never, clock);
  const stats = new PassThrough();
  rig.cluster.openStream(statsPath, stats);
  const scene = new Scene(clock, rig, stats);
  await scene.tell({ type: 'open', connection: 1, gateway: 'g' });
  await rig.settle();
  if (scene.mode !== undefined) {
    rig.cluster.change(serverlessServices, 'n', 'r', (service) => (service.status = { serviceName: 'r', privateServiceName: 'r-private' }));
  }
  if (ready > 0) await scene.setPods(ready);
  await rig.settle();
  return scene;
}

describe('autoscaler', () => {
  test('leaves revisions of other autoscalers alone', async () => {
    await using scene = await start({ class: 'other.example.com' });
    assert.equal(scene.condition('Active'), 'undefined');
    assert.equal(scene.mode, undefined);
  });

  test('makes a Metric that somebody has deleted again', async () => {
    await using scene = await start();
    await scene.rig.cluster.of(metrics).delete('n', 'r');
    await scene.rig.settle();
    assert.ok(scene.rig.cluster.find(metrics, 'n', 'r') !== undefined);
  });

  test('a revision that comes up is initialized and active', async () => {
    await using scene = await start({}, { ready: 0 });
    assert.equal(scene.condition('Active'), 'Unknown Queued');
    assert.equal(scene.condition('ScaleTargetInitialized'), 'Unknown');
    await scene.setPods(1);
    assert.deepEqual(
      ['Active', 'ScaleTargetInitialized', 'SKSReady', 'Ready'].map((type) => scene.condition(type)),
      ['True', 'True', 'True', 'True'],
    );
    assert.equal(scene.autoscaler.status?.actualScale, 1);
  });

  test('an idle revision goes to zero after a stable window, and not before', async () => {
    await using scene = await start({ window: '10s' });
    await scene.pass(8);
    assert.equal(scene.replicas, 1);
    await scene.pass(6);
    assert.equal(scene.replicas, 0);
    assert.equal(scene.condition('Active'), 'False NoTraffic');
    assert.equal(scene.condition('ScaleTargetInitialized'), 'True');
    assert.deepEqual([scene.autoscaler.status?.desiredScale, scene.autoscaler.status?.actualScale], [0, 0]);
    assert.equal(scene.mode, 'Proxy');
  });

  test('a waiting request brings it back at once', async () => {
    await using scene = await start({ window: '10s' });
    await scene.pass(14);
    assert.equal(scene.replicas, 0);
    await scene.say({ type: 'poke', namespace: 'n', revision: 'r', queued: 1, running: 0 });
    assert.equal(scene.replicas, 1);
    assert.equal(scene.condition('Active'), 'Unknown Queued');
  });

  test('one connection that stays open, however quiet, keeps a pod', async () => {
    await using scene = await start({ window: '6s', target: '1000' });
    await scene.pass(60, 0.001);
    assert.equal(scene.replicas, 1);
    await scene.pass(14);
    assert.equal(scene.replicas, 0);
  });

  test('as many pods as the load needs, no more than allowed, and no fewer', async () => {
    await using scene = await start({ window: '10s', target: '10', 'min-scale': '1', 'max-scale': '9' });
    await scene.pass(20, 50);
    assert.equal(scene.replicas, 8);
    await scene.pass(12, 500);
    assert.equal(scene.replicas, 9);
    await scene.pass(40);
    assert.equal(scene.replicas, 1);
  });

  test('requests per second decide where that is the metric', async () => {
    await using scene = await start({ window: '10s', metric: 'rps', target: '10' });
    await scene.pass(20, 0.1, 35);
    assert.equal(scene.replicas, 5);
  });

  test('initial scale 0: ready without ever having run', async () => {
    await using scene = await start({ 'initial-scale': '0' }, { replicas: 0 });
    await scene.pass(4);
    assert.equal(scene.replicas, 0);
    assert.equal(scene.condition('ScaleTargetInitialized'), 'True');
    assert.equal(scene.condition('Active'), 'False NoTraffic');
  });

  test('an initial scale of several is reached before the revision counts as up', async () => {
    await using scene = await start({ 'initial-scale': '3', window: '6s' }, { replicas: 3, ready: 2 });
    assert.equal(scene.condition('ScaleTargetInitialized'), 'Unknown');
    await scene.setPods(3);
    assert.equal(scene.condition('ScaleTargetInitialized'), 'True');
    await scene.pass(30);
    assert.equal(scene.replicas, 0);
  });

  test('a revision that never comes up is given up after its deadline', async () => {
    await using scene = await start({}, { ready: 0 });
    await scene.clock.advance(4000);
    await scene.rig.settle();
    assert.equal(scene.replicas, 1);
    await scene.clock.advance(640_000);
    await scene.rig.settle();
    assert.equal(scene.replicas, 0);
    assert.match(scene.condition('Active'), /^False/);
    assert.equal(scene.condition('ScaleTargetInitialized'), 'Unknown');
  });

  test('pods stay for the retention period', async () => {
    await using scene = await start({ window: '6s', 'scale-to-zero-pod-retention-period': '20s' });
    await scene.pass(20);
    assert.equal(scene.replicas, 1);
    assert.equal(scene.condition('Active'), 'False NoTraffic');
    await scene.pass(20);
    assert.equal(scene.replicas, 0);
  });

  test('an idle revision that asks for it is frozen, thawed by a request, and removed in the end', async () => {
    await using scene = await start({ window: '6s', 'autoscaling.dormouse.dev/idle': 'freeze' });
    await scene.pass(12);
    assert.deepEqual([scene.replicas, scene.frozen, scene.autoscaler.status?.actualScale], [1, 1, 0]);
    await scene.say({ type: 'poke', namespace: 'n', revision: 'r', queued: 1, running: 0 });
    assert.deepEqual([scene.replicas, scene.frozen, scene.condition('Active')], [1, 0, 'True']);
    await scene.pass(12);
    assert.equal(scene.frozen, 1);
    await scene.clock.advance(3_700_000);
    await scene.rig.settle();
    assert.equal(scene.replicas, 0);
  });

  test('its status has what the kind requires from the first write on', async () => {
    await using scene = await start();
    const isStatus = ({ verb, kind, subresource }: Action) => verb === 'patch' && kind === 'PodAutoscaler' && subresource === 'status';
    const [first] = scene.rig.cluster.actions.filter(isStatus);
    assert.partialDeepStrictEqual(first?.body, { status: { serviceName: '', metricsServiceName: '' } });
    const { serviceName, metricsServiceName } = scene.autoscaler.status ?? {};
    assert.deepEqual([serviceName, metricsServiceName], ['r', 'r-private']);
  });

  test('what belongs to somebody else is said', async () => {
    await using scene = await start();
    scene.rig.cluster.change(serverlessServices, 'n', 'r', (service) => void delete service.metadata.ownerReferences);
    await scene.clock.advance(20_000);
    scene.rig.cluster.change(podAutoscalers, 'n', 'r', (one) => (one.metadata.annotations = { a: 'b' }));
    await scene.rig.settle();
    assert.equal(scene.condition('SKSReady'), 'False NotOwned');
  });
});
