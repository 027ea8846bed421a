import assert from 'node:assert/strict';
import { mkdtemp, readFile, readdir, readlink, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Pod } from '#apis/core/v1/pod.ts';
import type { Volume } from '#apis/core/v1/volume.ts';
import { FakeClock } from '#core/clock.ts';
import { silentLogger } from '#core/logger.ts';
import { fakeNode, FakeSources, testPod } from '#node/testing/fixture.ts';
import { LocalPodVolumes } from '#node/volumes/local-pod-volumes.ts';

class Rig implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly sources = new FakeSources(this.clock);
  readonly signal = new AbortController().signal;
  readonly directory: string;
  readonly pod: Pod;
  readonly volumes: LocalPodVolumes;

  private constructor(directory: string, pod: Pod) {
    this.directory = directory;
    this.pod = pod;
    const { sources, clock } = this;
    this.volumes = new LocalPodVolumes({
      isTakenOver: false,
      pod,
      directory: join(directory, 'volumes'),
      sources,
      node: () => fakeNode,
      clock,
      logger: silentLogger,
    });
  }

  static async create(volumes: Volume[], mounts: { name: string; mountPath: string; subPath?: string }[] = []): Promise<Rig> {
    const pod = testPod({ volumes, containers: [{ volumeMounts: mounts }] });
    return new Rig(await mkdtemp(join(tmpdir(), 'volumes-')), pod);
  }

  prepare(): Promise<void> {
    return this.volumes.prepare('10.88.0.2', this.signal);
  }
  path(...parts: string[]): string {
    return join(this.directory, 'volumes', ...parts);
  }
  read(...parts: string[]): Promise<string> {
    return readFile(this.path(...parts), 'utf8');
  }
  mounts() {
    const [container] = this.pod.spec?.containers ?? [];
    assert.ok(container !== undefined);
    return this.volumes.mounts(container, new Map());
  }
  async until(condition: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + 5_000;
    while (!(await condition())) {
      assert.ok(Date.now() < deadline, 'condition not met');
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.volumes[Symbol.asyncDispose]();
    await rm(this.directory, { recursive: true, force: true });
  }
}

describe('the volumes of a pod', () => {
  it('show a ConfigMap through the data link and follow its changes in one step', async () => {
    await using rig = await Rig.create([{ name: 'conf', configMap: { name: 'conf' } }]);
    rig.sources.setConfigMap('default', 'conf', { a: '1', b: '2' });
    await rig.prepare();
    assert.equal(await rig.read('conf', 'a'), '1');
    assert.equal(await readlink(rig.path('conf', 'a')), '..data/a');
    const before = await readlink(rig.path('conf', '..data'));
    rig.sources.setConfigMap('default', 'conf', { a: 'x', c: '3' });
    await rig.until(async () => (await rig.read('conf', 'a')) === 'x');
    await rig.until(async () => !(await readdir(rig.path('conf'))).includes(before));
    assert.deepEqual((await readdir(rig.path('conf'))).filter((name) => !name.startsWith('..')).sort(), ['a', 'c']);
  });

  it('say which object or key is missing, and accept optional ones', async () => {
    await using rig = await Rig.create([{ name: 'conf', configMap: { name: 'gone' } }]);
    await assert.rejects(rig.prepare(), /^VolumeError: MountVolume\.SetUp failed for volume "conf" : configmap "gone" not found$/);
    rig.sources.setConfigMap('default', 'gone', { a: '1' });
    await rig.prepare();
    await using keyed = await Rig.create([{ name: 'conf', configMap: { name: 'c', items: [{ key: 'nope', path: 'x' }] } }]);
    keyed.sources.setConfigMap('default', 'c', {});
    await assert.rejects(keyed.prepare(), /references non-existent config key: nope/);
    await using optional = await Rig.create([{ name: 'conf', secret: { secretName: 'gone', optional: true } }]);
    await optional.prepare();
  });

  it('put a bound token, the CA and the namespace side by side, and renew the token in time', async () => {
    await using rig = await Rig.create([
      {
        name: 'api',
        projected: {
          sources: [
            { serviceAccountToken: { path: 'token', expirationSeconds: 600 } },
            { downwardAPI: { items: [{ path: 'namespace', fieldRef: { fieldPath: 'metadata.namespace' } }] } },
          ],
        },
      },
    ]);
    await rig.prepare();
    const first = await rig.read('api', 'token');
    assert.match(first, /^web:api:/);
    assert.equal(await rig.read('api', 'namespace'), 'default');
    await rig.clock.advance(480_000);
    await rig.until(async () => (await rig.read('api', 'token')) !== first);
  });

  it('keep file modes', async () => {
    await using rig = await Rig.create([{ name: 'conf', configMap: { name: 'c', defaultMode: 0o400 } }]);
    rig.sources.setConfigMap('default', 'c', { a: '1' });
    await rig.prepare();
    assert.equal((await stat(rig.path('conf', 'a'))).mode & 0o777, 0o400);
  });

  it('mount sub paths, made where missing, and never outside the volume', async () => {
    await using rig = await Rig.create([{ name: 'data', emptyDir: {} }], [{ name: 'data', mountPath: '/d', subPath: 'deep/er' }]);
    await rig.prepare();
    assert.deepEqual(await rig.mounts(), [{ hostPath: rig.path('data', 'deep', 'er'), containerPath: '/d', readOnly: false }]);
    await rm(rig.path('data', 'deep'), { recursive: true });
    await symlink('/etc', rig.path('data', 'deep'));
    await assert.rejects(rig.mounts(), /leads out of the volume/);
  });

  it('refuse paths with dots and kinds they do not know', async () => {
    await using rig = await Rig.create([{ name: 'conf', configMap: { name: 'c', items: [{ key: 'a', path: '../x' }] } }]);
    rig.sources.setConfigMap('default', 'c', { a: '1' });
    await assert.rejects(rig.prepare(), /must be relative and inside the volume/);
    await using nfs = await Rig.create([{ name: 'n', nfs: { server: 's', path: '/' } }]);
    await assert.rejects(nfs.prepare(), /does not support volumes of type nfs/);
  });

  it('check the type of a host path', async () => {
    await using rig = await Rig.create([{ name: 'h', hostPath: { path: '/etc/passwd', type: 'Directory' } }]);
    await assert.rejects(rig.prepare(), /hostPath type check failed: \/etc\/passwd is not a directory/);
  });

  it('leave nothing behind', async () => {
    await using rig = await Rig.create([{ name: 'data', emptyDir: {} }]);
    await rig.prepare();
    await rig.volumes[Symbol.asyncDispose]();
    await assert.rejects(stat(rig.path('data')), /ENOENT/);
  });
});
