import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readConfig } from '#apis/serving/config/config-map.ts';
import { autoscalerTable } from '#apis/serving/config/tables.ts';
import { Collector } from '#autoscaler/collector.ts';
import { Scalers } from '#autoscaler/scaler.ts';
import { scalingSpec } from '#autoscaler/spec.ts';
import { FakeClock } from '#core/clock.ts';

const key = 'default/hello-00001';
const spec = scalingSpec({ metadata: { name: 'hello-00001', namespace: 'default' } }, readConfig(autoscalerTable, {}));

/** One revision with a gateway that is connected; `looks` counts how often its pods were looked at. */
function rig() {
  const clock = new FakeClock();
  const collector = new Collector(clock);
  const pods = { ready: 0, looks: 0 };
  const scalers = new Scalers(collector, clock, () => {});
  collector.connected('gateway');
  const readyPods = () => {
    pods.looks += 1;
    return pods.ready;
  };
  scalers.ensure(key, spec, readyPods);
  scalers.start();
  const pass = async (seconds: number) => {
    for (let second = 0; second < seconds; second += 1) await clock.advance(1000);
  };
  const looksDuring = async (seconds: number) => {
    const before = pods.looks;
    await pass(seconds);
    return pods.looks - before;
  };
  return { clock, collector, pods, scalers, pass, looksDuring, readyPods };
}

describe('scalers', () => {
  it('lets a revision sleep that has no pods and no requests', async () => {
    const { scalers, pass, looksDuring } = rig();
    await pass(4);
    assert.equal(scalers.decision(key)?.desired, 0);
    assert.equal(await looksDuring(60), 0);
  });

  it('goes on deciding while there are pods, or requests in the window', async () => {
    const { clock, collector, pods, scalers, pass, looksDuring } = rig();
    pods.ready = 1;
    await pass(4);
    assert.notEqual(await looksDuring(10), 0);
    pods.ready = 0;
    const [namespace = '', revision = ''] = key.split('/');
    const second = Math.floor(clock.now() / 1000) - 1;
    const counted = { namespace, revision, averageConcurrency: 1, requests: 1, queued: 0, running: 0 };
    collector.report('gateway', { type: 'report', second, revisions: [counted] });
    assert.notEqual(await looksDuring(10), 0);
    assert.equal(scalers.decision(key)?.desired, 1);
    await pass(70);
    assert.equal(scalers.decision(key)?.desired, 0);
    assert.equal(await looksDuring(10), 0);
  });

  it('is woken by a request that waits, by what is counted, and by a new specification', async () => {
    const { collector, scalers, pass, looksDuring, readyPods } = rig();
    const [namespace = '', revision = ''] = key.split('/');
    await pass(10);
    scalers.wake(key);
    collector.poke('gateway', { type: 'poke', namespace, revision, queued: 1, running: 0 });
    scalers.earlyTick(key);
    assert.equal(scalers.decision(key)?.desired, 1);
    assert.notEqual(await looksDuring(4), 0);
    await pass(80);
    assert.equal(await looksDuring(4), 0);
    scalers.wake(key);
    assert.notEqual(await looksDuring(4), 0);
    scalers.ensure(key, spec, readyPods);
    assert.notEqual(await looksDuring(4), 0);
    scalers.forget(key);
    scalers.wake(key);
    assert.equal(await looksDuring(4), 0);
  });
});
