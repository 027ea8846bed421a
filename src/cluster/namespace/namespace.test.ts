import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { configMaps } from '#apis/core/v1/config-map.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import { secrets } from '#apis/core/v1/secret.ts';
import type { ControllerModule } from '#controller/controller.ts';
import { reconcileOnce } from '#controller/testing.ts';
import { contentConditions } from '#cluster/namespace/conditions.ts';
import { namespaceController } from '#cluster/namespace/reconciler.ts';

const namespace = (deletionTimestamp?: string): KubeObject =>
  ({
    apiVersion: 'v1',
    kind: 'Namespace',
    // A finalizer of its own, since the fake cluster knows no spec.finalizers and would drop it.
    metadata: { name: 'n', finalizers: ['example.com/keep'], ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }) },
    spec: { finalizers: ['kubernetes'] },
    status: { phase: deletionTimestamp === undefined ? 'Active' : 'Terminating' },
  }) as KubeObject;
const part = (kind: string, metadata: KubeObject['metadata'] = {}): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { namespace: 'n', name: 'part', ...metadata },
});
const run = (...objects: KubeObject[]) => reconcileOnce(namespaceController as ControllerModule, { key: 'n', objects });

describe('namespace controller', () => {
  test('leaves an active namespace alone', async () => {
    const { actions, outcome } = await run(namespace(), part('Secret'));
    assert.deepEqual([actions.length, outcome], [0, { kind: 'done' }]);
  });

  test('empties a terminating namespace, only that one, and finalizes it', async () => {
    const elsewhere = part('Secret', { namespace: 'm' });
    const { cluster, actions } = await run(namespace('2026-01-01T00:00:00Z'), part('Secret'), part('ConfigMap'), elsewhere);
    assert.deepEqual(cluster.all(configMaps), []);
    assert.deepEqual(
      cluster.all(secrets).map(({ metadata }) => metadata.namespace),
      ['m'],
    );
    const last = actions.at(-1);
    assert.deepEqual(
      [last?.verb, last?.subresource, (last?.body as { spec: unknown } | undefined)?.spec],
      ['update', 'finalize', { finalizers: [] }],
    );
  });

  test('says what holds it up, and looks again', async () => {
    const { status, outcome, actions } = await run(
      namespace('2026-01-01T00:00:00Z'),
      part('Secret', { finalizers: ['example.com/stuck'] }),
    );
    const conditions = (status as { conditions: { type: string; status: string; message: string }[] }).conditions;
    assert.deepEqual(
      conditions.filter((one) => one.status === 'True').map(({ type, message }) => `${type}: ${message}`),
      [
        'NamespaceContentRemaining: Some resources are remaining: secrets. has 1 resource instances',
        'NamespaceFinalizersRemaining: Some content in the namespace has finalizers remaining: example.com/stuck in 1 resource instances',
      ],
    );
    assert.equal(outcome?.kind, 'requeue');
    assert.equal(
      actions.some(({ subresource }) => subresource === 'finalize'),
      false,
    );
  });

  test('a failing deletion is a condition', () => {
    const [, , failure] = contentConditions([], ['widgets: no']);
    assert.deepEqual([failure?.status, failure?.reason], ['True', 'ContentDeletionFailed']);
  });
});
