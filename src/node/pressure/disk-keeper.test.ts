import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ImageRelief } from '#apis/runtime/image-service.ts';
import { FakeClock } from '#core/clock.ts';
import { silentLogger } from '#core/logger.ts';
import { DiskKeeper, type PodDiskUsage } from '#node/pressure/disk-keeper.ts';
import { pressureThresholdBytes } from '#node/pressure/disk-space.ts';
import { ProviderFixture, testPod } from '#node/testing/fixture.ts';

const megabyte = 2 ** 20;

function usage(name: string, usedBytes: number, spec: object = {}): PodDiskUsage {
  const pod = testPod({ ...spec });
  return {
    pod: { ...pod, metadata: { ...pod.metadata, name, uid: name } },
    usedBytes,
    containers: [{ name: 'app', usedBytes }],
    volumes: [],
  };
}

function keeperOf(available: number, relief: ImageRelief | undefined, usages: PodDiskUsage[]) {
  const clock = new FakeClock();
  const [events, evicted]: [string[], string[]] = [[], []];
  const disk = { totalBytes: 1000 * megabyte, availableBytes: available * megabyte };
  const keeper = new DiskKeeper({
    directory: '/',
    images: {
      relieve: () => {
        disk.availableBytes += relief?.freedBytes ?? 0;
        return Promise.resolve(relief);
      },
    },
    pods: {
      diskUsage: () => Promise.resolve(usages.filter(({ pod }) => !evicted.some((line) => line.startsWith(`${pod.metadata.uid}:`)))),
      evict: async (uid, message) => void evicted.push(`${uid}: ${message}`),
    },
    event: (type, reason, message) => events.push(`${type} ${reason}: ${message}`),
    clock,
    logger: silentLogger,
    space: () => Promise.resolve(disk),
  });
  const look = async () => {
    const isPressed = await keeper.look();
    await keeper.settled();
    return isPressed;
  };
  return { keeper, clock, events, evicted, disk, look };
}

describe('the keeper of the disk', () => {
  it('leaves a disk with room alone; of a big one a gigabyte is enough', async () => {
    const { look, events, evicted } = keeperOf(101, undefined, [usage('big', 500 * megabyte)]);
    assert.deepEqual([await look(), events, evicted], [false, [], []]);
    assert.equal(pressureThresholdBytes({ totalBytes: 2 ** 40, availableBytes: 0 }), 2 ** 30);
  });

  it('removes unused images first and evicts nobody when that is enough; the pressure is held for a while', async () => {
    const freed = 200 * megabyte;
    const { look, events, evicted, clock } = keeperOf(50, { removed: ['x'], wantedBytes: freed, freedBytes: freed }, [usage('big', freed)]);
    assert.equal(await look(), true);
    assert.deepEqual([events, evicted], [['Warning EvictionThresholdMet: Attempting to reclaim ephemeral-storage'], []]);
    await clock.advance(20_000);
    assert.equal(await look(), true);
    await clock.advance(1);
    assert.equal(await look(), false);
  });

  it('says when images do not free enough, and evicts one pod a look: greedy, unimportant, big ones first', async () => {
    const critical = usage('critical', 900 * megabyte, { priority: 2_000_001_000 });
    const modest = usage('modest', 300 * megabyte, { containers: [{ resources: { requests: { 'ephemeral-storage': '1Gi' } } }] });
    const usages = [
      critical,
      modest,
      usage('important', 400 * megabyte, { priority: 10 }),
      usage('big', 200 * megabyte),
      usage('small', 5),
    ];
    const { look, events, evicted } = keeperOf(50, { removed: [], wantedBytes: 150, freedBytes: 0 }, usages);
    for (let looks = 0; looks < 5; looks += 1) await look();
    assert.deepEqual(
      evicted.map((line) => line.split(':')[0]),
      ['big', 'important', 'modest'],
    );
    assert.equal(
      evicted[0],
      'big: The node was low on resource: ephemeral-storage. Threshold quantity: 100Mi, available: 50Mi. ' +
        'Container app was using 200Mi, request is 0, has larger consumption of ephemeral-storage. ',
    );
    assert.deepEqual(events, [
      'Warning EvictionThresholdMet: Attempting to reclaim ephemeral-storage',
      'Warning FreeDiskSpaceFailed: Failed to garbage collect required amount of images. Attempted to free 150 bytes, but only found 0 bytes eligible to free.',
    ]);
  });

  it('collects images every five minutes, and says from the second failure on that it fails', async () => {
    const { keeper, clock, events } = keeperOf(120, { removed: [], wantedBytes: 2, freedBytes: 1 }, []);
    for (let rounds = 0; rounds < 2; rounds += 1) await clock.advance(300_000);
    const text = 'Failed to garbage collect required amount of images. Attempted to free 2 bytes, but only found 1 bytes eligible to free.';
    const failed = `Warning FreeDiskSpaceFailed: ${text}`;
    assert.deepEqual(events, [failed, failed, `Warning ImageGCFailed: ${text}`]);
    keeper[Symbol.dispose]();
    await clock.advance(300_000);
    assert.equal(events.length, 3);
  });
});

describe('a pod on a full disk', () => {
  it('is measured and evicted: failed for good, with the words and the condition of a kubelet', async () => {
    await using fixture = await ProviderFixture.create();
    const pod = testPod();
    const uid = pod.metadata.uid ?? '';
    await fixture.provider.createPod(pod);
    await fixture.until(() => fixture.status(uid)?.phase === 'Running');
    fixture.engine.written.set(`${uid}/app`, 5 * megabyte);
    const [found] = await fixture.provider.diskUsage();
    assert.ok((found?.usedBytes ?? 0) >= 5 * megabyte);
    await fixture.provider.evict(uid, 'no room');
    const { phase, reason, message, conditions = [], containerStatuses = [] } = fixture.status(uid) ?? {};
    assert.deepEqual([phase, reason, message, containerStatuses[0]?.state?.terminated?.exitCode], ['Failed', 'Evicted', 'no room', 137]);
    const disruption = conditions.find(({ type }) => type === 'DisruptionTarget');
    assert.deepEqual([disruption?.status, disruption?.reason, disruption?.message], ['True', 'TerminationByKubelet', 'no room']);
    assert.ok(fixture.events.texts.includes('Evicted: no room'));
    assert.deepEqual(await fixture.provider.diskUsage(), []);
  });

  it('waits with CreateContainerError where its container cannot be made, and runs when there is room', async () => {
    await using fixture = await ProviderFixture.create();
    const start = fixture.engine.startContainer.bind(fixture.engine);
    const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    fixture.engine.startContainer = () => Promise.reject(new Error(full.message, { cause: full }));
    const pod = testPod({ restartPolicy: 'Never' });
    const state = () => fixture.status(pod.metadata.uid ?? '')?.containerStatuses?.[0]?.state;
    await fixture.provider.createPod(pod);
    await fixture.until(() => state()?.waiting?.reason === 'CreateContainerError');
    assert.equal(state()?.waiting?.message, full.message);
    assert.ok(fixture.events.texts.includes(`Failed: Error: ${full.message}`));
    fixture.engine.startContainer = start;
    await fixture.advance(5_000);
    await fixture.until(() => state()?.running !== undefined);
  });
});
