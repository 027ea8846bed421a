import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { configMaps } from '#apis/core/v1/config-map.ts';
import { namespaces, type Namespace } from '#apis/core/v1/namespace.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import { certificates, type Certificate } from '#apis/networking/v1alpha1/certificate.ts';
import { labels } from '#apis/serving/names.ts';
import { PermanentError } from '#controller/controller.ts';
import { reconcileOnce } from '#controller/testing.ts';
import { namespaceCertificateController } from '#serving/namespace-certificate/reconciler.ts';
import { make, ownedBy } from '#serving/testing.ts';

const map = (name: string, data: Record<string, string>) =>
  make(configMaps, name, { metadata: { namespace: 'knative-serving' }, data } as never);
const network = (selector: string, tls = 'Enabled') =>
  map('config-network', { 'external-domain-tls': tls, 'namespace-wildcard-cert-selector': selector });
const domains = map('config-domain', { 'example.com': '', 'svc.cluster.local': 'selector: {app: inner}', _example: '' });
const namespace = make(namespaces, 'n', { metadata: { namespace: undefined, labels: { tls: 'yes' } } } as never) as Namespace;
const reconcile = (...objects: KubeObject[]) =>
  reconcileOnce(namespaceCertificateController, { objects: [namespace, domains, ...objects], key: 'n' });
const chosen = 'matchLabels: {tls: "yes"}';
const existing = (domain: string): Certificate =>
  ownedBy(
    make(certificates, `n.${domain}`, {
      metadata: { labels: { [labels.wildcardDomain]: domain } },
      spec: { dnsNames: [`*.n.${domain}`], domain, secretName: `n.${domain}` },
    }),
    namespace,
    namespaces,
  );

describe('namespace certificate controller', () => {
  test('a chosen namespace gets one certificate a public domain for all its names', async () => {
    for (const selector of [chosen, '{}', 'matchExpressions: [{key: tls, operator: Exists}]']) {
      const [made, ...more] = (await reconcile(network(selector))).creates as Certificate[];
      assert.deepEqual(more, []);
      assert.equal(made?.metadata.name, 'n.example.com');
      assert.deepEqual(made?.metadata.labels, { [labels.wildcardDomain]: 'example.com' });
      assert.deepEqual(made?.spec, { dnsNames: ['*.n.example.com'], domain: 'example.com', secretName: 'n.example.com' });
    }
  });

  test('others get none, and lose what they had', async () => {
    for (const config of [network(''), network('matchLabels: {tls: "no"}'), network(chosen, 'Disabled')]) {
      const { creates, deletes } = await reconcile(config, existing('example.com'));
      assert.deepEqual([creates, deletes], [[], ['Certificate n/n.example.com']]);
    }
  });

  test('the certificate of a domain that is gone goes too', async () => {
    const { deletes } = await reconcile(network(chosen), existing('example.org'));
    assert.deepEqual(deletes, ['Certificate n/n.example.org']);
  });

  test('a selector that is none is told once', async () => {
    const { error } = await reconcile(network('matchExpressions: 5'));
    assert.ok(error instanceof PermanentError);
    assert.match(error.message, /namespace-wildcard-cert-selector of config-network is no label selector/);
  });
});
