import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { configMaps } from '#apis/core/v1/config-map.ts';
import { annotations, labels } from '#apis/serving/names.ts';
import { revisions } from '#apis/serving/v1/kinds.ts';
import type { Revision } from '#apis/serving/v1/schemas.ts';
import { reconcileOnce, startRig } from '#controller/testing.ts';
import { FakeClock } from '#core/clock.ts';
import { gcController } from '#serving/gc/reconciler.ts';
import { aConfiguration, aRevision, make, status } from '#serving/testing.ts';

const nowMs = Date.parse('2026-01-10T00:00:00Z');
const daysAgo = (days: number) => new Date(nowMs - days * 86_400_000).toISOString();

const configuration = aConfiguration({
  status: status({ Ready: 'True' }, { latestReadyRevisionName: 's-00009', latestCreatedRevisionName: 's-00009' }),
});

/** Generation → days since created and last routed to. */
function revision(generation: number, days: number, more: { state?: string; notes?: Record<string, string> } = {}): Revision {
  return aRevision(configuration, generation, {
    metadata: {
      creationTimestamp: daysAgo(days),
      labels: { [labels.routingState]: more.state ?? 'reserve' },
      annotations: { [annotations.routingStateModified]: daysAgo(days), ...more.notes },
    },
  });
}

async function collected(config: Record<string, string>, ...revisions: Revision[]): Promise<readonly string[]> {
  const map = make(configMaps, 'config-gc', { metadata: { namespace: 'knative-serving' }, data: config });
  const { deletes } = await reconcileOnce(gcController, {
    objects: [map, configuration, ...revisions],
    key: 'n/s',
    clock: new FakeClock(nowMs),
  });
  return deletes.map((text) => text.slice('Revision n/'.length));
}

const keepNone = { 'min-non-active-revisions': '0' };

describe('revision gc controller', () => {
  test('old revisions go, oldest first, down to the least number kept', async () => {
    const old = [revision(1, 9), revision(2, 8), revision(3, 7)];
    assert.deepEqual(await collected({ 'min-non-active-revisions': '1' }, ...old), ['s-00001', 's-00002']);
    assert.deepEqual(await collected({}, ...old), []);
  });

  test('a young revision stays', async () => {
    assert.deepEqual(await collected(keepNone, revision(1, 9), revision(2, 0)), ['s-00001']);
  });

  test('too many go whatever their age', async () => {
    const config = { ...keepNone, 'max-non-active-revisions': '1' };
    assert.deepEqual(await collected(config, revision(1, 0), revision(2, 0), revision(3, 0)), ['s-00001', 's-00002']);
  });

  test('what gets traffic, is new, latest or asks to stay is kept', async () => {
    const kept = [
      revision(1, 9, { state: 'active' }),
      revision(2, 9, { state: 'pending' }),
      revision(3, 9, { notes: { [annotations.noGc]: 'true' } }),
      revision(9, 9),
    ];
    assert.deepEqual(await collected(keepNone, ...kept), []);
  });

  test('a revision that loses its route is collected at once', async () => {
    const data = { ...keepNone, 'max-non-active-revisions': '0' };
    const map = make(configMaps, 'config-gc', { metadata: { namespace: 'knative-serving' }, data });
    const active = revision(1, 0, { state: 'active' });
    await using rig = await startRig([gcController], [map, configuration, active, revision(9, 0)], new FakeClock(nowMs));
    await rig.settle();
    assert.ok(rig.cluster.find(revisions, 'n', 's-00001'));
    rig.cluster.change(
      revisions,
      'n',
      's-00001',
      ({ metadata }) => (metadata.labels = { ...metadata.labels, [labels.routingState]: 'reserve' }),
    );
    await rig.settle();
    assert.equal(rig.cluster.find(revisions, 'n', 's-00001'), undefined);
  });

  test('with both ages switched off nothing grows too old', async () => {
    const off = { ...keepNone, 'retain-since-create-time': 'disabled', 'retain-since-last-active-time': 'disabled' };
    assert.deepEqual(await collected(off, revision(1, 9)), []);
  });
});
