import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { labels } from '#apis/serving/names.ts';
import { configurations, routes, services } from '#apis/serving/v1/kinds.ts';
import type { Configuration, Route, Service } from '#apis/serving/v1/schemas.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import { reconcileOnce } from '#controller/testing.ts';
import { makeConfiguration, makeRoute } from '#serving/service/resources.ts';
import { serviceController } from '#serving/service/reconciler.ts';
import { aConfiguration, aRevision, aRoute, aService, conditionsOf, make, status } from '#serving/testing.ts';

const reconcile = (...objects: KubeObject[]) => reconcileOnce(serviceController, { objects, key: 'n/s' });

/** The children as the Service wants them, with statuses of their own. */
function children(service: Service, configurationStatus: object = {}, routeStatus: object = {}): [Configuration, Route] {
  return [
    make(configurations, 's', { ...makeConfiguration(service), status: configurationStatus }),
    make(routes, 's', { ...makeRoute(service), status: routeStatus }),
  ].map((object, index) => ({
    ...object,
    metadata: { ...object.metadata, uid: `uid-child-${index}`, generation: 1 },
  })) as [Configuration, Route];
}

const ready = status({ Ready: 'True' }, { latestReadyRevisionName: 's-00001', latestCreatedRevisionName: 's-00001' });
const routed = status(
  { Ready: 'True' },
  { url: 'http://s.n.localhost', traffic: [{ revisionName: 's-00001', percent: 100, latestRevision: true }] },
);

describe('service controller', () => {
  test('a new Service gets its Configuration and its Route', async () => {
    const { creates, events, status: after } = await reconcile(aService({ metadata: { labels: { team: 'a' } } }));
    assert.deepEqual(
      creates.map(({ kind, metadata }) => [kind, metadata.name, metadata.labels?.[labels.service], metadata.labels?.['team']]),
      [
        ['Configuration', 's', 's', 'a'],
        ['Route', 's', 's', 'a'],
      ],
    );
    assert.deepEqual((creates[1] as Route).spec?.traffic, [{ latestRevision: true, percent: 100, configurationName: 's' }]);
    assert.deepEqual(events, ['Normal Created Created Configuration "s"', 'Normal Created Created Route "s"']);
    assert.deepEqual(conditionsOf(after), {
      ConfigurationsReady: 'Unknown OutOfDate: The Configuration is still working to reflect the latest desired specification.',
      RoutesReady: 'Unknown OutOfDate: The Route is still working to reflect the latest desired specification.',
      Ready: 'Unknown OutOfDate: The Route is still working to reflect the latest desired specification.',
    });
  });

  test('both ready make the Service ready, with names, url and traffic', async () => {
    const service = aService();
    const { creates, updates, status: after } = await reconcile(service, ...children(service, ready, routed));
    assert.deepEqual([creates, updates], [[], []]);
    assert.deepEqual(conditionsOf(after), { ConfigurationsReady: 'True', RoutesReady: 'True', Ready: 'True' });
    const { latestReadyRevisionName, url, traffic } = after as NonNullable<Service['status']>;
    assert.deepEqual([latestReadyRevisionName, url, traffic?.length], ['s-00001', 'http://s.n.localhost', 1]);
  });

  test('a failing Configuration makes the Service fail, for the same reason', async () => {
    const service = aService();
    const failed = status({ Ready: 'False RevisionFailed: Revision "s-00001" failed with message: boom.' });
    const { status: after } = await reconcile(service, ...children(service, failed, status({ Ready: 'Unknown' })));
    assert.deepEqual(conditionsOf(after), {
      ConfigurationsReady: 'False RevisionFailed: Revision "s-00001" failed with message: boom.',
      RoutesReady: 'Unknown',
      Ready: 'False RevisionFailed: Revision "s-00001" failed with message: boom.',
    });
  });

  test('is not ready before traffic has moved to the latest ready revision', async () => {
    const service = aService();
    const newer = { ...ready, latestReadyRevisionName: 's-00002', latestCreatedRevisionName: 's-00002' };
    const { status: after } = await reconcile(service, ...children(service, newer, routed));
    const text = 'Unknown TrafficNotMigrated: Traffic is not yet migrated to the latest revision.';
    assert.deepEqual(conditionsOf(after), { ConfigurationsReady: 'True', RoutesReady: text, Ready: text });
  });

  test('a tag without a percentage counts as moved', async () => {
    const service = aService({
      spec: {
        template: {},
        traffic: [
          { latestRevision: true, percent: 100 },
          { revisionName: 's-00001', tag: 'old' },
        ],
      },
    });
    const traffic = [
      { revisionName: 's-00001', percent: 100, latestRevision: true },
      { revisionName: 's-00001', percent: 0, tag: 'old', latestRevision: false, url: 'http://old-s.n.localhost' },
    ];
    const { status: after } = await reconcile(service, ...children(service, ready, status({ Ready: 'True' }, { traffic })));
    assert.equal(conditionsOf(after)['RoutesReady'], 'True');
  });

  for (const [kind, type, stranger] of [
    ['Configuration', 'ConfigurationsReady', aConfiguration()],
    ['Route', 'RoutesReady', aRoute()],
  ] as const) {
    test(`somebody else's ${kind} of the name is left alone, said so, and looked at again`, async () => {
      const { updates, status: after, outcome } = await reconcile(aService(), stranger);
      assert.deepEqual(updates, []);
      assert.equal(conditionsOf(after)[type], `False NotOwned: There is an existing ${kind} "s" that we do not own.`);
      assert.equal(conditionsOf(after)['Ready'], `False NotOwned: There is an existing ${kind} "s" that we do not own.`);
      assert.equal(outcome?.kind, 'requeue');
    });
  }

  test('a changed template goes to the Configuration; its own annotations and what others noted stay apart', async () => {
    const service = aService({ metadata: { annotations: { note: '1', 'kubectl.kubernetes.io/last-applied-configuration': '{}' } } });
    const [configuration, route] = children(service, ready, routed);
    configuration.metadata.annotations = { ...configuration.metadata.annotations, 'serving.knative.dev/routes': 's' };
    const changed = { ...service, spec: { ...service.spec, template: { spec: { containers: [{ name: 'c', image: 'other' }] } } } };
    const { updates } = await reconcile(changed as Service, configuration, route);
    assert.deepEqual(
      updates.map(({ kind }) => kind),
      ['Configuration'],
    );
    assert.deepEqual((updates[0] as Configuration).spec?.template, changed.spec.template);
    assert.deepEqual(updates[0]?.metadata.annotations, { note: '1', 'serving.knative.dev/routes': 's' });
  });

  test('a revision name that another template has taken stops the Route', async () => {
    const template = { metadata: { name: 's-mine' }, spec: { containers: [{ name: 'c', image: 'new' }] } };
    const service = aService({ spec: { template, traffic: [{ latestRevision: true, percent: 100 }] } });
    const [configuration] = children(service, ready);
    const taken = aRevision(aConfiguration({ metadata: { name: 'other' } }), 1, { metadata: { name: 's-mine' } });
    const { creates, status: after } = await reconcile(service, configuration, taken);
    assert.deepEqual(creates, []);
    assert.equal(
      conditionsOf(after)['RoutesReady'],
      'False RevisionNameTaken: The revision name "s-mine" is taken by a conflicting Revision, so traffic will not be migrated',
    );
  });

  test('a template that brings a name holds the Route back until the Configuration has seen it', async () => {
    const template = { metadata: { name: 's-mine' }, spec: { containers: [{ name: 'c', image: 'new' }] } };
    const { creates } = await reconcile(aService({ spec: { template, traffic: [{ revisionName: 's-mine', percent: 100 }] } }));
    assert.deepEqual(
      creates.map(({ kind }) => kind),
      ['Configuration'],
    );
  });

  test('a child that cannot be made is an event and an error', async () => {
    const { events, error } = await reconcileOnce(serviceController, {
      objects: [make(services, 's', aService())],
      key: 'n/s',
      fail: ({ kind }) => (kind === 'Configuration' ? new Error('no room') : undefined),
    });
    assert.deepEqual(events, ['Warning CreationFailed Failed to create Configuration "s": no room']);
    assert.match(String(error), /no room/);
  });
});
