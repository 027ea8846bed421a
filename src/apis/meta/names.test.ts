import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as names from '#apis/meta/names.ts';

describe('names', () => {
  it('words a bad subdomain as Kubernetes does', () => {
    assert.deepEqual(names.checkDns1123Subdomain('Foo_'), [
      "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
    ]);
  });
  it('joins examples with a double blank, as Kubernetes does', () => {
    assert.match(names.checkDns1123Label('-')[0] ?? '', /\(e\.g\. 'my-name', {2}or '123-abc', regex used for validation is/);
  });
  const cases: [keyof typeof names, string, number][] = [
    ['checkDns1123Label', 'a'.repeat(63), 0],
    ['checkDns1123Label', 'a'.repeat(64), 1],
    ['checkDns1123Label', 'a.b', 1],
    ['checkDns1123Label', 'a\n', 1],
    ['checkDns1123Subdomain', 'a.b-c.1', 0],
    ['checkDns1123Subdomain', 'a..b', 1],
    ['checkDns1035Label', '1a', 1],
    ['checkQualifiedName', 'example.com/My_Name', 0],
    ['checkQualifiedName', '/x', 1],
    ['checkQualifiedName', 'a/', 2],
    ['checkQualifiedName', 'a/b/c', 1],
    ['checkLabelValue', '', 0],
    ['checkLabelValue', '-x', 1],
    ['checkConfigMapKey', '..data', 1],
    ['checkConfigMapKey', 'a.b_c', 0],
    ['checkEnvVarName', 'A B', 0],
    ['checkEnvVarName', 'A=B', 1],
    ['checkPortName', 'http', 0],
    ['checkPortName', '80', 1],
    ['checkPathSegment', 'system:node', 0],
    ['checkPathSegment', 'a/b%', 2],
    ['checkIP', '10.0.0.1', 0],
    ['checkIP', '10.0.0.01', 1],
    ['checkIP', '::1', 0],
    ['checkIP', '::ffff:1.2.3.4', 0],
    ['checkIP', '1::2::3', 1],
    ['checkIP', '1:2:3:4:5:6:7', 1],
    ['checkCIDR', '10.0.0.0/8', 0],
    ['checkCIDR', '10.0.0.0/33', 1],
    ['checkWildcardSubdomain', '*.a.b', 0],
    ['checkPercent', '25%', 0],
    ['checkPercent', '25', 1],
  ];
  for (const [name, value, count] of cases) {
    it(`${name} has ${count} findings on ${JSON.stringify(value.slice(0, 20))} (${value.length})`, () => {
      assert.equal((names[name] as (value: string) => readonly string[])(value).length, count);
    });
  }
});
