import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import type { Schema, ValidationRule } from '#apis/schema.ts';
import { compileRules, evaluateRules } from './cel.ts';

const spec = (rules: readonly ValidationRule[], properties: Record<string, Schema> = {}): Schema => ({
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      properties: {
        replicas: { type: 'integer' },
        min: { type: 'integer' },
        name: { type: 'string' },
        ratio: { type: 'number' },
        when: { type: 'string', format: 'date-time' },
        wait: { type: 'string', format: 'duration' },
        tags: { type: 'array', items: { type: 'string' } },
        ports: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['name'],
          items: { type: 'object', properties: { name: { type: 'string' }, port: { type: 'integer' } } },
        },
        labels: { type: 'object', additionalProperties: { type: 'string' } },
        any: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        size: { 'x-kubernetes-int-or-string': true },
        namespace: { type: 'string' },
        'a-b.c': { type: 'string' },
        ...properties,
      },
      'x-kubernetes-validations': rules,
    },
  },
});
const run = (rule: string | ValidationRule, value: object, old?: object): string[] => {
  const { rules, errors } = compileRules(spec([typeof rule === 'string' ? { rule } : rule]));
  assert.deepEqual(errors, []);
  return evaluateRules(rules, { spec: value }, old === undefined ? undefined : { spec: old }).map(
    (error) => `${error.field}: ${error.message}`,
  );
};
const full = {
  replicas: 3,
  name: 'web-1',
  ratio: 2,
  when: '2026-01-01T00:00:00Z',
  wait: '1m30s',
  tags: ['a', 'b'],
  ports: [{ name: 'http', port: 80 }],
  labels: { a: 'b' },
  any: { x: { y: 1 } },
  size: 5,
  namespace: 'ns',
  'a-b.c': 'z',
};

describe('CEL rules', () => {
  test('expressions see typed values and the libraries of Kubernetes', () => {
    for (const rule of [
      'self.replicas > 2 && !has(self.min)',
      'self.ratio == 2.0',
      "self.when < timestamp('2027-01-01T00:00:00Z') && self.wait == duration('90s')",
      "self.tags.all(t, t.size() == 1) && 'a' in self.tags && self.tags.isSorted()",
      "self.ports.exists(p, p.name == 'http' && p.port == 80) && self.ports.map(p, p.port).sum() == 80",
      "self.labels['a'] == 'b' && self.labels.all(k, k == 'a')",
      'self.any.x.y == 1',
      'type(self.size) == int && self.size < 10',
      "self.__namespace__ == 'ns' && self.a__dash__b__dot__c == 'z'",
      "self.name.matches('^web-[0-9]+$') && self.name.find('[0-9]') == '1' && self.name.replace('web', 'api') == 'api-1'",
      "'%s has %d'.format([self.name, self.replicas]) == 'web-1 has 3' && '%.2f'.format([1.5]) == '1.50'",
      "[3, 1, 2].max() == 3 && ['b', 'a'].min() == 'a' && [1, 2, 1].lastIndexOf(1) == 2 && self.tags.indexOf('b') == 1",
      "url('https://a.b:8443/p?x=1').getHostname() == 'a.b' && url('https://a.b:8443/p').getPort() == '8443' && isURL('/x') && !isURL('x y')",
      "ip('::1').isLoopback() && cidr('10.0.0.0/8').containsIP('10.1.2.3') && !cidr('10.0.0.0/8').containsCIDR('11.0.0.0/16') && !isIP('1.2.3')",
      "quantity('1Gi').isGreaterThan(quantity('1G')) && quantity('500m').add(quantity('1')).compareTo(quantity('1500m')) == 0 && !isQuantity('x')",
      "sets.contains(self.tags, ['a']) && sets.equivalent([1, 1, 2], [2, 1])",
      'cel.bind(n, self.replicas + 1, n * n == 16)',
      "self.?name.orValue('') == 'web-1'",
    ])
      assert.deepEqual(run(rule, full), [], rule);
  });

  test('a rule that fails reads as in Kubernetes', () => {
    assert.deepEqual(run('self.replicas > 5', full), ['spec: Invalid value: "object": failed rule: self.replicas > 5']);
    assert.deepEqual(run({ rule: 'self.replicas > 5', message: 'too few' }, full), ['spec: Invalid value: "object": too few']);
    assert.deepEqual(
      run({ rule: 'self.replicas > 5', messageExpression: "'only ' + string(self.replicas)", fieldPath: '.replicas' }, full),
      ['spec.replicas: Invalid value: "object": only 3'],
    );
    assert.deepEqual(run({ rule: 'false', reason: 'FieldValueForbidden', message: 'no' }, full), ['spec: Forbidden: no']);
    assert.deepEqual(run('self.min > 1', full), ['spec: Invalid value: "object": No such key: min evaluating rule: self.min > 1']);
  });

  test('transition rules run only with an old value; items of list maps meet by key', () => {
    const immutable = 'self.name == oldSelf.name';
    assert.deepEqual(run(immutable, { name: 'b' }), []);
    assert.equal(run(immutable, { name: 'b' }, { name: 'a' }).length, 1);
    assert.deepEqual(run('self.ports == oldSelf.ports', full, structuredClone(full)), []);
    assert.deepEqual(run({ rule: 'oldSelf.hasValue() || self.replicas == 1', optionalOldSelf: true }, { replicas: 1 }), []);
    assert.equal(run({ rule: 'oldSelf.hasValue() || self.replicas == 1', optionalOldSelf: true }, { replicas: 2 }).length, 1);
    const items: Schema = {
      type: 'object',
      properties: { k: { type: 'string' }, v: { type: 'integer' } },
      'x-kubernetes-validations': [{ rule: 'self.v >= oldSelf.v' }],
    };
    const { rules } = compileRules(
      spec([], { list: { type: 'array', 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['k'], items } }),
    );
    const list = (...values: [string, number][]): object => ({ spec: { list: values.map(([k, v]) => ({ k, v })) } });
    assert.deepEqual(
      evaluateRules(rules, list(['b', 2], ['a', 0]), list(['a', 1], ['b', 1])).map((error) => error.field),
      ['spec.list[1]'],
    );
  });

  test('rules at the root see metadata, rules of scalars see the scalar', () => {
    const { rules } = compileRules({
      type: 'object',
      'x-kubernetes-validations': [{ rule: "self.metadata.name.startsWith('a')" }],
      properties: { n: { type: 'integer', 'x-kubernetes-validations': [{ rule: 'self < 3' }] } },
    });
    assert.deepEqual(evaluateRules(rules, { metadata: { name: 'a' }, n: 1 }), []);
    assert.deepEqual(
      evaluateRules(rules, { metadata: { name: 'b' }, n: 3 }).map((error) => `${error.field}: ${error.message}`),
      [
        ': Invalid value: "object": failed rule: self.metadata.name.startsWith(\'a\')',
        'n: Invalid value: "integer": failed rule: self < 3',
      ],
    );
  });

  test('what does not compile is reported with its field', () => {
    for (const [rule, text] of [
      ['self.nope > 1', 'No such key: nope'],
      ["self.replicas + 'a' == 'b'", 'no such overload: int + string'],
      ['self.replicas', 'must evaluate to a bool'],
      ['self.', 'Expected IDENTIFIER, got EOF'],
      ['unknown == 1', 'Unknown variable: unknown'],
    ] as const) {
      const [error] = compileRules(spec([{ rule }]), 'x').errors;
      assert.equal(error?.field, 'x.properties[spec].x-kubernetes-validations[0].rule');
      assert.ok(error.message.includes('compilation failed') && error.message.includes(text), error.message);
    }
    assert.deepEqual(compileRules({ type: 'object' }), { rules: undefined, errors: [] });
  });

  test('a rule that works too much is stopped, and the object with it', () => {
    const tens = `[${Array.from({ length: 50 }, (_, index) => index).join(',')}]`;
    const heavy = `${tens}.all(a, ${tens}.all(b, ${tens}.all(c, ${tens}.all(d, a + b + c + d >= 0))))`;
    const [error] = run(heavy, full);
    assert.ok(error?.includes('operation cancelled: actual cost limit exceeded') && error.includes('call cost exceeds limit'), error);
    const { rules } = compileRules(spec(Array.from({ length: 9 }, () => ({ rule: heavy }))));
    const errors = evaluateRules(rules, { spec: full });
    assert.match(errors.at(-1)?.message ?? '', /running out of cost budget/);
    assert.ok(errors.length < 9);
    assert.deepEqual(run('self.replicas == 3', full), []);
  });

  test('any expression compiles, or is reported; any object is judged without a throw', () => {
    const pieces = fc.array(
      fc.constantFrom(
        'self',
        '.replicas',
        '.tags',
        '.all(x, x',
        ')',
        '(',
        '==',
        '1',
        "'a'",
        '[0]',
        '&&',
        '!',
        'has(',
        '.any',
        '.size()',
        '? 1 : 2',
        'oldSelf',
        '+',
      ),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(pieces, fc.jsonValue(), (parts, value) => {
        const { rules } = compileRules(spec([{ rule: parts.join('') }]));
        evaluateRules(rules, { spec: value }, { spec: full });
      }),
    );
  });
});
