import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { PersistentVolumeClaim } from '#apis/core/v1/persistent-volume-claim.ts';
import { call, failureOf, objectOf, startTestServer } from '#apiserver/testing/server.ts';

const claims = '/api/v1/namespaces/default/persistentvolumeclaims';
const classes = '/apis/storage.k8s.io/v1/storageclasses';
const claim = (name: string, spec: object = {}) => ({
  metadata: { name },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
});
const storageClass = (name: string, isDefault: boolean, more: object = {}) => ({
  metadata: { name, annotations: { 'storageclass.kubernetes.io/is-default-class': String(isDefault) } },
  provisioner: 'example.com/p',
  ...more,
});
const merge = { 'content-type': 'application/merge-patch+json' };

describe('storage defaults', () => {
  test('a claim that says nothing gets the default class and both kinds are protected', async () => {
    await using server = await startTestServer();
    const create = async (body: object) => objectOf<PersistentVolumeClaim>(await call(server, 'POST', claims, { body }));
    assert.equal((await create(claim('before'))).spec.storageClassName, undefined);
    await call(server, 'POST', classes, { body: storageClass('plain', false) });
    await call(server, 'POST', classes, { body: storageClass('usual', true) });
    const { metadata, spec } = await create(claim('a'));
    assert.deepEqual([spec.storageClassName, metadata.finalizers], ['usual', ['kubernetes.io/pvc-protection']]);
    assert.equal((await create(claim('none', { storageClassName: '' }))).spec.storageClassName, '');
    const volume = {
      metadata: { name: 'v' },
      spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/x' } },
    };
    const made = objectOf(await call(server, 'POST', '/api/v1/persistentvolumes', { body: volume }));
    assert.deepEqual(made.metadata.finalizers, ['kubernetes.io/pv-protection']);
  });

  test('a claim grows only when it is bound and its class says so', async () => {
    await using server = await startTestServer();
    await call(server, 'POST', classes, { body: storageClass('fixed', true) });
    await call(server, 'POST', classes, { body: storageClass('growing', false, { allowVolumeExpansion: true }) });
    const grow = (name: string) =>
      call(server, 'PATCH', `${claims}/${name}`, { headers: merge, body: { spec: { resources: { requests: { storage: '2Gi' } } } } });
    for (const [name, spec] of [
      ['a', {}],
      ['b', { storageClassName: 'growing' }],
    ] as const) {
      await call(server, 'POST', claims, { body: claim(name, spec) });
      assert.match(failureOf(await grow(name))[2] ?? '', /Only bound persistent volume claims can be expanded$/);
      await call(server, 'PATCH', `${claims}/${name}/status`, { headers: merge, body: { status: { phase: 'Bound' } } });
    }
    assert.deepEqual(failureOf(await grow('a')), [
      403,
      'Forbidden',
      'persistentvolumeclaims "a" is forbidden: only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize',
    ]);
    assert.equal((await grow('b')).status, 200);
  });
});
