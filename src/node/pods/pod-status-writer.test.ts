import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PodStatus } from '#apis/core/v1/pod-status.ts';
import { pods } from '#apis/core/v1/pod.ts';
import { FakeCluster } from '#controller/testing.ts';
import { FakeClock } from '#core/clock.ts';
import { silentLogger } from '#core/logger.ts';
import { PodStatusWriter } from '#node/pods/pod-status-writer.ts';
import { testPod } from '#node/testing/fixture.ts';

class Rig {
  readonly clock = new FakeClock();
  readonly cluster = new FakeCluster(this.clock);
  readonly pod = testPod();
  readonly uid = this.pod.metadata.uid ?? '';
  readonly written: (string | undefined)[] = [];
  readonly writer: PodStatusWriter;

  constructor() {
    this.cluster.seed(this.pod);
    this.cluster.fail = ({ subresource }) => {
      if (subresource === 'status') this.written.push('write');
      return undefined;
    };
    const lister = { get: () => this.stored(), list: () => [], byIndex: () => [] };
    const signal = new AbortController().signal;
    this.writer = new PodStatusWriter({ client: this.cluster, lister, clock: this.clock, logger: silentLogger, signal });
  }

  stored() {
    return this.cluster.all(pods)[0];
  }

  report(status: PodStatus): void {
    this.writer.write({ uid: this.uid, name: 'web', namespace: 'default', status });
  }
}

const ready: PodStatus = { phase: 'Running', podIP: '10.0.0.1', conditions: [{ type: 'ContainersReady', status: 'True' }] };

describe('pod status writer', () => {
  it('passes over steps that follow each other closely, and writes ready at once', async () => {
    const rig = new Rig();
    rig.report({ phase: 'Pending' });
    await rig.clock.advance(40);
    rig.report({ phase: 'Pending', podIP: '10.0.0.1' });
    await rig.clock.advance(40);
    rig.report(ready);
    await rig.clock.advance(0);
    assert.equal(rig.written.length, 1);
    await rig.writer.flush(rig.uid);
    assert.deepEqual([rig.written.length, rig.stored()?.status?.phase], [1, 'Running']);
  });

  it('writes a step that nothing follows', async () => {
    const rig = new Rig();
    rig.report({ phase: 'Pending', podIP: '10.0.0.1' });
    assert.equal(rig.written.length, 0);
    await rig.clock.advance(575);
    assert.equal(rig.stored()?.status?.podIP, '10.0.0.1');
  });

  it('writes at once what happens to a pod that was ready', async () => {
    const rig = new Rig();
    rig.report(ready);
    await rig.writer.flush(rig.uid);
    rig.report({ ...ready, conditions: [{ type: 'ContainersReady', status: 'False' }] });
    await rig.clock.advance(0);
    assert.equal(rig.written.length, 2);
  });

  it('writes what waits when asked to', async () => {
    const rig = new Rig();
    rig.report({ phase: 'Pending' });
    await rig.writer.flush(rig.uid);
    assert.equal(rig.written.length, 1);
  });
});
