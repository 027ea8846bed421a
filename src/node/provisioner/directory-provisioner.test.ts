import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { persistentVolumes } from '#apis/core/v1/persistent-volume.ts';
import { persistentVolumeClaims } from '#apis/core/v1/persistent-volume-claim.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import { startRig, type Rig } from '#controller/testing.ts';
import { directoryProvisionerModules } from '#node/provisioner/directory-provisioner.ts';

const provisioner = 'dormouse.dev/directory';
const storageClass = (reclaimPolicy = 'Delete') =>
  ({ apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass', metadata: { name: 'standard' }, provisioner, reclaimPolicy }) as KubeObject;
const claim = (annotations: object, spec: object = {}) =>
  ({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { namespace: 'n', name: 'a', uid: 'u1', annotations },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, storageClassName: 'standard', ...spec },
  }) as KubeObject;
const asked = { 'volume.kubernetes.io/storage-provisioner': provisioner };

describe('volumes that are directories of the node', () => {
  const directory = mkdtempSync(join(tmpdir(), 'node-test-'));
  after(() => rmSync(directory, { recursive: true }));
  const modules = directoryProvisionerModules({ nodeName: 'here', directory });
  const found = (rig: Rig) => rig.cluster.find(persistentVolumes, undefined, 'pvc-u1');
  /** Files take real turns of the event loop. */
  const until = async (rig: Rig, condition: () => boolean) => {
    for (const end = performance.now() + 5000; !condition(); await rig.settle()) assert.ok(performance.now() < end, 'waited in vain');
  };
  const phase = (rig: Rig, value: string) =>
    rig.cluster.change(persistentVolumes, undefined, 'pvc-u1', (volume) => {
      volume.status = { phase: value as 'Released' };
    });

  it('are made where they are asked for, for everybody to write', async () => {
    await using rig = await startRig(modules, [storageClass(), claim(asked)]);
    await until(rig, () => found(rig) !== undefined);
    const { metadata, spec } = found(rig) ?? {};
    const path = join(directory, 'pvc-u1_n_a');
    assert.equal(spec?.local?.path, path);
    assert.equal(statSync(path).mode & 0o777, 0o777);
    assert.deepEqual(
      [spec?.capacity, spec?.claimRef?.uid, spec?.persistentVolumeReclaimPolicy, spec?.storageClassName],
      [{ storage: '1Gi' }, 'u1', 'Delete', 'standard'],
    );
    const [term] = spec?.nodeAffinity?.required?.nodeSelectorTerms ?? [];
    assert.deepEqual(term?.matchExpressions, [{ key: 'kubernetes.io/hostname', operator: 'In', values: ['here'] }]);
    assert.equal(metadata?.annotations?.['pv.kubernetes.io/provisioned-by'], provisioner);
    assert.deepEqual(rig.events, [
      'Normal Provisioning External provisioner is provisioning volume for claim "n/a"',
      'Normal ProvisioningSucceeded Successfully provisioned volume pvc-u1',
    ]);
  });

  it('are not made for another provisioner, another node, or as block devices', async () => {
    for (const annotations of [{}, { ...asked, 'volume.kubernetes.io/selected-node': 'there' }]) {
      await using rig = await startRig(modules, [storageClass(), claim(annotations)]);
      await rig.settle();
      assert.deepEqual([found(rig), rig.events], [undefined, []]);
    }
    await using rig = await startRig(modules, [storageClass(), claim(asked, { volumeMode: 'Block' })]);
    await until(rig, () => rig.events.length > 1);
    const text = 'Warning ProvisioningFailed failed to provision volume with StorageClass "standard": directories are no block devices';
    assert.equal(rig.events[1], text);
  });

  it('go with all that is in them when their claim is gone, or stay when that is their policy', async () => {
    for (const [policy, isKept] of [
      ['Delete', false],
      ['Retain', true],
    ] as const) {
      await using rig = await startRig(modules, [storageClass(policy), claim(asked)]);
      await until(rig, () => found(rig) !== undefined);
      const path = join(directory, 'pvc-u1_n_a');
      mkdirSync(join(path, 'deep/er'), { recursive: true });
      await rig.cluster.of(persistentVolumeClaims).delete('n', 'a');
      phase(rig, 'Released');
      if (isKept) await rig.cluster.of(persistentVolumes).delete(undefined, 'pvc-u1');
      await until(rig, () => found(rig) === undefined);
      assert.equal(existsSync(path), isKept);
    }
  });

  it('nothing else is removed, whatever a volume says of itself', async () => {
    const elsewhere = mkdtempSync(join(tmpdir(), 'node-test-'));
    for (const path of [elsewhere, join(directory, 'x'), join(directory, '..', 'pvc-1')]) {
      const volume = {
        apiVersion: 'v1',
        kind: 'PersistentVolume',
        metadata: { name: 'pvc-u1', annotations: { 'pv.kubernetes.io/provisioned-by': provisioner } },
        spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], persistentVolumeReclaimPolicy: 'Delete', local: { path } },
        status: { phase: 'Released' },
      } as unknown as KubeObject;
      await using rig = await startRig(modules, [volume]);
      await rig.settle();
      assert.notEqual(found(rig), undefined);
    }
    assert.deepEqual(readdirSync(elsewhere), []);
    rmSync(elsewhere, { recursive: true });
  });

  it('a bound claim that grows takes its volume along', async () => {
    await using rig = await startRig(modules, [storageClass(), claim(asked)]);
    await until(rig, () => found(rig) !== undefined);
    rig.cluster.change(persistentVolumeClaims, 'n', 'a', ({ spec }) => {
      Object.assign(spec, { volumeName: 'pvc-u1', resources: { requests: { storage: '3Gi' } } });
    });
    await until(rig, () => found(rig)?.spec.capacity?.['storage'] === '3Gi');
  });
});
