import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ObjectMeta } from '#apis/meta/object.ts';
import { validateObjectMeta } from '#apis/meta/validate-metadata.ts';

const texts = (meta: ObjectMeta, namespaced = true) =>
  validateObjectMeta({ name: 'a', ...(namespaced ? { namespace: 'n' } : {}), ...meta }, { namespaced }).map(
    ({ field, message }) => `${field}: ${message}`,
  );

describe('metadata', () => {
  const cases: [string, ObjectMeta, RegExp][] = [
    ['no name', { name: '' }, /^metadata\.name: Required value: name or generateName is required$/],
    ['a name with capitals', { name: 'A' }, /^metadata\.name: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of/],
    ['a prefix with capitals', { generateName: 'A-' }, /^metadata\.generateName: Invalid value: "A-": a lowercase RFC 1123 subdomain/],
    [
      'a label value with blanks',
      { labels: { a: 'b c' } },
      /^metadata\.labels: Invalid value: "b c": a valid label must be an empty string or/,
    ],
    [
      'a label key with two slashes',
      { labels: { 'a/b/c': '' } },
      /^metadata\.labels: Invalid value: "a\/b\/c": a qualified name must consist of/,
    ],
    [
      'huge annotations',
      { annotations: { a: 'x'.repeat(262_144) } },
      /^metadata\.annotations: Too long: may not be more than 262144 bytes$/,
    ],
    [
      'an unqualified finalizer',
      { finalizers: ['mine'] },
      /^metadata\.finalizers\[0\]: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified$/,
    ],
    [
      'an owner without uid',
      { ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'p', uid: '' }] },
      /^metadata\.ownerReferences\.uid: Invalid value: "": must not be empty$/,
    ],
  ];
  for (const [name, meta, expected] of cases) {
    it(`refuses ${name}`, () => {
      const found = texts(meta);
      assert.equal(found.length, 1, found.join('\n'));
      assert.match(found[0] ?? '', expected);
    });
  }

  it('refuses two controllers', () => {
    const owner = { apiVersion: 'v1', kind: 'Pod', uid: 'u', controller: true };
    const found = texts({
      ownerReferences: [
        { ...owner, name: 'a' },
        { ...owner, name: 'b' },
      ],
    });
    assert.match(found[0] ?? '', /Only one reference can have Controller set to true\. Found "true" in references for Pod\/a and Pod\/b$/);
  });

  it('says of owners and finalizers what Kubernetes says', () => {
    const owner = { apiVersion: 'a/b/c', kind: '', name: 'n', uid: 'u' };
    assert.deepEqual(texts({ ownerReferences: [owner] }), [
      'metadata.ownerReferences.apiVersion: Invalid value: "a/b/c": version must not be empty',
      'metadata.ownerReferences.kind: Invalid value: "": must not be empty',
    ]);
    const event = { apiVersion: 'v1', kind: 'Event', name: 'x', uid: '1' };
    assert.deepEqual(texts({ ownerReferences: [event] }), [
      `metadata.ownerReferences: Invalid value: ${JSON.stringify(event)}: /v1, Kind=Event is disallowed from being an owner`,
    ]);
    assert.deepEqual(texts({ finalizers: ['example.com/ok', '/x', 'y'] }), [
      'metadata.finalizers: Invalid value: "/x": prefix part must be non-empty',
      'metadata.finalizers[2]: Invalid value: "y": name is neither a standard finalizer name nor is it fully qualified',
    ]);
  });

  it('refuses a namespace where there is none', () => {
    assert.deepEqual(texts({ namespace: 'x' }, false), ['metadata.namespace: Forbidden: not allowed on this type']);
  });

  it('accepts prefixes that end in a dash, annotation keys with capitals, qualified finalizers', () => {
    assert.deepEqual(texts({ generateName: 'a-', annotations: { 'example.com/Key': '' }, finalizers: ['example.com/f', 'orphan'] }), []);
  });
});
