import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Resource } from '#apis/definition.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import { createInformers } from '#client/informer.ts';
import { childrenOf, controllerReference, enqueueOwner, indexByOwner, isControlledBy, ownerKey } from '#controller/owner.ts';
import { FakeCluster } from '#controller/testing.ts';
import { FakeClock } from '#core/clock.ts';

const parents: Resource = { group: 'example.dev', version: 'v1', plural: 'parents', kind: 'Parent', namespaced: true };
const children: Resource = { group: 'example.dev', version: 'v1', plural: 'children', kind: 'Child', namespaced: true };
const parent = (name: string, uid: string): KubeObject => ({ metadata: { name, namespace: 'n', uid } });
const child = (owner: KubeObject): KubeObject => ({
  apiVersion: 'example.dev/v1',
  kind: 'Child',
  metadata: { name: 'c', namespace: 'n', ownerReferences: [controllerReference(owner, parents)] },
});

describe('owners', () => {
  it('are found by kind and group, whatever the version', () => {
    const object = child(parent('p', '1'));
    assert.equal(ownerKey(object, { ...parents, version: 'v2' }), 'n/p');
    assert.equal(ownerKey(object, { ...parents, group: 'other.dev' }), undefined);
    assert.equal(ownerKey(object, children), undefined);
    assert.equal(ownerKey(object, { ...parents, namespaced: false }), 'p');
  });

  it('control by uid, not by name', () => {
    assert.equal(isControlledBy(child(parent('p', '1')), parent('p', '1')), true);
    assert.equal(isControlledBy(child(parent('p', '1')), parent('p', '2')), false);
    assert.equal(isControlledBy(child(parent('p', '1')), { metadata: { name: 'p' } }), false);
  });

  it('are enqueued when a child changes hands, the old one and the new one', async () => {
    const cluster = new FakeCluster(new FakeClock());
    cluster.seed(child(parent('p', '1')));
    await using informers = createInformers(cluster);
    const informer = informers.of(children);
    const keys: string[] = [];
    indexByOwner(informer);
    enqueueOwner(informer, parents, { key: (key) => keys.push(key) });
    await informers.start();
    assert.equal(childrenOf(informer, parent('p', '1')).length, 1);
    cluster.change(children, 'n', 'c', (object) => (object.metadata.ownerReferences = [controllerReference(parent('q', '2'), parents)]));
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(keys, ['n/p', 'n/q', 'n/p']);
    assert.equal(childrenOf(informer, parent('p', '1')).length, 0);
    assert.equal(childrenOf(informer, parent('q', '2')).length, 1);
  });
});
