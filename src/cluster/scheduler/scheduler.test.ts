import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { nodes } from '#apis/core/v1/node.ts';
import { pods } from '#apis/core/v1/pod.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import type { ControllerModule } from '#controller/controller.ts';
import { startRig, type Rig } from '#controller/testing.ts';
import { schedulerController } from '#cluster/scheduler/scheduler.ts';

const node = (name: string, { spec = {}, labels = {}, cpu = '2', podCount = '10' } = {}): KubeObject =>
  ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels },
    spec,
    status: { allocatable: { cpu, memory: '4Gi', pods: podCount } },
  }) as KubeObject;
const pod = (name: string, spec: object = {}, cpu = '500m', ports: object[] = []): KubeObject =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'n', name },
    spec: { containers: [{ name: 'c', ports, resources: { requests: { cpu } } }], ...spec },
  }) as KubeObject;

async function settled(...objects: KubeObject[]): Promise<Rig> {
  const rig = await startRig([schedulerController] as readonly ControllerModule[], objects);
  await rig.settle();
  return rig;
}
const placeOf = (rig: Rig, name: string) => rig.cluster.find(pods, 'n', name)?.spec?.nodeName;
const refusal = (rig: Rig) => rig.events.find((line) => line.startsWith('Warning FailedScheduling'))?.split('. preemption')[0];
const why = (text: string) => `Warning FailedScheduling 0/1 nodes are available: 1 ${text}`;

describe('scheduler', () => {
  test('binds to the node with more room and says so', async () => {
    await using rig = await settled(node('small', { cpu: '1' }), node('large', { cpu: '8' }), pod('p'));
    assert.equal(placeOf(rig, 'p'), 'large');
    assert.deepEqual(rig.events, ['Normal Scheduled Successfully assigned n/p to large']);
  });

  test('counts what it has decided before the cache shows it', async () => {
    const many = Array.from({ length: 6 }, (_, index) => pod(`p${index}`));
    await using rig = await settled(node('only'), ...many);
    assert.equal(rig.cluster.all(pods).filter(({ spec }) => spec?.nodeName === 'only').length, 4);
  });

  const refusals: readonly [string, KubeObject, KubeObject, string][] = [
    ['cpu', node('x', { cpu: '100m' }), pod('p'), 'Insufficient cpu'],
    ['number of pods', node('x', { podCount: '0' }), pod('p'), 'Too many pods'],
    ['cordon', node('x', { spec: { unschedulable: true } }), pod('p'), 'node(s) were unschedulable'],
    ['node selector', node('x'), pod('p', { nodeSelector: { disk: 'ssd' } }), "node(s) didn't match Pod's node affinity/selector"],
    [
      'taint',
      node('x', { spec: { taints: [{ key: 'k', value: 'v', effect: 'NoSchedule' }] } }),
      pod('p'),
      'node(s) had untolerated taint {k: v}',
    ],
  ];
  for (const [what, where, who, text] of refusals) {
    test(`refuses for ${what}, in kube-scheduler's words`, async () => {
      await using rig = await settled(where, who);
      assert.equal(placeOf(rig, 'p'), undefined);
      assert.equal(refusal(rig), why(text));
      assert.equal(rig.cluster.find(pods, 'n', 'p')?.status?.conditions?.[0]?.reason, 'Unschedulable');
    });
  }

  test('a toleration and a required affinity term let a pod in', async () => {
    const term = { matchExpressions: [{ key: 'zone', operator: 'In', values: ['a'] }] };
    const affinity = { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] } } };
    const tainted = node('x', { labels: { zone: 'a' } as never, spec: { taints: [{ key: 'k', effect: 'NoSchedule' }] } });
    await using rig = await settled(tainted, pod('p', { affinity, tolerations: [{ key: 'k', operator: 'Exists' }] }));
    assert.equal(placeOf(rig, 'p'), 'x');
  });

  test('gives a host port to one pod of a node', async () => {
    const ports = [{ containerPort: 80, hostPort: 8080 }];
    await using rig = await settled(
      node('x'),
      pod('a', {}, '1m', ports),
      pod('b', {}, '1m', ports),
      pod('c', {}, '1m', [{ containerPort: 80 }]),
    );
    assert.equal(rig.cluster.all(pods).filter(({ spec }) => spec?.nodeName === 'x').length, 2);
    assert.equal(refusal(rig), why("node(s) didn't have free ports for the requested pod ports"));
  });

  test('tries waiting pods again when a pod ends, and when a node gets room', async () => {
    await using rig = await settled(node('x', { cpu: '500m' }), pod('a'), pod('b'), pod('c'));
    const placed = () => rig.cluster.all(pods).filter(({ spec }) => spec?.nodeName === 'x').length;
    assert.equal(placed(), 1);
    const first = rig.cluster.all(pods).find(({ spec }) => spec?.nodeName === 'x');
    rig.cluster.change(pods, 'n', first?.metadata.name ?? '', (object) => void (object.status = { phase: 'Succeeded' } as never));
    await rig.settle();
    assert.equal(placed(), 2);
    rig.cluster.change(nodes, undefined, 'x', (object) => void (object.status = { allocatable: { cpu: '1', pods: '10' } } as never));
    await rig.settle();
    assert.equal(placed(), 3);
  });

  test('does not look at waiting pods for a heartbeat', async () => {
    await using rig = await settled(node('x', { cpu: '100m' }), pod('p'));
    const before = rig.cluster.actions.length;
    rig.cluster.change(nodes, undefined, 'x', (object) => {
      object.status = {
        ...object.status,
        conditions: [{ type: 'Ready', status: 'True', lastHeartbeatTime: '2026-01-01T00:00:00Z' }],
      } as never;
    });
    await rig.settle();
    assert.equal(rig.cluster.actions.length, before);
  });

  test('leaves pods of other schedulers and gated pods alone', async () => {
    await using rig = await settled(node('x'), pod('p', { schedulerName: 'mine' }), pod('q', { schedulingGates: [{ name: 'g' }] }));
    assert.deepEqual([placeOf(rig, 'p'), placeOf(rig, 'q'), rig.events.length], [undefined, undefined, 0]);
  });
});
