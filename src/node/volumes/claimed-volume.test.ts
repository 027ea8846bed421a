import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { PersistentVolumeClaim } from '#apis/core/v1/persistent-volume-claim.ts';
import type { PersistentVolume } from '#apis/core/v1/persistent-volume.ts';
import type { Volume } from '#apis/core/v1/volume.ts';
import { FakeClock } from '#core/clock.ts';
import { silentLogger } from '#core/logger.ts';
import { fakeNode, FakeSources, testPod } from '#node/testing/fixture.ts';
import { LocalPodVolumes } from '#node/volumes/local-pod-volumes.ts';
import { giveToGroup } from '#node/volumes/ownership.ts';

const claimed: Volume = { name: 'v', persistentVolumeClaim: { claimName: 'a' } };
const claim = (more: object = {}) =>
  ({
    metadata: { namespace: 'default', name: 'a', uid: 'u' },
    spec: { volumeName: 'pv' },
    status: { phase: 'Bound' },
    ...more,
  }) as PersistentVolumeClaim;
const volume = (spec: object) =>
  ({ metadata: { name: 'pv' }, spec: { claimRef: { namespace: 'default', name: 'a', uid: 'u' }, ...spec } }) as unknown as PersistentVolume;

class Rig implements AsyncDisposable {
  readonly directory: string;
  readonly sources = new FakeSources(new FakeClock());

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async create(): Promise<Rig> {
    return new Rig(await mkdtemp(join(tmpdir(), 'volumes-')));
  }

  holds(claimToKeep: PersistentVolumeClaim, ...found: PersistentVolume[]): this {
    this.sources.claims.set('default/a', claimToKeep);
    for (const one of found) this.sources.persistentVolumes.set(one.metadata.name ?? '', one);
    return this;
  }

  async mounts(volumes: Volume[] = [claimed], mount: object = {}) {
    const pod = testPod({ volumes, containers: [{ volumeMounts: [{ name: 'v', mountPath: '/v', ...mount }] }] });
    const common = { sources: this.sources, node: () => fakeNode, clock: new FakeClock(), logger: silentLogger, isTakenOver: false };
    await using prepared = new LocalPodVolumes({ ...common, pod, directory: join(this.directory, 'own') });
    await prepared.prepare('10.88.0.2', AbortSignal.timeout(5000));
    return prepared.mounts(pod.spec.containers[0] ?? assert.fail(), new Map());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }
}

describe('a pod’s claims', () => {
  it('are the directories behind them: local and hostPath; they outlive the pod', async () => {
    await using rig = await Rig.create();
    const [local, host] = [join(rig.directory, 'local'), join(rig.directory, 'host')];
    await mkdir(local);
    rig.holds(claim(), volume({ local: { path: local } }));
    assert.deepEqual(await rig.mounts(), [{ hostPath: local, containerPath: '/v', readOnly: false }]);
    rig.holds(claim(), volume({ hostPath: { path: host, type: 'DirectoryOrCreate' } }));
    assert.equal((await rig.mounts())[0]?.hostPath, host);
    assert.ok((await stat(local)).isDirectory() && (await stat(host)).isDirectory());
  });

  it('are read-only where the pod’s volume says so; a subPath has the volume’s permissions', async () => {
    await using rig = await Rig.create();
    const path = join(rig.directory, 'local');
    await mkdir(path);
    const { mode } = await stat(path);
    rig.holds(claim(), volume({ local: { path } }));
    const readOnly: Volume = { name: 'v', persistentVolumeClaim: { claimName: 'a', readOnly: true } };
    assert.equal((await rig.mounts([readOnly]))[0]?.readOnly, true);
    const [{ hostPath } = { hostPath: '' }] = await rig.mounts([claimed], { subPath: 'a/b' });
    assert.equal(hostPath, join(path, 'a/b'));
    assert.equal((await stat(hostPath)).mode, mode);
  });

  it('that cannot be used say why, as a kubelet does', async () => {
    await using rig = await Rig.create();
    const missing = join(rig.directory, 'missing');
    const problem = /^MountVolume\.SetUp failed for volume "v" : /;
    const cases: readonly [() => void, RegExp][] = [
      [() => {}, /error processing PVC default\/a: failed to fetch PVC from API server: persistentvolumeclaims "a" not found$/],
      [() => rig.holds(claim({ status: { phase: 'Pending' } })), /PVC is not bound$/],
      [() => rig.holds(claim({ metadata: { uid: 'u', deletionTimestamp: 'now' } })), /PVC is being deleted$/],
      [() => rig.holds(claim()), /PV pv is not bound to the claim$/],
      [() => rig.holds(claim(), volume({ nfs: { server: 's', path: '/' } })), /only local and hostPath$/],
      [
        () => rig.holds(claim(), volume({ local: { path: missing } })),
        new RegExp(`failed for volume "pv" : path "${missing}" does not exist$`),
      ],
    ];
    for (const [prepare, text] of cases) {
      prepare();
      const error = await rig.mounts().then(
        () => assert.fail('it works'),
        (failure: Error) => failure.message,
      );
      assert.match(error, problem);
      assert.match(error, text);
    }
  });
});

describe('the group of a volume', { skip: process.getuid?.() === 0 ? false : 'needs root' }, () => {
  it('gets everything in it, but not what a link leads to; with OnRootMismatch only once', async () => {
    await using rig = await Rig.create();
    const [top, deep, outside] = [join(rig.directory, 'v'), join(rig.directory, 'v/deep'), join(rig.directory, 'outside')];
    await mkdir(deep, { recursive: true, mode: 0o700 });
    for (const path of [join(deep, 'file'), outside]) await writeFile(path, '', { mode: 0o600 });
    await symlink(outside, join(top, 'link'));
    await giveToGroup(top, 4711, undefined);
    const modes = await Promise.all([top, deep, join(deep, 'file')].map(async (path) => ((await stat(path)).mode & 0o7777).toString(8)));
    assert.deepEqual(modes.slice(1), ['2770', '660']);
    for (const path of [top, deep, join(deep, 'file')]) assert.equal((await stat(path)).gid, 4711);
    assert.equal((await stat(outside)).gid, process.getgid?.());
    await writeFile(join(top, 'new'), '', { mode: 0o600 });
    await giveToGroup(top, 4711, 'OnRootMismatch');
    assert.equal((await stat(join(top, 'new'))).mode & 0o777, 0o600);
    await giveToGroup(top, 4711, 'Always');
    assert.equal((await stat(join(top, 'new'))).mode & 0o777, 0o660);
  });
});
