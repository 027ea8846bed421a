import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { configMaps } from '#apis/core/v1/config-map.ts';
import { customResourceDefinitions } from '#apis/apiextensions/v1/custom-resource-definition.ts';
import { secrets } from '#apis/core/v1/secret.ts';
import type { Resource } from '#apis/definition.ts';
import { services } from '#apis/serving/v1/kinds.ts';
import type { KubeObject, OwnerReference } from '#apis/meta/object.ts';
import type { ControllerModule } from '#controller/controller.ts';
import { startRig, type Rig } from '#controller/testing.ts';
import { garbageCollector } from '#cluster/garbage-collector/module.ts';

const modules = [garbageCollector] as readonly ControllerModule[];
const deletionTimestamp = '2026-01-01T00:00:00Z';

type Meta = KubeObject['metadata'];
const map = (name: string, metadata: Meta = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { namespace: 'n', name, uid: `uid-of-${name}`, ...metadata },
});
const owned = (name: string, owner: string, rest: Partial<OwnerReference> = {}, metadata: Meta = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { namespace: 'n', name, uid: `uid-of-${name}`, ownerReferences: [reference(owner, rest)], ...metadata },
});
const reference = (owner: string, rest: Partial<OwnerReference> = {}): OwnerReference => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  name: owner,
  uid: `uid-of-${owner}`,
  ...rest,
});
const names = (rig: Rig, resource: Resource) => rig.cluster.all(resource).map(({ metadata }) => metadata.name);

async function settled(...objects: KubeObject[]): Promise<Rig> {
  const rig = await startRig(modules, objects);
  await rig.settle();
  return rig;
}

describe('garbage collector', () => {
  test('keeps the children of an owner that exists, and removes them, and theirs, once it is gone', async () => {
    const grandchild = owned('grandchild', 'child', { kind: 'Secret' });
    await using rig = await settled(map('owner'), owned('child', 'owner'), grandchild, owned('other', 'elsewhere'), map('elsewhere'));
    assert.deepEqual(names(rig, secrets), ['child', 'grandchild', 'other']);
    await rig.cluster.of(configMaps).delete('n', 'owner');
    await rig.settle();
    assert.deepEqual(names(rig, secrets), ['other']);
  });

  test('removes an object whose owner never was, or is another object of the same name', async () => {
    await using rig = await settled(map('owner'), owned('dangling', 'nobody'), owned('impostor', 'owner', { uid: 'an-older-uid' }));
    assert.deepEqual(names(rig, secrets), []);
  });

  test('does not accept an owner from another namespace', async () => {
    await using rig = await settled(map('owner', { namespace: 'm' }), owned('child', 'owner'));
    assert.deepEqual(names(rig, secrets), []);
  });

  test('leaves an object alone whose owner is of a kind nobody serves', async () => {
    await using rig = await settled(owned('child', 'owner', { apiVersion: 'example.com/v1', kind: 'Gone' }));
    assert.deepEqual(names(rig, secrets), ['child']);
  });

  test('takes only the dangling references off an object that has another owner', async () => {
    const both = owned('child', 'owner', {}, { ownerReferences: [reference('owner'), reference('nobody')] });
    await using rig = await settled(map('owner'), both);
    assert.deepEqual(rig.cluster.find(secrets, 'n', 'child')?.metadata.ownerReferences, [reference('owner')]);
  });

  test('foreground: the owner waits for its blocking children, not for the others', async () => {
    const owner = map('owner', { deletionTimestamp, finalizers: ['foregroundDeletion'] });
    const slow = owned('slow', 'owner', { blockOwnerDeletion: true }, { finalizers: ['example.com/wait'] });
    await using rig = await settled(owner, slow, owned('quick', 'owner', { blockOwnerDeletion: true }));
    assert.deepEqual(names(rig, secrets), ['slow']);
    assert.deepEqual(names(rig, configMaps), ['owner']);
    await rig.cluster.of(secrets).patch('n', 'slow', { type: 'merge', body: { metadata: { finalizers: null } } });
    await rig.settle();
    assert.deepEqual([...names(rig, secrets), ...names(rig, configMaps)], []);
  });

  test('orphan: the children stay, without their owner', async () => {
    await using rig = await settled(map('owner', { deletionTimestamp, finalizers: ['orphan'] }), owned('child', 'owner'));
    assert.deepEqual(names(rig, configMaps), []);
    assert.equal(rig.cluster.find(secrets, 'n', 'child')?.metadata.ownerReferences, undefined);
  });

  test('two objects that own each other go, once one is deleted in the foreground', async () => {
    const block = { kind: 'Secret', blockOwnerDeletion: true };
    const a = owned('a', 'b', block, { deletionTimestamp, finalizers: ['foregroundDeletion'] });
    await using rig = await settled(a, owned('b', 'a', block));
    // The server adds the finalizer of a foreground deletion; the fake does not, so b goes at once.
    assert.deepEqual(names(rig, secrets), []);
  });

  test('two objects that own each other stay as long as nobody deletes one', async () => {
    await using rig = await settled(owned('a', 'b', { kind: 'Secret' }), owned('b', 'a', { kind: 'Secret' }));
    assert.deepEqual(names(rig, secrets), ['a', 'b']);
  });

  test('watches custom kinds from when their definition is established', async () => {
    const widgets: Resource = { group: 'example.com', version: 'v1', plural: 'widgets', kind: 'Widget', namespaced: true };
    const definition = {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'widgets.example.com' },
      spec: {
        group: 'example.com',
        scope: 'Namespaced',
        names: { kind: 'Widget', plural: 'widgets' },
        versions: [{ name: 'v1', served: true }],
      },
    };
    const widget = { apiVersion: 'example.com/v1', kind: 'Widget', metadata: { namespace: 'n', name: 'w', uid: 'uid-of-w' } };
    await using rig = await settled(definition as KubeObject, widget, owned('part', 'w', { apiVersion: 'example.com/v1', kind: 'Widget' }));
    assert.deepEqual(names(rig, secrets), ['part']);
    rig.cluster.change(customResourceDefinitions, undefined, 'widgets.example.com', (object) => {
      object.status = { conditions: [{ type: 'Established', status: 'True' }] } as never;
    });
    await rig.settle();
    await rig.cluster.of(widgets).delete('n', 'w');
    await rig.settle();
    assert.deepEqual(names(rig, secrets), []);
  });

  test('a definition of one of the platform’s own kinds changes nothing, coming or going', async () => {
    const service = { apiVersion: 'serving.knative.dev/v1', kind: 'Service', metadata: { namespace: 'n', name: 's', uid: 'uid-of-s' } };
    const definition = {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'services.serving.knative.dev' },
      spec: {
        group: 'serving.knative.dev',
        scope: 'Namespaced',
        names: { kind: 'Service', plural: 'services' },
        versions: [{ name: 'v1', served: true, storage: true }],
      },
      status: { conditions: [{ type: 'Established', status: 'True' }] },
    } as unknown as KubeObject;
    await using rig = await settled(service, owned('child', 's', { apiVersion: 'serving.knative.dev/v1', kind: 'Service' }), definition);
    await rig.cluster.of(customResourceDefinitions).delete(undefined, 'services.serving.knative.dev');
    await rig.settle();
    assert.deepEqual(names(rig, secrets), ['child']);
    await rig.cluster.of(services).delete('n', 's');
    await rig.settle();
    assert.deepEqual(names(rig, secrets), []);
  });
});
