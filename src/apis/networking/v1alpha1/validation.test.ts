import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { certificateDefinition, type Certificate } from '#apis/networking/v1alpha1/certificate.ts';
import { ingressDefinition, type Ingress } from '#apis/networking/v1alpha1/ingress.ts';
import type { AdmissionContext } from '#apis/definition.ts';

const context = (subresource = '') => ({ operation: 'create', subresource }) as AdmissionContext<never>;
const ingress = (spec: unknown): Ingress => ({ metadata: { name: 'i', namespace: 'n' }, spec }) as Ingress;
const split = (change: object = {}) => ({ serviceNamespace: 'n', serviceName: 's', servicePort: 80, ...change });
const withSplits = (...splits: object[]) => ingress({ rules: [{ http: { paths: [{ splits }] } }] });
const refusal = (act: () => unknown): string => {
  try {
    act();
    return '';
  } catch (error) {
    return (error as Error).message.replace(/^admission webhook "[^"]*" denied the request: validation failed: /, '');
  }
};
const refused = (object: Ingress) => refusal(() => ingressDefinition.validate?.(object, context()));

describe('an Ingress', () => {
  test('is visible outside, and sends everything to its only target, unless it says otherwise', () => {
    const object = withSplits(split());
    ingressDefinition.default?.(object, context());
    assert.deepEqual(object.spec?.rules?.[0], { visibility: 'ExternalIP', http: { paths: [{ splits: [split({ percent: 100 })] }] } });
    const other = ingress({ rules: [{ visibility: 'ClusterLocal', http: { paths: [{ splits: [split({ percent: 1 }), split()] }] } }] });
    const before = structuredClone(other);
    ingressDefinition.default?.(other, context());
    assert.deepEqual(other, before);
  });

  test('is refused in the words of Knative’s webhook', () => {
    assert.equal(refused(withSplits(split())), '');
    assert.equal(refused(ingress({})), 'missing field(s): spec');
    assert.equal(refused(ingress({ httpOption: 'Enabled' })), 'missing field(s): spec.rules');
    assert.equal(refused(ingress({ rules: [{}, { hosts: ['a'] }] })), 'missing field(s): spec.rules[0], spec.rules[1].http');
    assert.equal(refused(ingress({ rules: [{ http: { paths: [] } }] })), 'missing field(s): spec.rules[0].http.paths');
    assert.equal(refused(withSplits()), 'missing field(s): spec.rules[0].http.paths[0].splits');
    const where = 'spec.rules[0].http.paths[0].splits';
    assert.equal(refused(withSplits(split({ percent: 101 }))), `invalid value: 101: ${where}[0].percent`);
    assert.equal(
      refused(withSplits(split({ percent: 30 }), split({ percent: 60 }))),
      `traffic split percentage must total to 100, but was 90: ${where}`,
    );
    assert.equal(
      refused(withSplits(split({ serviceNamespace: 'other' }))),
      `service namespace must match ingress namespace: ${where}[0].serviceNamespace`,
    );
    assert.equal(refused(withSplits(split({ serviceName: '' }))), `missing field(s): ${where}[0].serviceName`);
    const tls = ingress({ ...withSplits(split()).spec, tls: [{ hosts: ['a'] }] });
    assert.equal(refused(tls), 'missing field(s): spec.tls[0].secretName, spec.tls[0].secretNamespace');
  });

  test('whose status is written is not looked at', () => {
    assert.deepEqual(ingressDefinition.validate?.(ingress({}), context('status')), []);
  });
});

test('a Certificate names hosts of its domain, and a Secret', () => {
  const of = (spec: object) => refusal(() => certificateDefinition.validate?.({ metadata: { name: 'c' }, spec } as Certificate, context()));
  assert.equal(of({ dnsNames: ['a.b'], domain: 'b', secretName: 's' }), '');
  assert.equal(of({ dnsNames: [], secretName: '' }), 'missing field(s): spec.dnsNames, spec.secretName');
  assert.equal(of({ dnsNames: [''], secretName: 's' }), 'invalid value: : spec.dnsNames[0]');
  assert.match(of({ dnsNames: ['a.b'], domain: 'c', secretName: 's' }), /^invalid value: domain: spec\.domain must be a suffix of/);
});
