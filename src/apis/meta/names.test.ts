import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as names from '#apis/meta/names.ts';

describe('names', () => {
  it('words a bad subdomain as Kubernetes does', () => {
    assert.deepEqual(names.checkDns1123Subdomain('Foo_'), [
      "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
    ]);
  });
  it('says that a subdomain is no label', () => assert.deepEqual(names.checkDns1123Label('a.b'), ['must not contain dots']));
  it('counts characters', () => assert.deepEqual(names.checkDns1123Label('a'.repeat(64)), ['must be no more than 63 characters']));
  it('joins examples with a double blank, as Kubernetes does', () => {
    assert.match(names.checkDns1123Label('-')[0] ?? '', /\(e\.g\. 'my-name', {2}or '123-abc', regex used for validation is/);
  });
  const cases: [(value: string) => readonly string[], string, number][] = [
    [names.checkDns1123Label, 'a'.repeat(63), 0],
    [names.checkDns1123Label, 'a'.repeat(64), 1],
    [names.checkDns1123Label, 'a.b', 1],
    [names.checkDns1123Label, 'a\n', 1],
    [names.checkDns1123Subdomain, 'a.b-c.1', 0],
    [names.checkDns1123Subdomain, 'a..b', 1],
    [names.checkDns1035Label, '1a', 1],
    [names.checkQualifiedName, 'example.com/My_Name', 0],
    [names.checkQualifiedName, '/x', 1],
    [names.checkQualifiedName, 'a/', 2],
    [names.checkQualifiedName, 'a/b/c', 1],
    [names.checkLabelValue, '', 0],
    [names.checkLabelValue, '-x', 1],
    [names.checkConfigMapKey, '..data', 1],
    [names.checkConfigMapKey, 'a.b_c', 0],
    [names.checkEnvVarName, 'A B', 0],
    [names.checkEnvVarName, 'A=B', 1],
    [names.checkPortName, 'http', 0],
    [names.checkPortName, '80', 1],
    [names.checkPathSegment, 'system:node', 0],
    [names.checkPathSegment, 'a/b%', 2],
    [names.checkIP, '10.0.0.1', 0],
    [names.checkIP, '10.0.0.01', 1],
    [names.checkIP, '::1', 0],
    [names.checkIP, '::ffff:1.2.3.4', 0],
    [names.checkIP, '1::2::3', 1],
    [names.checkIP, '1:2:3:4:5:6:7', 1],
    [names.checkCIDR, '10.0.0.0/8', 0],
    [names.checkCIDR, '10.0.0.0/33', 1],
    [names.checkWildcardSubdomain, '*.a.b', 0],
    [names.checkPercent, '25%', 0],
    [names.checkPercent, '25', 1],
  ];
  for (const [check, value, count] of cases) {
    it(`has ${count} findings on ${JSON.stringify(value.slice(0, 20))} (${value.length})`, () => {
      assert.equal(check(value).length, count);
    });
  }
});
