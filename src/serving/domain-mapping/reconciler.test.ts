import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { configMaps } from '#apis/core/v1/config-map.ts';
import { services as coreServices } from '#apis/core/v1/service.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import { certificates, clusterDomainClaims, type Certificate, type ClusterDomainClaim } from '#apis/networking/v1alpha1/certificate.ts';
import { ingresses, type Ingress } from '#apis/networking/v1alpha1/ingress.ts';
import { services } from '#apis/serving/v1/kinds.ts';
import { domainMappings, type DomainMapping } from '#apis/serving/v1beta1/domain-mapping.ts';
import { reconcileOnce } from '#controller/testing.ts';
import { domainMappingController } from '#serving/domain-mapping/reconciler.ts';
import { makeIngress } from '#serving/domain-mapping/resources.ts';
import { networkTable } from '#apis/serving/config/tables.ts';
import { readConfig } from '#apis/serving/config/config-map.ts';
import { conditionsOf, make, ownedBy, status } from '#serving/testing.ts';

const domain = 'app.example.org';
const ref = { apiVersion: 'serving.knative.dev/v1', kind: 'Service', name: 's', namespace: 'n' };
const mapping = (change: object = {}, spec: object = {}): DomainMapping =>
  make(domainMappings, domain, { spec: { ref, ...spec }, ...change } as Partial<DomainMapping>);
const claim = (namespace = 'n') =>
  make(clusterDomainClaims, domain, { metadata: { namespace: undefined }, spec: { namespace } } as never) as ClusterDomainClaim;
const target = () => make(services, 's', { status: { address: { url: 'http://s.n.svc.cluster.local' } } });
const automatic = () =>
  make(configMaps, 'config-network', {
    metadata: { namespace: 'knative-serving' },
    data: { 'autocreate-cluster-domain-claims': 'true' },
  } as never);
const reconcile = (...objects: KubeObject[]) => reconcileOnce(domainMappingController, { objects, key: `n/${domain}` });
const said = async (type: string, ...objects: KubeObject[]) => conditionsOf((await reconcile(...objects)).status)[type];

describe('domain mapping controller', () => {
  test('a claimed domain gets an Ingress that sends its requests to the Service', async () => {
    const { creates, status: written, events } = await reconcile(mapping(), claim(), target());
    const [ingress] = creates as Ingress[];
    assert.equal(ingress?.metadata.name, domain);
    const [rule] = ingress?.spec?.rules ?? [];
    assert.deepEqual([rule?.hosts, rule?.visibility], [[domain], 'ExternalIP']);
    const [path] = rule?.http?.paths ?? [];
    assert.equal(path?.rewriteHost, 's.n.svc.cluster.local');
    assert.deepEqual(path?.splits, [
      { serviceNamespace: 'n', serviceName: 's', servicePort: 80, percent: 100, appendHeaders: { 'K-Original-Host': domain } },
    ]);
    assert.deepEqual(conditionsOf(written), {
      CertificateProvisioned: 'True TLSNotEnabled: external-domain-tls is not enabled',
      DomainClaimed: 'True',
      IngressReady: 'Unknown IngressNotConfigured: Ingress has not yet been reconciled.',
      Ready: 'Unknown IngressNotConfigured: Ingress has not yet been reconciled.',
      ReferenceResolved: 'True',
    });
    assert.deepEqual(events, [`Normal Created Created Ingress "${domain}"`]);
  });

  test('is ready when its Ingress is', async () => {
    const wanted = makeIngress(mapping(), { service: 's', host: 's.n.svc.cluster.local' }, readConfig(networkTable, undefined));
    const existing = ownedBy(make(ingresses, domain, wanted as never), mapping(), domainMappings);
    const { status: written } = await reconcile(mapping(), claim(), target(), {
      ...existing,
      status: status({ Ready: 'True' }),
    } as Ingress);
    assert.equal(conditionsOf(written)['Ready'], 'True');
    assert.equal((written as DomainMapping['status'])?.url, `http://${domain}`);
    assert.equal((written as DomainMapping['status'])?.address?.url, `http://${domain}`);
  });

  test('where TLS is on it gets a certificate of its own, and is https with it', async () => {
    const withTls = make(configMaps, 'config-network', {
      metadata: { namespace: 'knative-serving' },
      data: { 'external-domain-tls': 'enabled' },
    } as never);
    const first = await reconcile(mapping(), claim(), target(), withTls);
    const made = first.creates.find(({ kind }) => kind === 'Certificate') as Certificate;
    assert.deepEqual([made.metadata.name, made.spec], [domain, { dnsNames: [domain], domain, secretName: domain }]);
    assert.equal(
      conditionsOf(first.status)['CertificateProvisioned'],
      `True HTTPDowngrade: Certificate ${domain} is not ready downgrade HTTP.`,
    );
    const issued = { ...ownedBy(make(certificates, domain, made as never), mapping(), domainMappings), status: status({ Ready: 'True' }) };
    const { creates, status: after } = await reconcile(mapping(), claim(), target(), withTls, issued);
    assert.deepEqual((creates as Ingress[])[0]?.spec?.tls, [{ hosts: [domain], secretName: domain, secretNamespace: 'n' }]);
    assert.equal((after as DomainMapping['status'])?.url, `https://${domain}`);
    assert.equal(conditionsOf(after)['CertificateProvisioned'], 'True');
  });

  test('a domain of nobody, or of another namespace, is not mapped', async () => {
    const taken = 'False DomainAlreadyClaimed: The domain name is already in use by another DomainMapping';
    assert.equal(await said('DomainClaimed', mapping(), target()), taken);
    assert.equal(await said('Ready', mapping(), target(), claim('other')), taken);
    assert.deepEqual((await reconcile(mapping(), target(), claim('other'))).creates, []);
  });

  test('claims the domain itself where that is configured, and gives it back', async () => {
    const { creates, patches } = await reconcile(mapping(), target(), automatic());
    assert.deepEqual(
      creates.map(({ kind }) => kind),
      ['ClusterDomainClaim', 'Ingress'],
    );
    assert.deepEqual((creates[0] as ClusterDomainClaim).spec, { namespace: 'n' });
    assert.deepEqual((patches[0]?.body as DomainMapping | undefined)?.metadata.finalizers, ['domainmappings.serving.knative.dev']);

    const metadata = { finalizers: ['domainmappings.serving.knative.dev'], deletionTimestamp: '2026-01-01T00:00:00Z' };
    const gone = mapping({ metadata });
    assert.deepEqual((await reconcile(gone, claim(), automatic())).deletes, [`ClusterDomainClaim ${domain}`]);
    assert.deepEqual((await reconcile(gone, claim('other'), automatic())).deletes, []);
    assert.deepEqual((await reconcile(gone, claim())).deletes, []);
  });

  test('says what its reference does not lead to', async () => {
    const missing = 'False ResolveFailed: failed to get object n/s: services.serving.knative.dev "s" not found';
    assert.equal(await said('ReferenceResolved', mapping(), claim()), missing);
    const unset = 'Kind = Service, Namespace = n, Name = s, APIVersion = serving.knative.dev/v1, Group = , Address = ';
    assert.equal(await said('Ready', mapping(), claim(), make(services, 's')), `False ResolveFailed: address not set for ${unset}`);
    const at = (url: string) => make(services, 's', { status: { address: { url } } });
    const cases = {
      'http://s.n.svc.cluster.local/path': 'contains a path',
      'http://s.example.com': 'must be of the form {name}.{namespace}.svc.cluster.local',
      'http://s.other.svc.cluster.local': 'must be in same namespace as DomainMapping',
    };
    for (const [url, text] of Object.entries(cases)) {
      assert.equal(await said('ReferenceResolved', mapping(), claim(), at(url)), `False ResolveFailed: resolved URI "${url}" ${text}`);
    }
  });

  test("maps a core Service, and serves TLS with the user's own certificate", async () => {
    const spec = { ref: { apiVersion: 'v1', kind: 'Service', name: 'plain' }, tls: { secretName: 'cert' } };
    const { creates, status: written } = await reconcile(mapping({}, spec), claim(), make(coreServices, 'plain'));
    const [ingress] = creates as Ingress[];
    assert.deepEqual(ingress?.spec?.tls, [{ hosts: [domain], secretName: 'cert', secretNamespace: 'n' }]);
    assert.equal(ingress?.spec?.rules?.[0]?.http?.paths[0]?.rewriteHost, 'plain.n.svc.cluster.local');
    const text = 'True CertificateExternallyProvided: TLS certificate was provided externally';
    assert.equal(conditionsOf(written)['CertificateProvisioned'], text);
    assert.equal((written as DomainMapping['status'])?.url, `https://${domain}`);
  });
});
