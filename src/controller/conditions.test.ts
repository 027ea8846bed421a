import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KnativeStatus } from '#apis/knative/status.ts';
import { ConditionSet, withCondition } from '#controller/conditions.ts';

const revision = new ConditionSet(['ResourcesAvailable', 'ContainerHealthy']);
const early = '2026-01-01T00:00:00Z';
const late = '2026-01-01T00:00:09Z';

const summary = (status: KnativeStatus) =>
  Object.fromEntries(
    (status.conditions ?? []).map(({ type, status, reason }) => [type, reason === undefined ? status : `${status} ${reason}`]),
  );

describe('living condition sets', () => {
  it('start Unknown, sorted by type', () => {
    const status: KnativeStatus = {};
    revision.manage(status, early).initialize();
    assert.deepEqual(
      status.conditions?.map(({ type, status }) => [type, status]),
      [
        ['ContainerHealthy', 'Unknown'],
        ['Ready', 'Unknown'],
        ['ResourcesAvailable', 'Unknown'],
      ],
    );
  });

  it('are Ready once every dependent is True', () => {
    const status: KnativeStatus = {};
    const manager = revision.manage(status, early);
    manager.initialize();
    manager.markTrue('ResourcesAvailable');
    assert.equal(manager.isHappy, false);
    manager.markTrue('ContainerHealthy');
    assert.equal(manager.isHappy, true);
  });

  it('carry the reason of a failing dependent to Ready, and of the latest one left when another recovers', () => {
    const status: KnativeStatus = {};
    const manager = revision.manage(status, early);
    manager.initialize();
    manager.markFalse('ResourcesAvailable', 'NoQuota', 'none left');
    manager.markFalse('ContainerHealthy', 'ExitCode1', 'crashed');
    assert.equal(summary(status)['Ready'], 'False ExitCode1');
    manager.markTrue('ContainerHealthy');
    assert.equal(summary(status)['Ready'], 'False NoQuota');
    manager.markTrue('ResourcesAvailable');
    assert.equal(summary(status)['Ready'], 'True');
  });

  it('prefer the later transition over the order of types', () => {
    const status: KnativeStatus = {};
    revision.manage(status, early).markFalse('ResourcesAvailable', 'Early', '');
    revision.manage(status, late).markFalse('ContainerHealthy', 'Late', '');
    const manager = new ConditionSet(['ResourcesAvailable', 'ContainerHealthy', 'Third']).manage(status, late);
    manager.markTrue('Third');
    assert.equal(summary(status)['Ready'], 'False Late');
  });

  it('keep failure above not knowing', () => {
    const status: KnativeStatus = {};
    const manager = revision.manage(status, early);
    manager.markFalse('ContainerHealthy', 'ExitCode1', 'crashed');
    manager.markUnknown('ResourcesAvailable', 'Deploying', '');
    assert.equal(summary(status)['Ready'], 'False ExitCode1');
    manager.markTrue('ContainerHealthy');
    assert.equal(summary(status)['Ready'], 'Unknown Deploying');
  });

  it('leave Ready alone for informational conditions, which can be cleared', () => {
    const status: KnativeStatus = {};
    const manager = revision.manage(status, early);
    manager.markTrue('ResourcesAvailable');
    manager.markTrue('ContainerHealthy');
    manager.markFalse('Active', 'NoTraffic', 'idle');
    assert.equal(manager.isHappy, true);
    assert.equal(manager.get('Active')?.severity, 'Info');
    assert.equal(manager.get('Ready')?.severity, undefined);
    manager.clear('Active');
    assert.equal(manager.get('Active'), undefined);
    assert.throws(() => manager.clear('Ready'));
  });

  it('move lastTransitionTime only when something else changes', () => {
    const status: KnativeStatus = {};
    revision.manage(status, early).markFalse('ContainerHealthy', 'A', 'one');
    revision.manage(status, late).markFalse('ContainerHealthy', 'A', 'one');
    assert.equal(status.conditions?.[0]?.lastTransitionTime, early);
    revision.manage(status, late).markFalse('ContainerHealthy', 'A', 'two');
    assert.equal(status.conditions?.[0]?.lastTransitionTime, late);
  });
});

describe('withCondition', () => {
  it('moves lastTransitionTime with the status alone', () => {
    const first = withCondition(undefined, { type: 'Available', status: 'True', reason: 'A' }, early);
    const second = withCondition(first, { type: 'Available', status: 'True', reason: 'B' }, late);
    const third = withCondition(second, { type: 'Available', status: 'False', reason: 'B' }, late);
    assert.deepEqual(second, [{ type: 'Available', status: 'True', reason: 'B', lastTransitionTime: early }]);
    assert.deepEqual(third, [{ type: 'Available', status: 'False', reason: 'B', lastTransitionTime: late }]);
  });
});
