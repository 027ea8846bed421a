import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { silentLogger } from '#core/logger.ts';
import type { PodDiskUsage } from '#node/pressure/disk-keeper.ts';
import { excessOf, StorageLimits } from '#node/pressure/storage-limits.ts';
import { ProviderFixture, testPod } from '#node/testing/fixture.ts';

const megabyte = 2 ** 20;
const limited = (limit: string) => ({ resources: { limits: { 'ephemeral-storage': limit } } });

function usage(
  spec: Parameters<typeof testPod>[0],
  containers: Record<string, number>,
  volumes: Record<string, number> = {},
): PodDiskUsage {
  const shares = (map: Record<string, number>) => Object.entries(map).map(([name, count]) => ({ name, usedBytes: count * megabyte }));
  const all = [...shares(containers), ...shares(volumes)];
  const usedBytes = all.reduce((sum, one) => sum + one.usedBytes, 0);
  return { pod: testPod(spec), containers: shares(containers), volumes: shares(volumes), usedBytes };
}

describe('what a pod may take of the disk', () => {
  const volumes = [{ name: 'cache', emptyDir: { sizeLimit: '1Mi' } }];

  it('a volume: its size limit; one of zero is none', () => {
    assert.equal(excessOf(usage({ volumes }, {}, { cache: 2 })), 'Usage of EmptyDir volume "cache" exceeds the limit "1Mi". ');
    assert.equal(excessOf(usage({ volumes }, {}, { cache: 1 })), undefined);
    assert.equal(excessOf(usage({ volumes: [{ name: 'cache', emptyDir: { sizeLimit: '0' } }] }, {}, { cache: 9 })), undefined);
  });

  it('the pod: the sum of its containers’ limits, with what lies in volumes', () => {
    const containers = [limited('1Mi'), limited('2Mi')];
    const text = 'Pod ephemeral local storage usage exceeds the total limit of containers 3Mi. ';
    assert.equal(excessOf(usage({ containers, volumes: [{ name: 'x', emptyDir: {} }] }, { app: 1, app1: 1 }, { x: 2 })), text);
    assert.equal(excessOf(usage({ containers }, { app: 1, app1: 2 })), undefined);
  });

  it('a container: its own limit', () => {
    const text = 'Container app exceeded its local ephemeral storage limit "1Mi". ';
    assert.equal(excessOf(usage({ containers: [limited('1Mi'), limited('9Mi')] }, { app: 2, app1: 1 })), text);
    assert.equal(excessOf(usage({}, { app: 900 })), undefined);
  });

  it('a pod that takes more ends at the next look, Evicted without a disruption; others are not even measured', async () => {
    await using fixture = await ProviderFixture.create();
    using limits = new StorageLimits({ pods: fixture.provider, clock: fixture.clock, logger: silentLogger });
    assert.ok(limits);
    const pod = testPod({ volumes, containers: [{ volumeMounts: [{ name: 'cache', mountPath: '/cache' }] }] });
    const free = testPod();
    free.metadata.name = 'free';
    const status = () => fixture.status(pod.metadata.uid ?? '');
    for (const one of [pod, free]) {
      await fixture.provider.createPod(one);
      await fixture.until(() => fixture.status(one.metadata.uid ?? '')?.phase === 'Running');
    }
    const measured = await fixture.provider.diskUsage((one) => one.spec?.volumes !== undefined);
    assert.deepEqual(
      measured.map((one) => one.pod.metadata.uid),
      [pod.metadata.uid],
    );
    const cache = join(fixture.directory, 'pods', pod.metadata.uid ?? '', 'volumes', 'cache');
    await mkdir(join(cache, 'deep'));
    await writeFile(join(cache, 'deep/file'), Buffer.alloc(2 * megabyte, 1));
    await fixture.advance(10_000);
    await fixture.until(() => status()?.phase === 'Failed');
    const { reason, message, conditions = [] } = status() ?? {};
    assert.deepEqual([reason, message], ['Evicted', 'Usage of EmptyDir volume "cache" exceeds the limit "1Mi". ']);
    assert.ok(!conditions.some(({ type }) => type === 'DisruptionTarget'));
    assert.ok(fixture.events.texts.includes(`Evicted: ${message}`));
    assert.equal(fixture.status(free.metadata.uid ?? '')?.phase, 'Running');
  });
});
