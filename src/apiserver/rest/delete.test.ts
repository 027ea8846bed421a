import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { call, configMap, configMaps, failureOf, objectOf, startTestServer } from '#apiserver/testing/server.ts';

const pods = '/api/v1/namespaces/default/pods';
const pod = (name: string) => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec: { containers: [{ name: 'c', image: 'i' }] } });
const merge = { 'content-type': 'application/merge-patch+json' };

describe('delete', () => {
  test('removes at once what nothing holds, and waits for finalizers', async () => {
    await using server = await startTestServer();
    await call(server, 'POST', configMaps, { body: configMap('a') });
    assert.equal(objectOf<{ status: string }>(await call(server, 'DELETE', `${configMaps}/a`)).status, 'Success');
    assert.deepEqual(failureOf(await call(server, 'DELETE', `${configMaps}/a`)), [404, 'NotFound', 'configmaps "a" not found']);
    await call(server, 'POST', configMaps, { body: configMap('b', {}, { finalizers: ['x.example.com/y'] }) });
    const marked = objectOf(await call(server, 'DELETE', `${configMaps}/b`));
    assert.ok(marked.metadata.deletionTimestamp);
    const added = { metadata: { finalizers: ['x.example.com/y', 'x.example.com/z'] } };
    assert.equal((await call(server, 'PATCH', `${configMaps}/b`, { body: added, headers: merge })).status, 422);
    await call(server, 'PATCH', `${configMaps}/b`, { body: { metadata: { finalizers: null } }, headers: merge });
    assert.equal((await call(server, 'GET', `${configMaps}/b`)).status, 404);
  });

  test('a pod on a node gets its grace period; one that has none goes at once', async () => {
    await using server = await startTestServer();
    await call(server, 'POST', pods, { body: pod('free') });
    await call(server, 'DELETE', `${pods}/free`);
    assert.equal((await call(server, 'GET', `${pods}/free`)).status, 404);
    await call(server, 'POST', pods, { body: pod('bound') });
    const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { name: 'bound' }, target: { kind: 'Node', name: 'n1' } };
    assert.equal((await call(server, 'POST', `${pods}/bound/binding`, { body: binding })).status, 201);
    assert.equal((await call(server, 'POST', `${pods}/bound/binding`, { body: binding })).status, 409);
    const marked = objectOf(await call(server, 'DELETE', `${pods}/bound`));
    assert.equal(marked.metadata.deletionGracePeriodSeconds, 30);
    const sooner = objectOf(await call(server, 'DELETE', `${pods}/bound?gracePeriodSeconds=5`));
    assert.equal(sooner.metadata.deletionGracePeriodSeconds, 5);
    const later = objectOf(await call(server, 'DELETE', `${pods}/bound?gracePeriodSeconds=50`));
    assert.equal(later.metadata.deletionGracePeriodSeconds, 5);
    await call(server, 'DELETE', `${pods}/bound`, { body: { gracePeriodSeconds: 0 } });
    assert.equal((await call(server, 'GET', `${pods}/bound`)).status, 404);
  });

  test('propagation policies become finalizers, preconditions are kept', async () => {
    await using server = await startTestServer();
    const { metadata } = objectOf(await call(server, 'POST', configMaps, { body: configMap('a') }));
    const wrong = await call(server, 'DELETE', `${configMaps}/a`, { body: { preconditions: { uid: 'no' } } });
    assert.equal(
      failureOf(wrong)[2],
      `Operation cannot be fulfilled on configmaps "a": Precondition failed: UID in precondition: no, UID in object meta: ${metadata.uid}`,
    );
    const foreground = objectOf(await call(server, 'DELETE', `${configMaps}/a`, { body: { propagationPolicy: 'Foreground' } }));
    assert.deepEqual(foreground.metadata.finalizers, ['foregroundDeletion']);
    const orphan = objectOf(await call(server, 'DELETE', `${configMaps}/a`, { body: { propagationPolicy: 'Orphan' } }));
    assert.deepEqual(orphan.metadata.finalizers, ['orphan']);
  });

  test('deletecollection takes what its selector names', async () => {
    await using server = await startTestServer();
    for (const name of ['a', 'b', 'c'])
      await call(server, 'POST', configMaps, { body: configMap(name, {}, { labels: { keep: name === 'b' ? 'y' : 'n' } }) });
    await call(server, 'DELETE', `${configMaps}?labelSelector=keep%3Dn`);
    const { items } = objectOf<{ items: { metadata: { name: string } }[] }>(await call(server, 'GET', configMaps));
    assert.deepEqual(
      items.map(({ metadata }) => metadata.name),
      ['b'],
    );
  });

  test('a namespace ends when finalize lets it, and takes nothing new meanwhile', async () => {
    await using server = await startTestServer();
    await call(server, 'POST', '/api/v1/namespaces', { body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'n' } } });
    assert.equal(objectOf<{ status: { phase: string } }>(await call(server, 'DELETE', '/api/v1/namespaces/n')).status.phase, 'Terminating');
    assert.equal(
      failureOf(await call(server, 'POST', '/api/v1/namespaces/n/configmaps', { body: configMap('a') }))[2],
      'configmaps "a" is forbidden: unable to create new content in namespace n because it is being terminated',
    );
    await call(server, 'PUT', '/api/v1/namespaces/n/finalize', { body: { metadata: { name: 'n' }, spec: { finalizers: [] } } });
    assert.equal((await call(server, 'GET', '/api/v1/namespaces/n')).status, 404);
    assert.equal(
      failureOf(await call(server, 'DELETE', '/api/v1/namespaces/default'))[2],
      'namespaces "default" is forbidden: this namespace may not be deleted',
    );
  });
});
