import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pods, type Pod } from '#apis/core/v1/pod.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import type { PodDisruptionBudget } from '#apis/policy/v1/pod-disruption-budget.ts';
import type { ControllerModule } from '#controller/controller.ts';
import { startRig, type Rig } from '#controller/testing.ts';
import { leastHarm, victimsOn } from '#cluster/scheduler/preemption.ts';
import { schedulerController } from '#cluster/scheduler/scheduler.ts';

interface Traits {
  readonly priority?: number;
  readonly cpu?: number;
  readonly node?: string;
  readonly labels?: object;
  readonly startTime?: string;
  readonly spec?: object;
}
const pod = (name: string, { priority = 0, cpu = 1, node, labels = {}, startTime, spec = {} }: Traits = {}): Pod & KubeObject =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    // Something holds them: their end takes time.
    metadata: { namespace: 'n', name, uid: `uid-${name}`, labels, finalizers: ['example.com/end'] },
    spec: {
      priority,
      containers: [{ name: 'c', resources: { requests: { cpu: String(cpu) } } }],
      ...(node === undefined ? {} : { nodeName: node }),
      ...spec,
    },
    ...(startTime === undefined ? {} : { status: { startTime } }),
  }) as unknown as Pod & KubeObject;
const node = (name: string, cpu = '4'): KubeObject =>
  ({ apiVersion: 'v1', kind: 'Node', metadata: { name }, status: { allocatable: { cpu, memory: '4Gi', pods: '10' } } }) as KubeObject;
const budget = (disruptionsAllowed: number) =>
  ({
    metadata: { namespace: 'n', name: 'b' },
    spec: { selector: { matchLabels: { app: 'guarded' } } },
    status: { disruptionsAllowed },
  }) as unknown as PodDisruptionBudget;

/** Fits when so many processors are free of those the pods take. */
const roomFor = (wanted: number, total: number, placed: readonly Pod[]) => (without: ReadonlySet<string>) => {
  const taken = placed.filter(({ metadata }) => !without.has(`n/${metadata.name}`));
  const sum = taken.reduce((all, { spec }) => all + Number(spec.containers[0]?.resources?.requests?.['cpu'] ?? 0), 0);
  return total - sum >= wanted;
};
const names = (victims: readonly Pod[] | undefined) => victims?.map(({ metadata }) => metadata.name);

describe('who has to go', () => {
  const choose = (placed: readonly Pod[], wanted: number, budgets: readonly PodDisruptionBudget[] = []) =>
    victimsOn(pod('new', { priority: 10 }), 'x', placed, roomFor(wanted, 4, placed), budgets);

  test('as few as will do, the least important and youngest ones', () => {
    const old = { startTime: '2026-01-01T00:00:00Z' };
    const young = { startTime: '2026-02-01T00:00:00Z' };
    const placed = [pod('a', { priority: 5 }), pod('b', old), pod('c', young), pod('d', { priority: 10 })];
    assert.deepEqual(names(choose(placed, 1)?.victims), ['c']);
    assert.deepEqual(names(choose(placed, 2)?.victims), ['b', 'c']);
    assert.deepEqual(names(choose(placed, 3)?.victims), ['a', 'b', 'c']);
    assert.equal(choose(placed, 4), undefined);
    assert.equal(choose([pod('d', { priority: 10, cpu: 4 })], 1), undefined);
  });

  test('those a disruption budget keeps last, and that is counted', () => {
    const guarded = { labels: { app: 'guarded' } };
    const placed = [pod('a', guarded), pod('b', guarded), pod('c'), pod('d')];
    assert.deepEqual(choose(placed, 2, [budget(0)]), { node: 'x', victims: [placed[2], placed[3]], violations: 0 });
    assert.equal(choose(placed, 3, [budget(0)])?.violations, 1);
    assert.equal(choose(placed, 4, [budget(1)])?.violations, 1);
  });

  test('where it does the least harm', () => {
    const at = (where: string, victims: readonly Pod[], violations = 0) => ({ node: where, victims, violations });
    const best = (...candidates: Parameters<typeof leastHarm>[0]) => leastHarm(candidates)?.node;
    assert.equal(best(at('a', [pod('p')], 1), at('b', [pod('p', { priority: 9 })])), 'b');
    assert.equal(best(at('a', [pod('p', { priority: 3 })]), at('b', [pod('p', { priority: 2 }), pod('q', { priority: 2 })])), 'b');
    assert.equal(best(at('a', [pod('p', { priority: 3 }), pod('q')]), at('b', [pod('p', { priority: 3 })])), 'b');
    const since = (startTime: string) => [pod('p', { startTime })];
    assert.equal(best(at('a', since('2026-01-01T00:00:00Z')), at('b', since('2026-01-02T00:00:00Z'))), 'b');
    assert.equal(leastHarm([]), undefined);
  });
});

describe('preemption', () => {
  const settled = async (...objects: KubeObject[]): Promise<Rig> => {
    const rig = await startRig([schedulerController] as readonly ControllerModule[], objects);
    await rig.settle();
    return rig;
  };
  const find = (rig: Rig, name: string) => rig.cluster.find(pods, 'n', name);
  const end = async (rig: Rig, name: string) => {
    rig.cluster.change(pods, 'n', name, ({ metadata }) => delete metadata.finalizers);
    await rig.cluster.of(pods).delete('n', name);
    await rig.settle();
  };

  test('a less important pod is told and ended; the pod waits at its place and gets it, nobody else', async () => {
    await using rig = await settled(node('x'), pod('low', { cpu: 4, node: 'x' }), pod('high', { priority: 100, cpu: 3 }));
    const victim = find(rig, 'low');
    assert.notEqual(victim?.metadata.deletionTimestamp, undefined);
    const { reason, message } = victim?.status?.conditions?.find(({ type }) => type === 'DisruptionTarget') ?? {};
    assert.deepEqual([reason, message], ['PreemptionByScheduler', 'default-scheduler: preempting to accommodate a higher priority pod']);
    assert.ok(rig.events.includes('Normal Preempted Preempted by pod uid-high on node x'));
    assert.ok(rig.events.includes('Warning FailedScheduling 0/1 nodes are available: 1 Insufficient cpu.'));
    assert.equal(find(rig, 'high')?.status?.nominatedNodeName, 'x');
    rig.cluster.seed(pod('late', { cpu: 2 }));
    await end(rig, 'low');
    assert.equal(find(rig, 'high')?.spec?.nodeName, 'x');
    assert.equal(find(rig, 'late')?.spec?.nodeName, undefined);
  });

  test('while the others end nobody else is; a more important pod may still take the place', async () => {
    await using rig = await settled(node('x'), pod('low', { cpu: 4, node: 'x' }), pod('high', { priority: 100, cpu: 4 }));
    rig.cluster.change(pods, 'n', 'high', ({ metadata }) => Object.assign(metadata, { labels: { changed: 'yes' } }));
    await rig.settle();
    const waiting = '0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to a terminating pod on the nominated node.';
    assert.equal(find(rig, 'high')?.status?.conditions?.find(({ type }) => type === 'PodScheduled')?.message, waiting);
    assert.equal(rig.events.filter((line) => line.startsWith('Normal Preempted')).length, 1);
    rig.cluster.seed(pod('higher', { priority: 200, cpu: 4 }));
    await end(rig, 'low');
    assert.deepEqual(
      ['high', 'higher'].map((name) => find(rig, name)?.spec?.nodeName),
      [undefined, 'x'],
    );
  });

  test('nobody is ended who is as important, or in vain, or for a pod that does not want it', async () => {
    const never = { spec: { preemptionPolicy: 'Never' } };
    for (const [placed, wanting] of [
      [{ priority: 100 }, { priority: 100, cpu: 1 }],
      [{}, { priority: 100, cpu: 5 }],
      [{}, { priority: 100, cpu: 1, ...never }],
    ] as const) {
      await using rig = await settled(node('x'), pod('low', { cpu: 4, node: 'x', ...placed }), pod('high', wanting));
      assert.equal(find(rig, 'low')?.metadata.deletionTimestamp, undefined);
      assert.equal(find(rig, 'high')?.status?.nominatedNodeName, undefined);
    }
  });

  test('a pod that is kept away by another’s anti-affinity, or by its host port, takes its place', async () => {
    const away = {
      affinity: {
        podAntiAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [
            { labelSelector: { matchLabels: { app: 'a' } }, topologyKey: 'kubernetes.io/hostname' },
          ],
        },
      },
    };
    const hostPort = { containers: [{ name: 'c', ports: [{ hostPort: 80, containerPort: 80 }] }] };
    const named = { ...node('x'), metadata: { name: 'x', labels: { 'kubernetes.io/hostname': 'x' } } } as KubeObject;
    for (const spec of [away, hostPort]) {
      const labels = { app: 'a' };
      await using rig = await settled(named, pod('low', { node: 'x', labels, spec }), pod('high', { priority: 1, labels, spec }));
      assert.notEqual(find(rig, 'low')?.metadata.deletionTimestamp, undefined);
    }
  });
});
