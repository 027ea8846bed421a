import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { X509Certificate } from 'node:crypto';
import { secrets, type Secret } from '#apis/core/v1/secret.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import { certificates, type Certificate } from '#apis/networking/v1alpha1/certificate.ts';
import { annotations } from '#apis/serving/names.ts';
import { reconcileOnce } from '#controller/testing.ts';
import { FakeClock } from '#core/clock.ts';
import { certificateController } from '#serving/certificate/reconciler.ts';
import { keyPairOf, makeSecret, tlsSecret, trustSecret } from '#serving/certificate/secrets.ts';
import { conditionsOf, make } from '#serving/testing.ts';
import { createAuthority, issueCertificate } from '#wire/certificates.ts';

const hosts = ['s.n.example.com', '*.n.example.com'];
const certificate = (change: object = {}): Certificate =>
  make(certificates, 'c', { spec: { dnsNames: hosts, secretName: 'c-tls' }, ...change });
const reconcile = (...objects: KubeObject[]) =>
  reconcileOnce(certificateController, { objects, key: 'n/c', clock: new FakeClock(Date.now()) });
const stored = (secret: Secret): Secret => ({
  ...secret,
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { ...secret.metadata, uid: `uid-${secret.metadata.name}` },
});
const authority = await createAuthority('test', 100);
const authorityObject = stored(tlsSecret('cert-manager', 'ca-key-pair', authority, authority.certificate));
const trust = stored(trustSecret('cert-manager', 'knative-selfsigned-ca', authority.certificate));
const issue = (days: number, names = hosts) => issueCertificate(authority, { commonName: 'x', hosts: names, usage: 'server', days });
const issued = async (days: number, names = hosts) => stored(makeSecret(certificate(), await issue(days, names), authority.certificate));
const madeIn = ({ creates, updates }: { creates: readonly KubeObject[]; updates: readonly KubeObject[] }) =>
  keyPairOf([...creates, ...updates].find(({ metadata }) => metadata.name === 'c-tls') as Secret | undefined);

describe('certificate controller', () => {
  test('makes an authority where there is none, and signs with it', async () => {
    const result = await reconcile(certificate());
    const [root, trusted, leaf] = result.creates as Secret[];
    assert.deepEqual(
      [root, trusted, leaf].map((secret) => [secret?.metadata.namespace, secret?.metadata.name, secret?.type]),
      [
        ['cert-manager', 'ca-key-pair', 'kubernetes.io/tls'],
        ['cert-manager', 'knative-selfsigned-ca', 'Opaque'],
        ['n', 'c-tls', 'kubernetes.io/tls'],
      ],
    );
    assert.deepEqual(trusted?.data, { 'tls.crt': root?.data?.['tls.crt'], 'ca.crt': root?.data?.['tls.crt'] });
    const signed = new X509Certificate(keyPairOf(leaf)?.certificate ?? '');
    assert.ok(signed.verify(new X509Certificate(keyPairOf(root)?.certificate ?? '').publicKey));
    assert.deepEqual(signed.subjectAltName, 'DNS:s.n.example.com, DNS:*.n.example.com');
    assert.equal(leaf?.data?.['ca.crt'], root?.data?.['tls.crt']);
    assert.deepEqual(conditionsOf(result.status), { Ready: 'True' });
    assert.equal((result.status as Certificate['status'])?.notAfter, signed.validToDate.toISOString().replace('.000Z', 'Z'));
  });

  test('what is good stays', async () => {
    const { actions, status } = await reconcile(certificate(), authorityObject, trust, await issued(60));
    assert.deepEqual(actions, []);
    assert.deepEqual(conditionsOf(status), { Ready: 'True' });
  });

  for (const [what, secret] of [
    ['ends soon', () => issued(29)],
    ['is for other names', () => issued(60, ['other.example.com'])],
    ['holds no certificate', async () => ({ ...(await issued(60)), data: {} }) as Secret],
  ] as const) {
    test(`one that ${what} is issued again`, async () => {
      const result = await reconcile(certificate(), authorityObject, await secret());
      assert.match(new X509Certificate(madeIn(result)?.certificate ?? '').subjectAltName ?? '', /s\.n\.example\.com/);
      assert.deepEqual(
        result.updates.map(({ metadata }) => metadata.name),
        ['c-tls'],
      );
    });
  }

  test('a new authority signs everything again', async () => {
    const other = await createAuthority('other', 100);
    const replaced = stored(tlsSecret('cert-manager', 'ca-key-pair', other, other.certificate));
    const pair = madeIn(await reconcile(certificate(), replaced, await issued(60)));
    assert.ok(new X509Certificate(pair?.certificate ?? '').verify(new X509Certificate(other.certificate).publicKey));
  });

  test('says what is wrong with an authority that cannot sign, and with a Secret of somebody else', async () => {
    const empty = { ...authorityObject, data: {} } as Secret;
    assert.match(
      conditionsOf((await reconcile(certificate(), empty)).status)['Ready'] ?? '',
      /^False IssuerNotReady: Secret cert-manager\/ca-key-pair has no tls\.crt/,
    );
    const damaged = { ...authorityObject, data: { ...authorityObject.data, 'tls.key': btoa('no key') } } as Secret;
    assert.match(
      conditionsOf((await reconcile(certificate(), damaged)).status)['Ready'] ?? '',
      /^False IssuerNotReady: the authority in Secret cert-manager\/ca-key-pair cannot sign: /,
    );
    const { actions, status } = await reconcile(certificate(), authorityObject, make(secrets, 'c-tls'));
    assert.deepEqual(actions, []);
    assert.equal(conditionsOf(status)['Ready'], 'False NotOwned: There is an existing Secret "c-tls" that we do not own.');
  });

  test('what clients are to trust follows the authority, unless somebody else keeps it there', async () => {
    const stale = { ...trust, data: { 'tls.crt': btoa('old'), 'ca.crt': btoa('old') } } as Secret;
    const { updates } = await reconcile(certificate(), authorityObject, stale, await issued(60));
    assert.deepEqual(
      updates.map(({ metadata }) => metadata.name),
      ['knative-selfsigned-ca'],
    );
    const own = { ...stale, metadata: { ...stale.metadata, labels: {} } } as Secret;
    assert.deepEqual((await reconcile(certificate(), authorityObject, own, await issued(60))).actions, []);
  });

  test('certificates of another class are for others', async () => {
    const { actions, status } = await reconcile(certificate({ metadata: { annotations: { [annotations.certificateClass]: 'acme' } } }));
    assert.deepEqual([actions, status], [[], undefined]);
  });
});
