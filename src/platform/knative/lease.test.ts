import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { leases } from '#apis/coordination/v1/lease.ts';
import { runAsLeader } from '#controller/leader-election.ts';
import { FakeCluster } from '#controller/testing.ts';
import { FakeClock } from '#core/clock.ts';
import { silentLogger } from '#core/logger.ts';
import { claimKnativeLease, knativeLease } from '#platform/knative/lease.ts';

describe("the lease of Knative's controllers", () => {
  test('the control process takes it from others, keeps it, and gives back its own alone', async () => {
    const clock = new FakeClock();
    const cluster = new FakeCluster(clock);
    const stop = new AbortController();
    let leading = 0;
    const election = { client: cluster, namespace: 'knative-serving', name: knativeLease, identity: 'other', clock, logger: silentLogger };
    const ended = runAsLeader(election, stop.signal, async (signal) => {
      leading += 1;
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      leading -= 1;
    });
    const pass = async (seconds: number) => {
      for (let half = 0; half < seconds * 2; half += 1) {
        await clock.advance(500);
        for (let turn = 0; turn < 6; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      }
    };
    await pass(1);
    assert.equal(leading, 1);
    await claimKnativeLease(cluster, false);
    await pass(5);
    assert.equal(leading, 1, 'a lease of others is left alone');
    await claimKnativeLease(cluster, true);
    await pass(5);
    assert.equal(leading, 0);
    await pass(600);
    assert.equal(leading, 0, 'it does not run out');
    const writes = cluster.actions.length;
    await claimKnativeLease(cluster, true);
    assert.equal(cluster.actions.length, writes, 'a lease that is held is not written again');
    await claimKnativeLease(cluster, false);
    await pass(5);
    assert.equal(leading, 1);
    stop.abort();
    await ended;
    assert.equal(cluster.find(leases, 'knative-serving', knativeLease)?.spec?.holderIdentity, '');
  });

  test('a platform that never ran them makes no lease', async () => {
    const cluster = new FakeCluster(new FakeClock());
    await claimKnativeLease(cluster, false);
    assert.equal(cluster.actions.length, 0);
  });
});
