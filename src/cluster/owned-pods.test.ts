import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { jobs } from '#apis/batch/v1/job.ts';
import type { Pod } from '#apis/core/v1/pod.ts';
import { createInformers } from '#client/informer.ts';
import { FakeCluster, silentEvents } from '#controller/testing.ts';
import { FakeClock } from '#core/clock.ts';
import { silentLogger } from '#core/logger.ts';
import { OwnedPods, podFromTemplate } from '#cluster/owned-pods.ts';

const owner = { metadata: { namespace: 'n', name: 'j', uid: 'u' } };
const template = { metadata: { labels: { a: 'b' }, finalizers: ['example.dev/held'] }, spec: { containers: [] } };

/** The informers are not started yet: until `start` is called the cache is late for good. */
async function withOwnedPods(test: (own: OwnedPods, cluster: FakeCluster, start: () => Promise<void>) => Promise<void>): Promise<void> {
  const clock = new FakeClock();
  const cluster = new FakeCluster(clock);
  const stop = new AbortController();
  await using informers = createInformers(cluster, { clock });
  const context = { client: cluster, informers, events: silentEvents, clock, logger: silentLogger };
  const own = new OwnedPods(context, jobs, { key: () => {}, keyAfter: () => {}, all: () => {} });
  try {
    await test(own, cluster, () => informers.start(stop.signal));
  } finally {
    stop.abort();
  }
}

describe('owned pods', () => {
  it('are unsettled from a creation until the cache shows the pod', () =>
    withOwnedPods(async (own, _cluster, start) => {
      await own.create(owner, podFromTemplate(owner, jobs, template));
      assert.deepEqual([own.isSettled(owner), own.of(owner).length], [false, 0]);
      await start();
      assert.deepEqual([own.isSettled(owner), own.of(owner).length], [true, 1]);
    }));

  it('are settled when the pod to remove is gone already, or cannot be removed', () =>
    withOwnedPods(async (own, cluster) => {
      const pod = { ...podFromTemplate(owner, jobs, template), metadata: { namespace: 'n', name: 'gone', uid: 'p' } } as Pod;
      await own.remove(owner, pod);
      assert.equal(own.isSettled(owner), true);
      cluster.fail = ({ verb }) => (verb === 'delete' ? new Error('no') : undefined);
      await assert.rejects(own.remove(owner, pod), /no/);
      assert.equal(own.isSettled(owner), true);
    }));

  it('have the finalizers, labels and owner that the template and the owner give', () => {
    const { metadata } = podFromTemplate(owner, jobs, template);
    assert.deepEqual([metadata.generateName, metadata.labels, metadata.finalizers], ['j-', { a: 'b' }, ['example.dev/held']]);
    assert.equal(metadata.ownerReferences?.[0]?.uid, 'u');
  });
});
