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

  test('says whether other pods are in the way', async () => {
    await using rig = await settled(
      node('full', { podCount: '1' }),
      node('small', { cpu: '100m' }),
      node('cordoned', { spec: { unschedulable: true } }),
      pod('first', { nodeName: 'full' }),
      pod('second'),
      pod('modest', { preemptionPolicy: 'Never' }),
    );
    const none = '0/3 nodes are available';
    const reasons = `${none}: 1 Insufficient cpu, 1 Too many pods, 1 node(s) were unschedulable`;
    const said = rig.events.filter((line) => line.startsWith('Warning')).toSorted();
    assert.deepEqual(said, [
      `Warning FailedScheduling ${reasons}. preemption: ${none}: 1 No preemption victims found for incoming pod, 2 Preemption is not helpful for scheduling.`,
      `Warning FailedScheduling ${reasons}. preemption: not eligible due to preemptionPolicy=Never.`,
    ]);
  });

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

  const zoned = (name: string, zone: string, cpu = '8') => node(name, { labels: { zone, 'kubernetes.io/hostname': name } as never, cpu });
  const web = { matchLabels: { app: 'web' } };
  const near = (topologyKey: string, more: object = {}) => ({ labelSelector: web, topologyKey, ...more });
  const required = (kind: 'podAffinity' | 'podAntiAffinity', ...terms: object[]) => ({
    affinity: { [kind]: { requiredDuringSchedulingIgnoredDuringExecution: terms } },
  });
  const labelled = (name: string, spec: object = {}, cpu = '1m') => {
    const object = pod(name, spec, cpu);
    object.metadata.labels = { app: 'web' };
    return object;
  };

  test('keeps pods apart, those there already too, and goes on when one ends', async () => {
    const apart = required('podAntiAffinity', near('kubernetes.io/hostname'));
    await using rig = await settled(zoned('x', 'a'), zoned('y', 'b'), labelled('p', apart), labelled('q', apart), labelled('r', apart));
    const places = ['p', 'q', 'r'].map((name) => placeOf(rig, name));
    assert.deepEqual([new Set(places).size, places.filter((place) => place === undefined).length], [3, 1]);
    assert.equal(refusal(rig), "Warning FailedScheduling 0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules");
    const first = rig.cluster.all(pods).find(({ spec }) => spec?.nodeName === 'x');
    rig.cluster.change(pods, 'n', first?.metadata.name ?? '', (object) => void (object.status = { phase: 'Succeeded' } as never));
    await rig.settle();
    assert.equal(rig.cluster.all(pods).filter(({ spec }) => spec?.nodeName === 'x').length, 2);
  });

  test('a pod without wishes of its own stays away from one that wants no such pod near', async () => {
    await using rig = await settled(
      node('x', { labels: { zone: 'a' } as never }),
      pod('hermit', { nodeName: 'x', ...required('podAntiAffinity', near('zone')) }),
      labelled('p'),
    );
    assert.equal(placeOf(rig, 'p'), undefined);
    assert.equal(refusal(rig), why("node(s) didn't satisfy existing pods anti-affinity rules"));
  });

  test('puts pods where those they want are; the first of a group goes anywhere', async () => {
    const together = required('podAffinity', near('zone'));
    await using rig = await settled(zoned('x', 'a', '1'), zoned('y', 'b'), labelled('first', { nodeName: 'x' }), labelled('p', together));
    assert.equal(placeOf(rig, 'p'), 'x');
    await using alone = await settled(zoned('x', 'a'), labelled('p', together), pod('other', together));
    assert.equal(placeOf(alone, 'p'), 'x');
    await using none = await settled(zoned('x', 'a'), pod('other', together));
    assert.equal(refusal(none), why("node(s) didn't match pod affinity rules"));
  });

  test('another namespace counts only where the term names it', async () => {
    const elsewhere = labelled('there', { nodeName: 'x' });
    elsewhere.metadata.namespace = 'm';
    const space = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'm', labels: { team: 'red' } } } as KubeObject;
    const tryWith = async (term: object) => {
      await using rig = await settled(zoned('x', 'a'), space, elsewhere, pod('p', required('podAntiAffinity', near('zone', term))));
      return placeOf(rig, 'p');
    };
    assert.equal(await tryWith({}), 'x');
    assert.equal(await tryWith({ namespaces: ['m'] }), undefined);
    assert.equal(await tryWith({ namespaceSelector: { matchLabels: { team: 'red' } } }), undefined);
    assert.equal(await tryWith({ namespaceSelector: { matchLabels: { team: 'blue' } } }), 'x');
  });

  test('prefers to be near, or not', async () => {
    const wish = (kind: string) => ({
      affinity: { [kind]: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 10, podAffinityTerm: near('zone') }] } },
    });
    const place = async (kind: string) => {
      await using rig = await settled(zoned('x', 'a'), zoned('y', 'b'), labelled('there', { nodeName: 'x' }), pod('p', wish(kind)));
      return placeOf(rig, 'p');
    };
    assert.deepEqual([await place('podAffinity'), await place('podAntiAffinity')], ['x', 'y']);
  });

  test('spreads over zones as evenly as maxSkew asks', async () => {
    const spread = (more: object = {}) => ({
      topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule', labelSelector: web, ...more }],
    });
    const four = ['p', 'q', 'r', 's'].map((name) => labelled(name, spread()));
    await using rig = await settled(zoned('x', 'a', '1'), zoned('y', 'b'), ...four);
    assert.equal(rig.cluster.all(pods).filter(({ spec }) => spec?.nodeName === 'x').length, 2);
    await using lonely = await settled(zoned('x', 'a'), labelled('there', { nodeName: 'x' }), labelled('p', spread({ minDomains: 2 })));
    assert.equal(refusal(lonely), why("node(s) didn't match pod topology spread constraints"));
    await using unlabelled = await settled(node('x'), labelled('p', spread()));
    assert.equal(refusal(unlabelled), why("node(s) didn't match pod topology spread constraints (missing required label)"));
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
