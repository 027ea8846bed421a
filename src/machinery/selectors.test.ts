import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { formatSelector, matchesLabels, type Selector } from '#apis/meta/label-selector.ts';
import { matchesFields, parseFieldSelector } from './field-selectors.ts';
import { parseLabelSelector } from './selectors.ts';

const refuses = (text: string, message: string): void =>
  assert.throws(() => parseLabelSelector(text), { name: 'StatusError', code: 400, message });

const keys = fc.constantFrom('app', 'tier', 'example.com/role', 'x');
const labelTexts = fc.constantFrom('', 'a', 'b', 'web-1', '42');
const terms = fc.oneof(
  fc.record({ key: keys, operator: fc.constantFrom('=' as const, '!=' as const), values: fc.tuple(labelTexts) }, { noNullPrototype: true }),
  fc.record(
    {
      key: keys,
      operator: fc.constantFrom('in' as const, 'notin' as const),
      values: fc.uniqueArray(labelTexts, { minLength: 1 }).map((values) => values.sort()),
    },
    { noNullPrototype: true },
  ),
  fc.record({ key: keys, operator: fc.constantFrom('exists' as const, '!' as const), values: fc.constant([]) }, { noNullPrototype: true }),
);

describe('label selectors', () => {
  test('every operator matches as in Kubernetes', () => {
    const labels = { app: 'web', tier: 'front', size: '10' };
    for (const [text, expected] of [
      ['', true],
      ['app=web', true],
      ['app==web,tier=front', true],
      ['app = web , tier = front', true],
      ['app=api', false],
      ['app!=api,missing!=x', true],
      ['app in (api, web)', true],
      ['app notin (api,web)', false],
      ['missing notin (a)', true],
      ['app', true],
      ['!app', false],
      ['! missing', true],
      ['size>9', true],
      ['size<9', false],
      ['in in (in)', false],
      ['app=', false],
    ] as const)
      assert.equal(matchesLabels(parseLabelSelector(text), labels), expected, text);
  });

  test('a wrong selector is refused in the words of Kubernetes', () => {
    refuses('a=b c', "found 'c', expected: ',' or 'end of string'");
    refuses('a=b,', "found '', expected: identifier after ','");
    refuses('a in', "unable to parse requirement: found '' expected: '('");
    refuses('a in (b c)', "unable to parse requirement: found 'c', expected: ',' or ')'");
    refuses('a b', "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt");
    refuses(
      'a=-b',
      "unable to parse requirement: values[0][a]: Invalid value: \"-b\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
    );
  });

  test('a selector printed and parsed again is the same selector', () => {
    fc.assert(
      fc.property(fc.array(terms, { maxLength: 4 }), (requirements) => {
        const selector: Selector = requirements.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
        assert.deepEqual(parseLabelSelector(formatSelector(selector)), selector);
      }),
    );
  });

  test('any text is parsed or refused with 400', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', '=', '!', '(', ')', ',', ' ', '<', 'in', '/') }), (text) => {
        try {
          parseLabelSelector(text);
        } catch (error) {
          assert.equal((error as { code?: number }).code, 400);
        }
      }),
    );
  });
});

describe('field selectors', () => {
  test('equal, not equal and escapes', () => {
    const fields: Record<string, string> = { 'metadata.name': 'a,b', 'status.phase': 'Running' };
    const valueOf = (field: string): string | undefined => fields[field];
    assert.equal(matchesFields(parseFieldSelector('metadata.name=a\\,b,status.phase!=Failed'), valueOf), true);
    assert.equal(matchesFields(parseFieldSelector('status.phase==Failed'), valueOf), false);
    assert.equal(matchesFields(parseFieldSelector('spec.nodeName='), valueOf), true);
    assert.throws(() => parseFieldSelector('a'), { code: 400, message: "invalid selector: 'a'; can't understand 'a'" });
    assert.throws(() => parseFieldSelector('a=b\\c'), { code: 400 });
  });
});
