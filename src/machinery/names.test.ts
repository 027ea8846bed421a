import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { dns1035Label, dns1123Label, dns1123Subdomain, labelValue, qualifiedName } from './names.ts';

describe('names', () => {
  test('messages are those of Kubernetes', () => {
    assert.deepEqual(dns1123Subdomain('A_b'), [
      "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
    ]);
    assert.deepEqual(dns1123Label('a'.repeat(64)), ['must be no more than 63 characters']);
    assert.equal(dns1035Label('1a').length, 1);
    assert.deepEqual(qualifiedName('/x'), ['prefix part must be non-empty']);
    assert.deepEqual(qualifiedName('example.com/'), [
      'name part must be non-empty',
      "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
    ]);
  });

  test('good names pass', () => {
    assert.deepEqual(
      [dns1123Label('a-1'), dns1123Subdomain('a.b-c'), dns1035Label('a1'), qualifiedName('a.b/C_d'), labelValue('')],
      [[], [], [], [], []],
    );
  });
});
