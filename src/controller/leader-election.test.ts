import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { leases } from '#apis/coordination/v1/lease.ts';
import { StatusError } from '#apis/meta/status.ts';
import { runAsLeader } from '#controller/leader-election.ts';
import { FakeCluster } from '#controller/testing.ts';
import { FakeClock } from '#core/clock.ts';
import { silentLogger } from '#core/logger.ts';

const untilAborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));

function stage() {
  const clock = new FakeClock();
  const cluster = new FakeCluster(clock);
  const leading = new Set<string>();
  const start = (identity: string, client: FakeCluster = cluster) => {
    const stop = new AbortController();
    const ended = runAsLeader(
      {
        client,
        namespace: 'n',
        name: 'l',
        identity,
        clock,
        logger: silentLogger,
        random: () => 0,
        isDead: (other) => other === 'known dead',
      },
      stop.signal,
      async (signal) => {
        assert.equal(leading.size, 0, 'two leaders');
        leading.add(identity);
        await untilAborted(signal);
        leading.delete(identity);
      },
    );
    return { stop: () => stop.abort(), ended };
  };
  const advance = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 500) {
      await clock.advance(500);
      for (let turn = 0; turn < 6; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { clock, cluster, leading, start, advance };
}

describe('leader election', () => {
  it('lets one lead, and another follow at once when the first ends', async () => {
    const { start, advance, leading, cluster } = stage();
    const a = start('a');
    await advance(500);
    const b = start('b');
    await advance(20_000);
    assert.deepEqual([...leading], ['a']);
    a.stop();
    await a.ended;
    assert.equal(cluster.find(leases, 'n', 'l')?.spec?.holderIdentity, '');
    await advance(2500);
    assert.deepEqual([...leading], ['b']);
    assert.equal(cluster.find(leases, 'n', 'l')?.spec?.leaseTransitions, 1);
    b.stop();
    await b.ended;
  });

  it('takes over from a leader that was killed, once its lease has run out', async () => {
    const { start, advance, leading, cluster } = stage();
    cluster.seed({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: 'l', namespace: 'n' },
      spec: { holderIdentity: 'dead', leaseDurationSeconds: 15 },
    } as never);
    const b = start('b');
    await advance(14_000);
    assert.deepEqual([...leading], []);
    await advance(4000);
    assert.deepEqual([...leading], ['b']);
    b.stop();
    await b.ended;
  });

  it('takes over at once from a leader that is known to be dead', async () => {
    const { start, advance, leading, cluster } = stage();
    const spec = { holderIdentity: 'known dead', leaseDurationSeconds: 15 };
    cluster.seed({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'l', namespace: 'n' }, spec } as never);
    const b = start('b');
    await advance(500);
    assert.deepEqual([...leading], ['b']);
    b.stop();
    await b.ended;
  });

  it('stops leading when it cannot renew, and stands again', async () => {
    const { start, advance, leading, cluster } = stage();
    const a = start('a');
    await advance(500);
    assert.deepEqual([...leading], ['a']);
    cluster.fail = () => new StatusError('ServiceUnavailable', 'away');
    await advance(13_000);
    assert.deepEqual([...leading], []);
    cluster.fail = () => undefined;
    await advance(3000);
    assert.deepEqual([...leading], ['a']);
    a.stop();
    await a.ended;
  });
});
