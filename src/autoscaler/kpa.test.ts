import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readConfig } from '#apis/serving/config/config-map.ts';
import { autoscalerTable } from '#apis/serving/config/tables.ts';
import { decide, initialState, type ScalerState } from '#autoscaler/kpa.ts';
import { scalingSpec, type ScalingSpec } from '#autoscaler/spec.ts';
import { BucketWindow } from '#autoscaler/window.ts';

function spec(annotations: Record<string, string> = {}, containerConcurrency = 0): ScalingSpec {
  const prefixed = Object.fromEntries(Object.entries(annotations).map(([key, value]) => [`autoscaling.knative.dev/${key}`, value]));
  return scalingSpec(
    { metadata: { annotations: prefixed }, spec: { containerConcurrency, protocolType: 'http1', reachability: 'Reachable' } },
    readConfig(autoscalerTable, {}),
  );
}

const fresh = (): ScalerState => initialState(0, 0);
const at = (stable: number, panic: number, readyPods: number, nowMs = 0) => ({ stable, panic, readyPods, nowMs });

describe('decide', () => {
  test('wants as many pods as the average needs at 70 percent of the target', () => {
    const { desired } = decide(spec({ target: '10' }), fresh(), at(50, 50, 8));
    assert.equal(desired, 8);
  });

  test('the hard limit of a container caps its target', () => {
    assert.equal(spec({}, 4).totalTarget, 4);
    assert.equal(spec({ target: '10' }, 4).totalTarget, 4);
    assert.equal(spec({ target: '2' }, 4).totalTarget, 2);
    assert.equal(spec({ metric: 'rps' }).target, 140);
  });

  test('never more than the up rate and never less than the down rate allow', () => {
    assert.equal(decide(spec({ target: '1' }), fresh(), at(100_000, 100_000, 1)).desired, 1000);
    assert.equal(decide(spec({ target: '1' }), fresh(), at(0, 0, 9)).desired, 4);
  });

  test('an unreachable revision may go down at once', () => {
    assert.equal(decide({ ...spec(), reachable: false }, fresh(), at(0, 0, 9)).desired, 0);
  });

  test('panic begins at twice of what the pods can take, never scales down, and ends after a quiet stable window', () => {
    const scaling = spec({ target: '10' });
    const state = fresh();
    assert.equal(decide(scaling, state, at(10, 70, 2, 0)).desired, 10);
    assert.equal(decide(scaling, state, at(10, 5, 10, 30_000)).desired, 10);
    assert.equal(decide(scaling, state, at(10, 5, 10, 60_000)).panicking, true);
    const after = decide(scaling, state, at(10, 5, 10, 60_001));
    assert.deepEqual([after.panicking, after.desired], [false, 5]);
  });

  test('a new scaler that finds several pods starts in panic', () => {
    assert.equal(decide(spec(), initialState(5, 0), at(0, 0, 5, 1000)).desired, 5);
  });

  test('the activation scale is the floor when leaving zero', () => {
    assert.equal(decide(spec({ 'activation-scale': '3' }), fresh(), at(1, 1, 0)).desired, 3);
    assert.equal(decide(spec({ 'activation-scale': '3' }), fresh(), at(0, 0, 0)).desired, 0);
  });

  test('the scale-down delay keeps the most pods of its window', () => {
    const scaling = spec({ 'scale-down-delay': '10s', target: '10' });
    const state = fresh();
    assert.equal(decide(scaling, state, at(28, 28, 4, 0)).desired, 4);
    assert.equal(decide(scaling, state, at(7, 7, 4, 8000)).desired, 4);
    assert.equal(decide(scaling, state, at(7, 7, 4, 12_000)).desired, 2);
  });

  test('the excess burst capacity counts real pods only', () => {
    assert.equal(decide(spec(), fresh(), at(0, 0, 0)).excessBurstCapacity, -211);
    assert.equal(decide(spec(), fresh(), at(0, 10, 3)).excessBurstCapacity, 79);
    assert.equal(decide(spec({ 'target-burst-capacity': '-1' }), fresh(), at(0, 10, 3)).excessBurstCapacity, -1);
    assert.equal(decide(spec({ 'target-burst-capacity': '0' }), fresh(), at(0, 10, 3)).excessBurstCapacity, 0);
  });
});

describe('BucketWindow', () => {
  test('averages over the seconds since the first value until the window is full', () => {
    const window = new BucketWindow(10);
    window.add(100, 10);
    assert.equal(window.average(100), 10);
    assert.equal(window.average(103), 2.5);
    window.add(103, 30);
    assert.equal(window.average(103), 10);
    assert.equal(window.average(111), 3);
  });

  test('is empty before the first value and after the last has left', () => {
    const window = new BucketWindow(5);
    assert.equal(window.isEmpty(1), true);
    window.add(1, 1);
    assert.equal(window.isEmpty(5), false);
    assert.equal(window.isEmpty(6), true);
    assert.equal(window.average(6), 0);
  });

  test('a value older than the window is dropped, one set again replaces', () => {
    const window = new BucketWindow(3);
    window.add(10, 3);
    window.add(7, 100);
    window.set(10, 6);
    assert.equal(window.average(10), 6);
  });

  test('weighs the newest second most', () => {
    const window = new BucketWindow(6);
    for (let second = 1; second <= 6; second += 1) window.add(second, second === 6 ? 10 : 0);
    const newest = window.weightedAverage(6);
    window.add(7, 0);
    assert.ok(newest > window.weightedAverage(7));
    assert.ok(newest > window.average(6));
  });
});
