import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { events } from '#apis/core/v1/event.ts';
import { StatusError } from '#apis/meta/status.ts';
import { createEventRecorder } from '#controller/events.ts';
import { FakeCluster } from '#controller/testing.ts';
import { FakeClock } from '#core/clock.ts';
import { silentLogger } from '#core/logger.ts';

const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', namespace: 'n', uid: 'u' } };

function recorderOf() {
  const clock = new FakeClock();
  const cluster = new FakeCluster(clock);
  const machine = { workload: 0 };
  const workload = () => machine.workload;
  const recorder = createEventRecorder({ client: cluster, component: 'tester', clock, logger: silentLogger, workload });
  return { clock, cluster, machine, recorder };
}

describe('event recorder', () => {
  it('writes what happened to what', async () => {
    const { cluster, recorder } = recorderOf();
    recorder.event(pod, 'Warning', 'BackOff', 'again');
    await recorder.flush();
    const [event] = cluster.all(events);
    assert.equal(event?.metadata.namespace, 'n');
    assert.match(event?.metadata.name ?? '', /^p\.[0-9a-f]{16}$/);
    assert.deepEqual(event?.involvedObject, { kind: 'Pod', apiVersion: 'v1', namespace: 'n', name: 'p', uid: 'u' });
    assert.deepEqual([event?.type, event?.reason, event?.message, event?.count], ['Warning', 'BackOff', 'again', 1]);
  });

  it('speaks for each controller under its own name', async () => {
    const { cluster, recorder } = recorderOf();
    for (const speaker of [recorder, recorder.as('default-scheduler'), recorder.as('job-controller')]) {
      speaker.event(pod, 'Normal', 'Same', 'words');
    }
    await recorder.flush();
    const said = cluster.all(events).map(({ source, reportingComponent, count }) => [source?.component, reportingComponent, count]);
    assert.deepEqual(
      said,
      ['tester', 'default-scheduler', 'job-controller'].map((name) => [name, name, 1]),
    );
  });

  it('counts a repeated event up instead of writing another', async () => {
    const { cluster, recorder, clock } = recorderOf();
    recorder.event(pod, 'Normal', 'Pulled', 'image');
    await recorder.flush();
    await clock.advance(60_000);
    recorder.event(pod, 'Normal', 'Pulled', 'image');
    recorder.event(pod, 'Normal', 'Pulled', 'image');
    await recorder.flush();
    const all = cluster.all(events);
    assert.equal(all.length, 1);
    assert.equal(all[0]?.count, 3);
    assert.notEqual(all[0]?.firstTimestamp, all[0]?.lastTimestamp);
  });

  it('waits until nothing more is said, or for two seconds and a little for each that waits; what went wrong does not wait for that', async () => {
    const { cluster, recorder, clock } = recorderOf();
    const say = (type: 'Normal' | 'Warning', name: string) =>
      recorder.event({ ...pod, metadata: { ...pod.metadata, name, uid: name } }, type, 'Said', 'something');
    for (let index = 0; index < 28; index += 1) {
      say('Normal', `p${index}`);
      await clock.advance(99);
    }
    assert.equal(cluster.all(events).length, 0, 'somebody is still talking');
    say('Normal', 'p28');
    await clock.advance(99);
    assert.notEqual(cluster.all(events).length, 0, 'two seconds and 29 times thirty milliseconds are over');
    await recorder.flush();
    assert.equal(cluster.all(events).length, 29);
    say('Normal', 'last');
    await clock.advance(199);
    assert.equal(cluster.all(events).length, 29);
    await clock.advance(1);
    assert.equal(cluster.all(events).length, 30, 'it has been quiet');
    say('Warning', 'failed');
    for (let index = 0; index < 3; index += 1) {
      await clock.advance(100);
      say('Normal', `q${index}`);
    }
    assert.equal(
      cluster.all(events).some(({ type }) => type === 'Warning'),
      true,
    );
  });

  it('does not compete with a busy process, for two seconds and a little', async () => {
    const { cluster, recorder, clock, machine } = recorderOf();
    machine.workload = 0.9;
    recorder.event(pod, 'Normal', 'Said', 'something');
    await clock.advance(2000);
    assert.equal(cluster.all(events).length, 0);
    await clock.advance(200);
    assert.equal(cluster.all(events).length, 1);
    recorder.event(pod, 'Normal', 'Said', 'something else');
    await clock.advance(600);
    machine.workload = 0.1;
    await clock.advance(200);
    assert.equal(cluster.all(events).length, 2);
  });

  it('combines many similar events and cuts off an object that talks too much', async () => {
    const { cluster, recorder } = recorderOf();
    for (let index = 0; index < 100; index += 1) recorder.event(pod, 'Normal', 'Tick', `tick ${index}`);
    await recorder.flush();
    const all = cluster.all(events);
    assert.equal(all.length, 11);
    assert.match(all.at(-1)?.message ?? '', /^\(combined from similar events\): tick/);
    assert.equal(
      all.reduce((sum, { count = 0 }) => sum + count, 0),
      25,
    );
  });

  it('never throws, and tries again when the API server is away', async () => {
    const { cluster, recorder, clock } = recorderOf();
    let failures = 2;
    cluster.fail = () => (failures-- > 0 ? new StatusError('ServiceUnavailable', 'away') : undefined);
    recorder.event(pod, 'Normal', 'Started', 'x');
    const flushed = recorder.flush();
    for (let step = 0; step < 4; step += 1) await clock.advance(1000);
    await flushed;
    assert.equal(cluster.all(events).length, 1);
  });

  it('writes anew when the counted event has expired', async () => {
    const { cluster, recorder } = recorderOf();
    recorder.event(pod, 'Normal', 'Pulled', 'image');
    await recorder.flush();
    await cluster.of(events).delete('n', cluster.all(events)[0]?.metadata.name ?? '');
    recorder.event(pod, 'Normal', 'Pulled', 'image');
    await recorder.flush();
    assert.equal(cluster.all(events)[0]?.count, 2);
  });

  it('cuts long messages to 1024 bytes between characters', async () => {
    const { cluster, recorder } = recorderOf();
    recorder.event(pod, 'Normal', 'Long', 'ü'.repeat(2000));
    await recorder.flush();
    const message = cluster.all(events)[0]?.message ?? '';
    assert.ok(Buffer.byteLength(message) <= 1024);
    assert.match(message, /^ü+…$/);
  });
});
