import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { configMaps } from '#apis/core/v1/config-map.ts';
import { services as coreServices } from '#apis/core/v1/service.ts';
import { certificates, type Certificate } from '#apis/networking/v1alpha1/certificate.ts';
import { ingresses, type Ingress } from '#apis/networking/v1alpha1/ingress.ts';
import { certificateName, labels } from '#apis/serving/names.ts';
import { configurations, routes } from '#apis/serving/v1/kinds.ts';
import type { Configuration, Route, RouteStatus, TrafficTarget } from '#apis/serving/v1/schemas.ts';
import { platformCertificateClass } from '#apis/serving/config/tables.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import { reconcileOnce, startRig } from '#controller/testing.ts';
import { routeController } from '#serving/route/reconciler.ts';
import { aConfiguration, aRevision, aRoute, conditionsOf, make, ownedBy, status } from '#serving/testing.ts';

const domain = make(configMaps, 'config-domain', { metadata: { namespace: 'knative-serving' }, data: { localhost: '' } });
const gateway = make(coreServices, 'istio-ingressgateway', {
  metadata: { namespace: 'istio-system' },
  spec: {
    ports: [
      { name: 'http2', port: 8080 },
      { name: 'https', port: 8443 },
    ],
  },
} as never);
const reconcile = (...objects: KubeObject[]) => reconcileOnce(routeController, { objects: [domain, gateway, ...objects], key: 'n/s' });

const configured = (revision: string): Configuration =>
  aConfiguration({ status: status({ Ready: 'True' }, { latestReadyRevisionName: revision, latestCreatedRevisionName: revision }) });
const ready = { status: status({ Ready: 'True' }) };
const routeTo = (...traffic: TrafficTarget[]): Route => aRoute({ spec: { traffic } });
const splitsOf = (object: KubeObject | undefined) =>
  (object as Ingress | undefined)?.spec?.rules?.at(-1)?.http?.paths[0]?.splits?.map(({ serviceName, percent }) => [serviceName, percent]);

const network = (data: Record<string, string>) =>
  make(configMaps, 'config-network', { metadata: { namespace: 'knative-serving' }, data } as never);
const withTls = { 'external-domain-tls': 'Enabled' };

describe('route controller with TLS', () => {
  const target = [configured('s-00001'), aRevision(aConfiguration(), 1, ready)];
  const certificate = (conditions: Record<string, string>, route = aRoute()) =>
    ownedBy(
      make(certificates, certificateName(route.metadata.uid ?? '', ''), {
        spec: { dnsNames: ['s.n.localhost'], domain: 'localhost', secretName: 'route-uid-route-s' },
        status: status(conditions),
      }),
      route,
      routes,
    );
  const said = (of: unknown) => conditionsOf(of)['CertificateProvisioned'];

  test('asks for a certificate a public name and goes on without until it is there', async () => {
    const route = routeTo({ configurationName: 's', percent: 100 }, { configurationName: 's', percent: 0, tag: 'blue' });
    const { creates, status: after } = await reconcile(network(withTls), route, ...target);
    const made = creates.filter(({ kind }) => kind === 'Certificate') as Certificate[];
    assert.deepEqual(
      made.map(({ metadata, spec }) => [metadata.name, spec]),
      [
        ['route-uid-route-s-69140905', { dnsNames: ['blue-s.n.localhost'], domain: 'localhost', secretName: 'route-uid-route-s-69140905' }],
        ['route-uid-route-s', { dnsNames: ['s.n.localhost'], domain: 'localhost', secretName: 'route-uid-route-s' }],
      ],
    );
    assert.equal(made[0]?.metadata.annotations?.['networking.knative.dev/certificate.class'], platformCertificateClass);
    assert.equal((after as RouteStatus).url, 'http://s.n.localhost:8080');
    assert.match(said(after) ?? '', /^True HTTPDowngrade: Certificate route-uid-route-s(-\d+)? is not ready downgrade HTTP\.$/);
  });

  test('with the certificate the URL is https, and the Ingress names the Secret', async () => {
    const { creates, status: after } = await reconcile(network(withTls), aRoute(), certificate({ Ready: 'True' }), ...target);
    const ingress = creates.find(({ kind }) => kind === 'Ingress') as Ingress;
    assert.deepEqual(ingress.spec?.tls, [{ hosts: ['s.n.localhost'], secretName: 'route-uid-route-s', secretNamespace: 'n' }]);
    assert.equal(ingress.spec?.httpOption, 'Enabled');
    assert.equal((after as RouteStatus).url, 'https://s.n.localhost:8443');
    assert.equal(said(after), 'True');
  });

  test('a route that is to be redirected is, once there is something to be redirected to', async () => {
    const route = aRoute({ metadata: { annotations: { 'networking.knative.dev/http-protocol': 'redirected' } } });
    const optionOf = async (...objects: KubeObject[]) => {
      const { creates } = await reconcile(network(withTls), route, ...objects, ...target);
      return (creates.find(({ kind }) => kind === 'Ingress') as Ingress).spec?.httpOption;
    };
    assert.equal(await optionOf(), 'Enabled');
    assert.equal(await optionOf(certificate({ Ready: 'True' })), 'Redirected');
  });

  test('where plain HTTP is not served, the route waits for its certificate, or fails with it', async () => {
    const strict = network({ ...withTls, 'http-protocol': 'Redirected' });
    const waiting = await reconcile(strict, aRoute(), certificate({ Ready: 'Unknown Pending' }), ...target);
    assert.equal(said(waiting.status), 'Unknown CertificateNotReady: Certificate route-uid-route-s is not ready: Pending');
    assert.equal((waiting.status as RouteStatus).url, 'https://s.n.localhost:8443');
    const failed = await reconcile(strict, aRoute(), certificate({ Ready: 'False NotOwned: no' }), ...target);
    assert.equal(said(failed.status), 'False CertificateProvisionFailed: Certificate route-uid-route-s fails to be provisioned: NotOwned');
  });

  test('a certificate of the whole namespace is enough', async () => {
    const wildcard = make(certificates, 'n.localhost', {
      metadata: { labels: { [labels.wildcardDomain]: 'localhost' } },
      spec: { dnsNames: ['*.n.localhost'], domain: 'localhost', secretName: 'n.localhost' },
      status: status({ Ready: 'True' }),
    });
    const { creates, deletes } = await reconcile(network(withTls), aRoute(), wildcard, certificate({ Ready: 'True' }), ...target);
    assert.deepEqual(new Set(creates.map(({ kind }) => kind)), new Set(['Ingress', 'Service']));
    const ingress = creates.find(({ kind }) => kind === 'Ingress') as Ingress;
    assert.deepEqual(ingress.spec?.tls, [{ hosts: ['s.n.localhost'], secretName: 'n.localhost', secretNamespace: 'n' }]);
    assert.deepEqual(deletes, ['Certificate n/route-uid-route-s']);
  });

  test('one that refuses TLS, and one that is not public, get none and say so', async () => {
    const refusing = aRoute({ metadata: { annotations: { 'networking.knative.dev/disable-external-domain-tls': 'true' } } });
    const refused = await reconcile(network(withTls), refusing, ...target);
    assert.equal(said(refused.status), 'True TLSNotEnabled: external-domain-tls is not enabled');
    const local = await reconcile(network(withTls), aRoute({ metadata: { labels: { [labels.visibility]: 'cluster-local' } } }), ...target);
    assert.equal(said(local.status), 'True TLSNotEnabled: TLS is not enabled for cluster-local');
    for (const { creates } of [refused, local]) assert.deepEqual(new Set(creates.map(({ kind }) => kind)), new Set(['Ingress', 'Service']));
  });

  const localHosts = ['s.n', 's.n.svc', 's.n.svc.cluster.local'];
  const local = (conditions: Record<string, string>) =>
    ownedBy(
      make(certificates, 'route-uid-route-s-local', {
        spec: { dnsNames: localHosts, domain: 'svc.cluster.local', secretName: 'route-uid-route-s-local' },
        status: status(conditions),
      }),
      aRoute(),
      routes,
    );
  const localTls = network({ 'cluster-local-domain-tls': 'Enabled' });

  test('cluster-local-domain-tls asks for a certificate of the names inside the cluster, a tag has its own, and waits for them', async () => {
    const route = routeTo({ configurationName: 's', percent: 100 }, { configurationName: 's', percent: 0, tag: 'blue' });
    const { creates, status: after } = await reconcile(localTls, route, ...target);
    const made = creates.filter(({ kind }) => kind === 'Certificate') as Certificate[];
    const tagged = ['blue-s.n', 'blue-s.n.svc', 'blue-s.n.svc.cluster.local'];
    assert.deepEqual(
      made.map(({ spec }) => spec),
      [
        { dnsNames: localHosts, domain: 'svc.cluster.local', secretName: 'route-uid-route-s-local' },
        { dnsNames: tagged, domain: 'svc.cluster.local', secretName: 'route-uid-route-s-69140905-local' },
      ],
    );
    assert.deepEqual(made[0]?.metadata.labels, { [labels.route]: 's', [labels.certificateType]: 'cluster-local-domain' });
    assert.match(said(after) ?? '', /^Unknown CertificateNotReady: Certificate route-uid-route-s-local is not ready/);
    const { url, address } = after as RouteStatus;
    assert.deepEqual([url, address?.url], ['http://s.n.localhost:8080', 'http://s.n.svc.cluster.local']);
  });

  test('with it the address is https, the public URL stays as it was, and the Ingress names the Secret', async () => {
    const { creates, status: after } = await reconcile(localTls, aRoute(), local({ Ready: 'True' }), ...target);
    const ingress = creates.find(({ kind }) => kind === 'Ingress') as Ingress;
    assert.deepEqual(ingress.spec?.tls, [{ hosts: localHosts, secretName: 'route-uid-route-s-local', secretNamespace: 'n' }]);
    assert.equal(said(after), 'True');
    const { url, address } = after as RouteStatus;
    assert.deepEqual([url, address?.url], ['http://s.n.localhost:8080', 'https://s.n.svc.cluster.local']);
    const inside = aRoute({ metadata: { labels: { [labels.visibility]: 'cluster-local' } } });
    const hidden = await reconcile(localTls, inside, local({ Ready: 'True' }), ...target);
    assert.equal((hidden.status as RouteStatus).url, 'https://s.n.svc.cluster.local');
  });

  test('a local certificate that cannot be had fails the route; both kinds together are both named, and go when they are switched off', async () => {
    const failed = await reconcile(localTls, aRoute(), local({ Ready: 'False NotOwned: no' }), ...target);
    assert.equal(
      said(failed.status),
      'False CertificateProvisionFailed: Certificate route-uid-route-s-local fails to be provisioned: NotOwned',
    );
    const all = [local({ Ready: 'True' }), certificate({ Ready: 'True' })];
    const both = await reconcile(network({ ...withTls, 'cluster-local-domain-tls': 'Enabled' }), aRoute(), ...all, ...target);
    const ingress = both.creates.find(({ kind }) => kind === 'Ingress') as Ingress;
    assert.deepEqual(
      ingress.spec?.tls?.map(({ secretName }) => secretName),
      ['route-uid-route-s', 'route-uid-route-s-local'],
    );
    const { deletes } = await reconcile(aRoute(), ...all, ...target);
    assert.deepEqual(deletes.toSorted(), ['Certificate n/route-uid-route-s', 'Certificate n/route-uid-route-s-local']);
  });

  test("somebody else's certificate of the name is left alone", async () => {
    const stranger = make(certificates, 'route-uid-route-s', { spec: { dnsNames: ['x.y'], secretName: 'x' } });
    const { updates, status: after, outcome } = await reconcile(network(withTls), aRoute(), stranger, ...target);
    assert.deepEqual(updates, []);
    assert.equal(said(after), "False CertificateNotOwned: There is an existing certificate route-uid-route-s that we don't own.");
    assert.equal(outcome?.kind, 'requeue');
  });
});

describe('route controller', () => {
  test('sends the traffic to the latest ready revision and tells the URL', async () => {
    const { creates, status: after } = await reconcile(aRoute(), configured('s-00001'), aRevision(aConfiguration(), 1, ready));
    assert.deepEqual(creates.map(({ kind, metadata }) => `${kind} ${metadata.name}`).toSorted(), ['Ingress s', 'Service s']);
    const ingress = creates.find(({ kind }) => kind === 'Ingress') as Ingress;
    assert.deepEqual(splitsOf(ingress), [['s-00001', 100]]);
    assert.deepEqual(
      ingress.spec?.rules?.map(({ hosts, visibility }) => [visibility, hosts]),
      [
        ['ClusterLocal', ['s.n', 's.n.svc', 's.n.svc.cluster.local']],
        ['ExternalIP', ['s.n.localhost', 's.n.example.com']],
      ],
    );
    const { url, address, traffic } = after as RouteStatus;
    assert.deepEqual([url, address?.url], ['http://s.n.localhost:8080', 'http://s.n.svc.cluster.local']);
    assert.deepEqual(traffic, [{ revisionName: 's-00001', percent: 100, latestRevision: true }]);
    assert.deepEqual(conditionsOf(after), {
      AllTrafficAssigned: 'True',
      CertificateProvisioned: 'True TLSNotEnabled: external-domain-tls is not enabled',
      IngressReady: 'Unknown IngressNotConfigured: Ingress has not yet been reconciled.',
      Ready: 'Unknown IngressNotConfigured: Ingress has not yet been reconciled.',
    });
  });

  test('with a rollout duration the traffic moves in steps', async () => {
    const annotated = aRoute({ metadata: { annotations: { 'serving.knative.dev/rollout-duration': '10s' } } });
    const revisions = [1, 2].map((generation) => aRevision(aConfiguration(), generation, ready));
    await using rig = await startRig([routeController], [domain, annotated, configured('s-00001'), ...revisions]);
    const settleIngress = async () => {
      await rig.settle();
      rig.cluster.change(ingresses, 'n', 's', (ingress) => {
        const { generation } = ingress.metadata;
        ingress.status = { ...status({ Ready: 'True' }), ...(generation === undefined ? {} : { observedGeneration: generation }) };
      });
      await rig.settle();
    };
    await settleIngress();
    rig.cluster.change(configurations, 'n', 's', (object) => (object.status = configured('s-00002').status ?? {}));
    await rig.settle();
    const seen: string[] = [];
    const look = () => {
      const after = rig.cluster.find(routes, 'n', 's')?.status as RouteStatus;
      seen.push(`${(after.traffic ?? []).map(({ percent }) => percent).join('/')} ${conditionsOf(after)['IngressReady']?.split(':')[0]}`);
      return splitsOf(rig.cluster.find(ingresses, 'n', 's'));
    };
    assert.deepEqual(look(), [
      ['s-00001', 99],
      ['s-00002', 1],
    ]);
    await settleIngress();
    for (let second = 0; second < 12; second += 1) {
      await rig.clock.advance(1000);
      await settleIngress();
      look();
    }
    assert.deepEqual([...new Set(seen)].slice(0, 3), [
      '99/1 Unknown RolloutInProgress',
      '88/12 Unknown RolloutInProgress',
      '77/23 Unknown RolloutInProgress',
    ]);
    assert.equal(seen.at(-1), '100 True');
  });

  test('is ready when its Ingress is', async () => {
    const rig = await startRig([routeController], [domain, aRoute(), configured('s-00001'), aRevision(aConfiguration(), 1, ready)]);
    await using _ = rig;
    await rig.settle();
    rig.cluster.change(ingresses, 'n', 's', (ingress) => (ingress.status = status({ Ready: 'True' })));
    await rig.settle();
    const after = rig.cluster.find(routes, 'n', 's')?.status;
    assert.deepEqual([conditionsOf(after)['IngressReady'], conditionsOf(after)['Ready']], ['True', 'True']);
    rig.cluster.change(ingresses, 'n', 's', (ingress) => (ingress.status = status({ Ready: 'False Broken: no gateway' })));
    await rig.settle();
    assert.equal(conditionsOf(rig.cluster.find(routes, 'n', 's')?.status)['Ready'], 'False Broken: no gateway');
  });

  test('splits between revisions and gives a tag a name of its own', async () => {
    const route = routeTo({ revisionName: 's-00001', percent: 50 }, { revisionName: 's-00002', percent: 50, tag: 'next' });
    const { creates, status: after } = await reconcile(
      route,
      configured('s-00002'),
      aRevision(aConfiguration(), 1, ready),
      aRevision(aConfiguration(), 2, ready),
    );
    const rules = (creates.find(({ kind }) => kind === 'Ingress') as Ingress).spec?.rules ?? [];
    const byHost = Object.fromEntries(rules.map((rule) => [rule.hosts?.[0], rule.http?.paths[0]?.splits?.map(({ percent }) => percent)]));
    assert.deepEqual(byHost, { 's.n': [50, 50], 's.n.localhost': [50, 50], 'next-s.n': [100], 'next-s.n.localhost': [100] });
    assert.deepEqual(creates.map(({ kind, metadata }) => `${kind} ${metadata.name}`).toSorted(), [
      'Ingress s',
      'Service next-s',
      'Service s',
    ]);
    assert.equal((after as RouteStatus).traffic?.[1]?.url, 'http://next-s.n.localhost:8080');
  });

  test('tag-header-based-routing: a path a tag, and the container is told which tag it was', async () => {
    const route = routeTo({ configurationName: 's', percent: 100 }, { revisionName: 's-00002', percent: 0, tag: 'next' });
    const features = make(configMaps, 'config-features', {
      metadata: { namespace: 'knative-serving' },
      data: { 'tag-header-based-routing': 'Enabled' },
    } as never);
    const revisions = [1, 2].map((generation) => aRevision(aConfiguration(), generation, ready));
    const { creates } = await reconcile(features, route, configured('s-00001'), ...revisions);
    const ingress = creates.find(({ kind }) => kind === 'Ingress') as Ingress;
    const paths = ingress.spec?.rules?.map(({ hosts, http }) => [
      hosts?.[0],
      http?.paths.map(({ headers, appendHeaders, splits }) => [
        headers?.['Knative-Serving-Tag']?.exact,
        appendHeaders,
        splits[0]?.serviceName,
      ]),
    ]);
    const own = [
      ['next', undefined, 's-00002'],
      [undefined, { 'Knative-Serving-Default-Route': 'true' }, 's-00001'],
    ];
    const tagged = [[undefined, { 'Knative-Serving-Tag': 'next' }, 's-00002']];
    assert.deepEqual(paths, [
      ['s.n', own],
      ['s.n.localhost', own],
      ['next-s.n', tagged],
      ['next-s.n.localhost', tagged],
    ]);
    assert.equal(
      ingress.metadata.annotations?.['networking.internal.knative.dev/tag-to-host'],
      '{"next":["next-s.n.svc.cluster.local","next-s.n.localhost"]}',
    );
  });

  const unresolved: [name: string, route: Route, others: KubeObject[], text: string][] = [
    ['a missing configuration', aRoute(), [], 'False ConfigurationMissing: Configuration "s" referenced in traffic not found.'],
    [
      'a missing revision',
      routeTo({ revisionName: 'gone', percent: 100 }),
      [],
      'False RevisionMissing: Revision "gone" referenced in traffic not found.',
    ],
    [
      'a configuration without a ready revision yet',
      aRoute(),
      [aConfiguration({ status: status({ Ready: 'Unknown' }) })],
      'Unknown RevisionMissing: Configuration "s" is waiting for a Revision to become ready.',
    ],
    [
      'a configuration that failed',
      aRoute(),
      [aConfiguration({ status: status({ Ready: 'False RevisionFailed: boom' }) })],
      'False RevisionMissing: Configuration "s" does not have any ready Revision.',
    ],
    [
      'a revision that is not ready yet',
      routeTo({ revisionName: 's-00001', percent: 100 }),
      [aRevision(aConfiguration(), 1)],
      'Unknown RevisionMissing: Revision "s-00001" is not yet ready.',
    ],
    [
      'a revision that failed',
      routeTo({ revisionName: 's-00001', percent: 100 }),
      [aRevision(aConfiguration(), 1, { status: status({ Ready: 'False ExitCode1: boom' }) })],
      'False RevisionMissing: Revision "s-00001" failed to become ready.',
    ],
    [
      'a latest ready revision that broke',
      aRoute(),
      [configured('s-00001'), aRevision(aConfiguration(), 1, { status: status({ Ready: 'False ExitCode1: boom' }) })],
      'False RevisionMissing: Revision "s-00001" failed to become ready.',
    ],
    [
      'one target missing and one not ready: the missing one is told',
      routeTo({ revisionName: 's-00001', percent: 50 }, { revisionName: 'gone', percent: 50 }),
      [aRevision(aConfiguration(), 1)],
      'False RevisionMissing: Revision "gone" referenced in traffic not found.',
    ],
    [
      "another Service's revision",
      aRoute({ metadata: { labels: { [labels.service]: 's' } }, spec: { traffic: [{ revisionName: 'o-00001', percent: 100 }] } }),
      [aRevision(aConfiguration({ metadata: { name: 'o' } }), 1, { ...ready, metadata: { labels: { [labels.service]: 'o' } } })],
      'False RevisionNotOwned: Revision "o-00001" belongs to Service "o", not Service "s".',
    ],
  ];
  for (const [name, route, others, text] of unresolved) {
    test(`${name}: the condition says so and the routing stays`, async () => {
      const before = { ...route, status: status({}, { traffic: [{ revisionName: 's-00000', percent: 100, latestRevision: true }] }) };
      const { actions, status: after } = await reconcile(before, ...others);
      assert.deepEqual(actions, []);
      assert.equal(conditionsOf(after)['AllTrafficAssigned'], text);
      assert.equal(conditionsOf(after)['Ready'], text);
      assert.deepEqual((after as RouteStatus).traffic?.[0]?.revisionName, 's-00000');
    });
  }

  test('a name that is no domain name is said, and the routing stays', async () => {
    const name = 'very-'.repeat(13);
    const said = async (template: string) => {
      const templates = network({ 'domain-template': template });
      const { actions, status: after } = await reconcile(templates, aRoute(), configured('s-00001'), aRevision(aConfiguration(), 1, ready));
      assert.deepEqual(actions, []);
      return conditionsOf(after)['AllTrafficAssigned'];
    };
    const long = `False ErrorConfig: domain name error: invalid domain name "${name}s.n.localhost": url: Invalid value: "${name}s": `;
    assert.equal(await said(`${name}{{.Name}}.{{.Namespace}}.{{.Domain}}`), `${long}must be no more than 63 characters`);
    assert.match(
      (await said('{{index .Labels "sub"}}.{{.Domain}}')) ?? '',
      /^False ErrorConfig: domain name error: invalid domain name "\.localhost": /,
    );
  });

  test('a domain-template may look at labels and annotations', async () => {
    const template =
      '{{if index .Labels "team"}}{{.Name}}-{{index .Labels "team"}}{{else}}{{.Name}}{{end}}.{{index .Annotations "sub"}}.{{.Domain}}';
    const route = aRoute({ metadata: { labels: { team: 'a' }, annotations: { sub: 'x' } } });
    const { status: after } = await reconcile(
      network({ 'domain-template': template }),
      route,
      configured('s-00001'),
      aRevision(aConfiguration(), 1, ready),
    );
    assert.equal((after as RouteStatus).url, 'http://s-a.x.localhost:8080');
  });

  test('a tag that is gone loses its Service', async () => {
    const route = aRoute();
    const stale = ownedBy(make(coreServices, 'old-s', { metadata: { labels: { [labels.route]: 's' } } }), route, routes);
    const { deletes, events } = await reconcile(route, configured('s-00001'), aRevision(aConfiguration(), 1, ready), stale);
    assert.deepEqual(deletes, ['Service n/old-s']);
    assert.ok(events.includes('Normal Deleted Deleted placeholder service "old-s"'));
  });

  for (const [what, stranger] of [
    ['placeholder Service', make(coreServices, 's')],
    ['Ingress', make(ingresses, 's')],
  ] as const) {
    test(`somebody else's ${what} of the name is left alone`, async () => {
      const {
        updates,
        status: after,
        outcome,
      } = await reconcile(aRoute(), configured('s-00001'), aRevision(aConfiguration(), 1, ready), stranger);
      assert.deepEqual(updates, []);
      assert.equal(conditionsOf(after)['IngressReady'], `False NotOwned: There is an existing ${what} "s" that we do not own.`);
      assert.equal(outcome?.kind, 'requeue');
    });
  }

  test('a tag whose placeholder is labelled cluster-local has no public host', async () => {
    const route = routeTo({ configurationName: 's', percent: 100, tag: 'blue' });
    // Any value will do.
    const placeholder = make(coreServices, 'blue-s', { metadata: { labels: { [labels.visibility]: 'private' } } });
    const existing = ownedBy(placeholder, route, routes);
    const { creates, status: after } = await reconcile(route, configured('s-00001'), aRevision(aConfiguration(), 1, ready), existing);
    const ingress = creates.find(({ kind }) => kind === 'Ingress') as Ingress;
    const hosts = ingress.spec?.rules?.filter(({ visibility }) => visibility === 'ExternalIP').map((rule) => rule.hosts?.[0]);
    assert.deepEqual(hosts, ['s.n.localhost']);
    const { url, traffic } = after as RouteStatus;
    assert.deepEqual([url, traffic?.[0]?.url], ['http://s.n.localhost:8080', 'http://blue-s.n.svc.cluster.local']);
  });

  test('a cluster-local route has no public host', async () => {
    const route = aRoute({ metadata: { labels: { [labels.visibility]: 'cluster-local' } } });
    const { creates, status: after } = await reconcile(route, configured('s-00001'), aRevision(aConfiguration(), 1, ready));
    const ingress = creates.find(({ kind }) => kind === 'Ingress') as Ingress;
    assert.deepEqual(
      ingress.spec?.rules?.map(({ visibility }) => visibility),
      ['ClusterLocal'],
    );
    assert.equal((after as RouteStatus).url, 'http://s.n.svc.cluster.local');
  });
});
