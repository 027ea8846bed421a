import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { leases } from '#apis/coordination/v1/lease.ts';
import { nodes, type Node } from '#apis/core/v1/node.ts';
import { pods, type Pod } from '#apis/core/v1/pod.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import type { ControllerModule } from '#controller/controller.ts';
import { startRig } from '#controller/testing.ts';
import { FakeClock } from '#core/clock.ts';
import { evictionMs, taintsOf } from '#cluster/node-lifecycle/health.ts';
import { nodeLifecycleController } from '#cluster/node-lifecycle/reconciler.ts';
import { garbageIn } from '#cluster/pod-gc/pod-gc.ts';

const now = '2026-01-01T00:00:00Z';
const nowMs = Date.parse(now);
const node = (ready: string, spec: object = {}): Node =>
  ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'x' },
    spec,
    status: { conditions: [{ type: 'Ready', status: ready }] },
  }) as unknown as Node;
const pod = (tolerations: object[], rest: object = {}): Pod =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'n', name: 'p', uid: 'uid-of-p' },
    spec: { nodeName: 'x', tolerations },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
    ...rest,
  }) as unknown as Pod;
const until = (key: string, tolerationSeconds?: number) => ({
  key,
  operator: 'Exists',
  effect: 'NoExecute',
  ...(tolerationSeconds === undefined ? {} : { tolerationSeconds }),
});
const unreachable = 'node.kubernetes.io/unreachable';
const keys = (one: Node) => taintsOf(one, now).map(({ key, effect }) => `${key.split('/')[1] ?? key} ${effect}`);

describe('taints of a node', () => {
  test('follow from its conditions; those of others stay', () => {
    assert.deepEqual(keys(node('True')), []);
    assert.deepEqual(keys(node('False')), ['not-ready NoSchedule', 'not-ready NoExecute']);
    assert.deepEqual(keys(node('Unknown', { unschedulable: true })), [
      'unreachable NoSchedule',
      'unreachable NoExecute',
      'unschedulable NoSchedule',
    ]);
    const foreign = { key: 'mine', effect: 'NoSchedule' };
    assert.deepEqual(keys(node('True', { taints: [foreign, { key: unreachable, effect: 'NoExecute' }] })), ['mine NoSchedule']);
  });
});

describe('eviction', () => {
  const taints = [{ key: unreachable, effect: 'NoExecute', timeAdded: now }] as const;
  test('is at once without a toleration, after its seconds, or never', () => {
    assert.equal(evictionMs(pod([]), taints, nowMs + 5), nowMs);
    assert.equal(evictionMs(pod([until(unreachable, 300)]), taints, nowMs), nowMs + 300_000);
    assert.equal(evictionMs(pod([until(unreachable)]), taints, nowMs), undefined);
    assert.equal(evictionMs(pod([]), [{ key: 'k', effect: 'NoSchedule' }], nowMs), undefined);
  });
});

describe('node controller', () => {
  test('a node that falls silent becomes Unknown, its pods not ready, and they go after their toleration', async () => {
    const modules = [nodeLifecycleController] as readonly ControllerModule[];
    await using rig = await startRig(modules, [node('True'), pod([until(unreachable, 300)])]);
    const readiness = () => rig.cluster.find(nodes, undefined, 'x')?.status?.conditions?.[0];
    await rig.settle();
    await rig.clock.advance(51_000);
    await rig.settle();
    assert.deepEqual([readiness()?.status, readiness()?.reason], ['Unknown', 'NodeStatusUnknown']);
    assert.equal(rig.cluster.find(pods, 'n', 'p')?.status?.conditions?.[0]?.status, 'False');
    assert.equal(
      rig.cluster.find(nodes, undefined, 'x')?.spec?.taints?.some(({ key }) => key === unreachable),
      true,
    );
    await rig.clock.advance(301_000);
    await rig.settle();
    assert.equal(rig.cluster.find(pods, 'n', 'p'), undefined);
  });

  test('a node whose lease is renewed stays as it is', async () => {
    const clock = new FakeClock();
    const renewTime = new Date(clock.now() + 40_000).toISOString();
    const lease = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { namespace: 'kube-node-lease', name: 'x' },
      spec: { renewTime },
    };
    await using rig = await startRig([nodeLifecycleController] as readonly ControllerModule[], [node('True'), lease as KubeObject]);
    await rig.clock.advance(60_000);
    await rig.settle();
    assert.equal(rig.cluster.find(nodes, undefined, 'x')?.status?.conditions?.[0]?.status, 'True');
    assert.equal(rig.cluster.all(leases).length, 1);
  });
});

describe('pod garbage', () => {
  const named = (name: string, rest: object): Pod =>
    pod([], { metadata: { name, creationTimestamp: `2026-01-01T00:00:0${name}Z` }, ...rest });
  test('is the oldest ended pods beyond the number, pods deleted without a node, and those of vanished nodes', () => {
    const ended = ['3', '1', '2'].map((name) => named(name, { status: { phase: 'Succeeded' } }));
    const unplaced = pod([], { metadata: { name: 'u', deletionTimestamp: now }, spec: {} });
    const lost = pod([], { metadata: { name: 'l' }, spec: { nodeName: 'gone' } });
    const found = garbageIn({ all: [...ended, unplaced, lost, pod([])], hasNode: (name) => name === 'x', keep: 2 });
    assert.deepEqual(
      found.now.map(({ metadata }) => metadata.name),
      ['1', 'u'],
    );
    assert.deepEqual(
      found.orphans.map(({ metadata }) => metadata.name),
      ['l'],
    );
  });
});
