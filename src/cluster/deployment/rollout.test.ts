import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Deployment } from '#apis/apps/v1/deployment.ts';
import type { ReplicaSet } from '#apis/apps/v1/replica-set.ts';
import { proportionalStep, resolveAmount, rollingLimits, rollingStep } from '#cluster/deployment/rollout.ts';

const deployment = (replicas: number, maxSurge: number | string = '25%', maxUnavailable: number | string = '25%'): Deployment =>
  ({ metadata: {}, spec: { replicas, strategy: { rollingUpdate: { maxSurge, maxUnavailable } } } }) as unknown as Deployment;
const set = (name: string, replicas: number, availableReplicas = replicas): ReplicaSet =>
  ({ metadata: { name }, spec: { replicas }, status: { availableReplicas } }) as unknown as ReplicaSet;
const steps = (map: ReadonlyMap<string, number>) => Object.fromEntries(map);

describe('rolling update', () => {
  test('rounds the surge up and the unavailable down, and never both to nothing', () => {
    assert.equal(resolveAmount('25%', 10, true), 3);
    assert.equal(resolveAmount('25%', 10, false), 2);
    assert.deepEqual(rollingLimits(deployment(1, 0, 0)), { surge: 0, unavailable: 1 });
    assert.deepEqual(rollingLimits(deployment(1)), { surge: 1, unavailable: 0 });
  });

  test('goes up as far as the surge lets, then down as far as availability lets', () => {
    assert.deepEqual(steps(rollingStep(deployment(10), set('new', 0), [set('old', 10)])), { new: 3 });
    assert.deepEqual(steps(rollingStep(deployment(10), set('new', 3, 0), [set('old', 10)])), { old: 8 });
    assert.deepEqual(steps(rollingStep(deployment(10), set('new', 3, 3), [set('old', 8)])), { new: 5 });
  });

  test('takes unavailable old pods, as far as there are pods to spare', () => {
    assert.deepEqual(steps(rollingStep(deployment(4, 1, 0), set('new', 1, 0), [set('old', 4, 1)])), {});
    assert.deepEqual(steps(rollingStep(deployment(4, 1, 1), set('new', 2, 2), [set('old', 3, 1)])), { old: 1 });
  });

  test('moves even with neither surge nor unavailable', () => {
    assert.deepEqual(steps(rollingStep(deployment(2, 0, 0), set('new', 0), [set('old', 2)])), { old: 1 });
  });
});

describe('scaling in the middle of a rollout', () => {
  test('shares what comes in proportion to size', () => {
    assert.deepEqual(steps(proportionalStep(deployment(20, 0, 1), [set('old', 8), set('new', 2)])), { old: 16, new: 4 });
  });
  test('and what goes', () => {
    assert.deepEqual(steps(proportionalStep(deployment(5, 0, 1), [set('old', 8), set('new', 2)])), { old: 4, new: 1 });
  });
  test('to nothing', () => {
    assert.deepEqual(steps(proportionalStep(deployment(0), [set('old', 8), set('new', 2)])), { old: 0, new: 0 });
  });
});
