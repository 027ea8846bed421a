import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pod } from '#apis/core/v1/pod.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import type { PodDisruptionBudget } from '#apis/policy/v1/pod-disruption-budget.ts';
import type { ControllerModule } from '#controller/controller.ts';
import { runTable } from '#controller/testing.ts';
import { countBudget, pendingDisruptions } from '#cluster/disruption/budget.ts';
import { disruptionController } from '#cluster/disruption/reconciler.ts';

const pod = (name: string, changes: { ready?: boolean; owner?: string; deleted?: boolean } = {}): Pod =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      namespace: 'n',
      name,
      labels: { app: 'web' },
      ...(changes.deleted === true ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}),
      ...(changes.owner === undefined
        ? {}
        : { ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: changes.owner, uid: changes.owner, controller: true }] }),
    },
    spec: { containers: [] },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: changes.ready === false ? 'False' : 'True' }] },
  }) as Pod;
const budget = (spec: object, status: object = {}): PodDisruptionBudget & KubeObject =>
  ({
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { namespace: 'n', name: 'b', generation: 1 },
    spec: { selector: { matchLabels: { app: 'web' } }, ...spec },
    status,
  }) as PodDisruptionBudget & KubeObject;

describe('a disruption budget', () => {
  const three = ['a', 'b', 'c'].map((name) => pod(name));
  for (const [spec, scale, desired, allowed] of [
    [{ minAvailable: 2 }, 0, 2, 1],
    [{ minAvailable: 4 }, 0, 4, 0],
    [{ minAvailable: '50%' }, 3, 2, 1],
    [{ maxUnavailable: 1 }, 3, 2, 1],
    [{ maxUnavailable: '34%' }, 3, 1, 2],
    [{ maxUnavailable: 1 }, 5, 4, 0],
    [{ maxUnavailable: 1 }, 0, 0, 0],
  ] as const) {
    it(`${JSON.stringify(spec)} of ${scale} wanted keeps ${desired} and lets ${allowed} go`, () => {
      const { desiredHealthy, disruptionsAllowed } = countBudget(budget(spec), three, scale, {});
      assert.deepEqual([desiredHealthy, disruptionsAllowed], [desired, allowed]);
    });
  }

  it('counts no pod that is not ready, going away, or let go already', () => {
    const selected = [pod('a', { ready: false }), pod('b', { deleted: true }), pod('c'), pod('d')];
    assert.equal(countBudget(budget({ minAvailable: 1 }), selected, 0, { c: 'now' }).currentHealthy, 1);
  });

  it('forgets evictions that came about, and those that did not for two minutes', () => {
    const at = (second: number) => new Date(second * 1000).toISOString();
    const status = { disruptedPods: { gone: at(100), going: at(100), lost: at(0), pending: at(100) } };
    const selected = [pod('going', { deleted: true }), pod('lost'), pod('pending')];
    assert.deepEqual(pendingDisruptions(budget({}, status), selected, 121_000), { pending: at(100) });
  });

  const replicaSet = {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { namespace: 'n', name: 'rs', uid: 'rs' },
    spec: { replicas: 3 },
  };
  runTable(disruptionController as ControllerModule, [
    {
      name: 'asks the owner how many are wanted',
      key: 'n/b',
      objects: [
        budget({ maxUnavailable: 1 }),
        replicaSet as KubeObject,
        pod('a', { owner: 'rs' }),
        pod('c', { owner: 'rs', ready: false }),
      ],
      status: {
        expectedPods: 3,
        desiredHealthy: 2,
        currentHealthy: 1,
        disruptionsAllowed: 0,
        observedGeneration: 1,
        conditions: [
          {
            type: 'DisruptionAllowed',
            status: 'False',
            reason: 'InsufficientPods',
            message: '',
            observedGeneration: 1,
            lastTransitionTime: '2026-01-01T00:00:00Z',
          },
        ],
      },
    },
  ]);
});
