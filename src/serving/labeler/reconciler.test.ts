import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { annotations, labels } from '#apis/serving/names.ts';
import { services } from '#apis/serving/v1/kinds.ts';
import type { Revision, Route } from '#apis/serving/v1/schemas.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import { reconcileOnce } from '#controller/testing.ts';
import { labelerController } from '#serving/labeler/reconciler.ts';
import { aConfiguration, aRevision, aRoute, aService, ownedBy, status } from '#serving/testing.ts';

const reconcile = (...objects: KubeObject[]) => reconcileOnce(labelerController, { objects, key: 'n/s-00001' });
const now = '2026-01-01T00:00:00Z';

const revision = (state: string, routes?: string): Revision =>
  aRevision(aConfiguration(), 1, {
    metadata: {
      labels: { [labels.routingState]: state },
      ...(routes === undefined ? {} : { annotations: { [annotations.routes]: routes } }),
    },
  });
const routed = (name = 's'): Route =>
  aRoute({ metadata: { name }, status: status({}, { traffic: [{ revisionName: 's-00001', percent: 100, latestRevision: true }] }) });
const configuration = (routes?: string) =>
  aConfiguration(routes === undefined ? {} : { metadata: { annotations: { [annotations.routes]: routes } } });

const stateIn = (body: unknown) => (body as KubeObject | undefined)?.metadata.labels?.[labels.routingState];

describe('labeler controller', () => {
  test('what goes with its configuration or service is left as it is', async () => {
    const configured = ownedBy(configuration(), aService(), services);
    const deletionTimestamp = now;
    const silent = async (...objects: KubeObject[]) => assert.deepEqual((await reconcile(revision('active', 's'), ...objects)).patches, []);
    await silent();
    await silent(configured);
    await silent(configured, aService({ metadata: { uid: 'a-later-one' } }));
    await silent(configured, aService({ metadata: { deletionTimestamp, finalizers: ['foregroundDeletion'] } }));
    await silent(aConfiguration({ metadata: { deletionTimestamp } }));
    const left = await reconcile(
      revision('active', 's'),
      configured,
      aService({ metadata: { deletionTimestamp, finalizers: ['orphan'] } }),
    );
    assert.equal(stateIn(left.patches.at(-1)?.body), 'reserve');
  });

  test('a revision that gets traffic becomes active, and it and its configuration carry the route', async () => {
    const { patches } = await reconcile(revision('pending'), routed(), configuration());
    assert.deepEqual(patches, [
      { kind: 'Configuration', name: 'n/s', body: { metadata: { annotations: { [annotations.routes]: 's' } } } },
      {
        kind: 'Revision',
        name: 'n/s-00001',
        body: {
          metadata: {
            labels: { [labels.routingState]: 'active' },
            annotations: { [annotations.routes]: 's', [annotations.routingStateModified]: now },
          },
        },
      },
    ]);
  });

  test('a revision that lost its traffic becomes reserve; nobody carries the route any more', async () => {
    const { patches } = await reconcile(revision('active', 's'), configuration('s'));
    assert.deepEqual(
      patches.map(({ body }) => (body as KubeObject).metadata.annotations?.[annotations.routes]),
      [null, null],
    );
    assert.equal(stateIn(patches[1]?.body), 'reserve');
  });

  test('a new revision stays pending until something routes to it', async () => {
    const { actions } = await reconcile(revision('pending'), configuration());
    assert.deepEqual(actions, []);
  });

  test('several routes are named in order; the time of the state stays while the state does', async () => {
    const { patches } = await reconcile(revision('active', 's'), routed('s'), routed('a'), configuration('a,s'));
    assert.deepEqual(patches, [
      {
        kind: 'Revision',
        name: 'n/s-00001',
        body: { metadata: { labels: { [labels.routingState]: 'active' }, annotations: { [annotations.routes]: 'a,s' } } },
      },
    ]);
  });

  test('a route that is being deleted counts no more', async () => {
    const leaving = routed();
    leaving.metadata.deletionTimestamp = now;
    leaving.metadata.finalizers = ['x/y'];
    const { patches } = await reconcile(revision('active', 's'), leaving, configuration());
    assert.equal(stateIn(patches[0]?.body), 'reserve');
  });
});
