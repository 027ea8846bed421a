import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Schema } from '#apis/schema.ts';
import { compileRules, evaluateRules } from './cel.ts';

const schemaOf = (rule: string): Schema => ({
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      properties: {
        s: { type: 'string' },
        o: { type: 'string' },
        l: { type: 'array', items: { type: 'string' } },
        m: { type: 'object', additionalProperties: { type: 'string' } },
        b: { type: 'string', format: 'byte' },
        t: { type: 'string', format: 'date-time' },
      },
      'x-kubernetes-validations': [{ rule }],
    },
  },
});
const value = { spec: { s: 'héllo wörld', l: ['b', 'a', 'c'], m: { a: '1', b: '2' }, b: 'YWJj', t: '2026-01-02T03:04:05Z' } };

function outcome(rule: string): string[] {
  const { rules, errors } = compileRules(schemaOf(rule));
  return [...errors, ...evaluateRules(rules, value, undefined)].map(({ message }) => message);
}

/** One a line, most of them from the documentation of Kubernetes' libraries. */
const holding = [
  "'tacocat'.charAt(3) == 'o'",
  "'tacocat'.charAt(7) == ''",
  "'hello mellow'.indexOf('ello') == 1",
  "'hello mellow'.indexOf('jello') == -1",
  "'hello mellow'.indexOf('', 2) == 2",
  "'hello mellow'.indexOf('ello', 2) == 7",
  "'hello mellow'.lastIndexOf('ello') == 7",
  "'hello mellow'.lastIndexOf('ello', 6) == 1",
  "['hello', 'mellow'].join() == 'hellomellow'",
  "['hello', 'mellow'].join(' ') == 'hello mellow'",
  "'TacoCÆt Xii'.upperAscii() == 'TACOCÆT XII'",
  "'hello hello'.replace('he', 'we') == 'wello wello'",
  "'hello hello'.replace('he', 'we', 1) == 'wello hello'",
  "'hello hello'.replace('he', 'we', 0) == 'hello hello'",
  "'hello hello hello'.split(' ') == ['hello', 'hello', 'hello']",
  "'hello hello hello'.split(' ', 2) == ['hello', 'hello hello']",
  "'hello hello hello'.split(' ', 0) == []",
  "'hello hello hello'.split(' ', 1) == ['hello hello hello']",
  "'tacocat'.substring(4) == 'cat'",
  "'tacocat'.substring(0, 4) == 'taco'",
  String.raw`'  \t trim\n  '.trim() == 'trim'`,
  "'gums'.reverse() == 'smug'",
  String.raw`strings.quote('a"b') == '"a\\"b"'`,
  "'abc'.startsWith('ab') && 'abc'.endsWith('bc') && 'abc'.contains('b')",
  "'abc'.matches('^a.c$') && 'abc'.size() == 3 && size('abc') == 3",
  "'%s %d %x %X %o %b %%'.format(['a', 1, 255, 255, 8, 5]) == 'a 1 ff FF 10 101 %'",
  "'%.3f %e'.format([1.0, 1000.0]) == '1.000 1.000000e+03'",
  "'%s'.format([[1, 2]]) == '[1, 2]'",
  "'%s'.format([{'a': 1}]) == '{a: 1}'",
  "'%s'.format([true]) == 'true'",
  "'%s'.format([duration('1m')]) == '60s'",
  "'%s'.format([1.5]) == '1.5'",
  "'%s'.format([null]) == 'null'",
  "'%s'.format([b'abc']) == 'abc'",
  "'%x'.format(['hi']) == '6869'",
  "[1, 2, 2].isSorted() && !['b', 'a'].isSorted()",
  "[1, 2, 3].sum() == 6 && [1.5, 2.5].sum() == 4.0 && [duration('1m'), duration('2m')].sum() == duration('3m')",
  '[].sum() == 0',
  "[1, 3, 2].min() == 1 && [1, 3, 2].max() == 3 && ['a', 'b'].max() == 'b'",
  '[1, 2, 1].indexOf(1) == 0 && [1, 2, 1].lastIndexOf(1) == 2 && [1].indexOf(5) == -1',
  "'abc 123'.find('[0-9]+') == '123' && 'abc'.find('[0-9]+') == ''",
  "'1 2 3'.findAll('[0-9]') == ['1', '2', '3'] && '1 2 3'.findAll('[0-9]', 2) == ['1', '2']",
  "isURL('https://example.com:80/') && !isURL('../x')",
  "url('https://example.com:80/path?a=1&a=2&b=3').getScheme() == 'https'",
  "url('https://example.com:80/path').getHost() == 'example.com:80'",
  "url('https://[::1]:80/path').getHostname() == '::1'",
  "url('https://[::1]:80/path').getHost() == '[::1]:80'",
  "url('https://example.com:80/path').getPort() == '80' && url('https://example.com').getPort() == ''",
  "url('https://example.com/path with spaces/').getEscapedPath() == '/path%20with%20spaces/'",
  "url('https://example.com/path?k1=a&k2=b&k2=c').getQuery() == {'k1': ['a'], 'k2': ['b', 'c']}",
  "url('/path').getScheme() == ''",
  "url('https://a.b') == url('https://a.b')",
  "isIP('127.0.0.1') && isIP('::1') && !isIP('127.0.0.1.2') && !isIP('127.0.0.01')",
  "ip('127.0.0.1').family() == 4 && ip('::1').family() == 6",
  "string(ip('127.0.0.1')) == '127.0.0.1'",
  "ip.isCanonical('127.0.0.1') && ip.isCanonical('2001:db8::abcd') && !ip.isCanonical('2001:DB8::ABCD')",
  "ip('0.0.0.0').isUnspecified() && ip('127.0.0.1').isLoopback() && ip('224.0.0.1').isLinkLocalMulticast() && ip('169.254.169.254').isLinkLocalUnicast() && ip('192.168.0.1').isGlobalUnicast()",
  "isCIDR('192.168.0.0/24') && !isCIDR('192.168.0.0/33')",
  "cidr('192.168.0.0/24').containsIP(ip('192.168.0.1')) && cidr('192.168.0.0/24').containsIP('192.168.0.1')",
  "cidr('192.168.0.0/24').containsCIDR(cidr('192.168.0.0/25')) && cidr('192.168.0.0/24').containsCIDR('192.168.0.0/25')",
  "cidr('192.168.0.1/24').ip() == ip('192.168.0.1')",
  "cidr('192.168.0.1/24').masked() == cidr('192.168.0.0/24')",
  "cidr('192.168.0.0/24').prefixLength() == 24",
  "string(cidr('192.168.0.0/24')) == '192.168.0.0/24'",
  "isQuantity('1.3G') && !isQuantity('1.3GG')",
  "quantity('50k').isInteger() && !quantity('9999999999999999999999999999999999999G').isInteger()",
  "quantity('50k').asInteger() == 50000",
  "quantity('50.703k').asApproximateFloat() == 50703.0",
  "quantity('-1').sign() == -1 && quantity('0').sign() == 0 && quantity('1Mi').sign() == 1",
  "quantity('50k').add(quantity('20k')) == quantity('70k') && quantity('50k').add(20) == quantity('50020')",
  "quantity('50k').sub(quantity('20k')) == quantity('30k') && quantity('50k').sub(20000) == quantity('30k')",
  "quantity('200M').compareTo(quantity('0.2G')) == 0 && quantity('50k').isLessThan(quantity('1M')) && quantity('1M').isGreaterThan(quantity('1k'))",
  "isSemver('1.0.0') && !isSemver('v1.0') && isSemver('v1.0', true)",
  "semver('1.2.3').major() == 1 && semver('1.2.3').minor() == 2 && semver('1.2.3').patch() == 3",
  "semver('1.2.3').compareTo(semver('2.0.0')) < 0 && semver('1.2.3').isLessThan(semver('1.2.4')) && semver('2.0.0').isGreaterThan(semver('1.9.9'))",
  "semver('1.0.0-alpha').isLessThan(semver('1.0.0')) && semver('v01.01', true) == semver('1.1.0')",
  "!format.dns1123Label().validate('good-name').hasValue()",
  "format.dns1123Label().validate('Bad_Name').hasValue()",
  "format.dns1123Label().validate('Bad_Name').value().size() > 0",
  "format.dns1123Subdomain().validate('a.b') == optional.none()",
  "format.dns1035Label().validate('1a').hasValue() && format.qualifiedName().validate('a/b') == optional.none()",
  "format.dns1123LabelPrefix().validate('a-') == optional.none() && format.dns1123SubdomainPrefix().validate('a.b-') == optional.none() && format.dns1035LabelPrefix().validate('a-') == optional.none()",
  "format.labelValue().validate('a b').hasValue() && format.uri().validate('https://a.b') == optional.none() && format.uuid().validate('x').hasValue()",
  "format.byte().validate('YWJj') == optional.none() && format.date().validate('2026-01-01') == optional.none() && format.datetime().validate('2026-01-01T00:00:00Z') == optional.none()",
  "format.named('dns1123Label').hasValue() && !format.named('nothing').hasValue()",
  'optional.of(1).hasValue() && !optional.none().hasValue() && optional.of(1).value() == 1',
  "optional.ofNonZeroValue('') == optional.none() && optional.none().orValue(5) == 5 && optional.none().or(optional.of(2)).value() == 2",
  "self.?o.orValue('x') == 'x' && self.?s.hasValue() && self.m[?'z'].orValue('q') == 'q' && self.l[?9].hasValue() == false",
  'self.?s.optMap(x, x.size()).orValue(0) == 11 && self.?s.optFlatMap(x, optional.of(x)).hasValue()',
  "[1, 2].all(i, v, v == i + 1) && self.m.all(k, v, v != '')",
  '[1, 2].exists(i, v, i == 1 && v == 2) && [1, 2].existsOne(i, v, v == 2) && [1, 2].exists_one(v, v == 2)',
  '[1, 2].transformList(i, v, i + v) == [1, 3] && [1, 2].transformList(i, v, i > 0, v) == [2]',
  "self.m.transformMap(k, v, v + k) == {'a': '1a', 'b': '2b'} && [1].transformMap(i, v, v) == {0: 1}",
  "['a', 'b'].transformMapEntry(i, v, {v: i}) == {'a': 0, 'b': 1}",
  'sets.contains([1, 2, 3], [1, 2]) && sets.equivalent([1, 2], [2, 1, 1]) && sets.intersects([1], [1, 2])',
  'cel.bind(x, 5, x + 1) == 6',
  'self.t.getFullYear() == 2026 && self.t.getMonth() == 0 && self.t.getDayOfMonth() == 1 && self.t.getDate() == 2 && self.t.getHours() == 3 && self.t.getMinutes() == 4 && self.t.getSeconds() == 5 && self.t.getDayOfWeek() == 5 && self.t.getDayOfYear() == 1 && self.t.getMilliseconds() == 0',
  "self.t + duration('1h') == timestamp('2026-01-02T04:04:05Z') && self.t - timestamp('2026-01-02T03:04:00Z') == duration('5s')",
  "duration('90m').getHours() == 1 && duration('90s').getMinutes() == 1 && duration('1.5s').getMilliseconds() == 1500",
  "self.b == b'abc' && size(self.b) == 3",
  "int('5') == 5 && double('1.5') == 1.5 && string(5) == '5' && uint(5) == 5u && bool('true') && bytes('a') == b'a' && int(timestamp('1970-01-01T00:00:01Z')) == 1",
  "type(1) == int && type('') == string && type([]) == list && type({}) == map && type(null) == null_type && dyn(1) == 1",
  "self.l.map(x, x + 'z') == ['bz', 'az', 'cz'] && self.l.map(x, x != 'a', x) == ['b', 'c'] && self.l.filter(x, x > 'a') == ['b', 'c']",
  "7 / 2 == 3 && 7 % 2 == 1 && -7 / 2 == -3 && 1 < 1.5 && 'a' in ['a'] && 'a' in self.m && (true ? 1 : 2) == 1",
  "has(self.m.a) && self.m.size() == 2 && self.m['a'] == '1'",
  "'TacoCat'.lowerAscii() == 'tacocat'",
];

const failing: readonly (readonly [rule: string, why: RegExp])[] = [
  ["'abc'.charAt(4) == ''", /index out of range: 4/],
  ["ip('1.2.3') == ip('1.2.3')", /parse error during conversion/],
  ["cidr('10.0.0.0/33').prefixLength() == 1", /parse error during conversion/],
  ["quantity('x').isInteger()", /quantities must match the regular expression/],
  ["quantity('1.5').asInteger() == 1", /cannot convert value to integer/],
  ["semver('1.2').major() == 1", /Invalid semantic version "1\.2"/],
  ["semver('1.02.3').major() == 1", /Invalid semantic version/],
  ['optional.none().value() == 1', /not present|none/i],
  ["['a', 'a'].transformMapEntry(i, v, {v: i}).size() == 1", /key a already exists/],
  ["'a'.find('(?=a)') == ''", /error parsing regexp/],
  ['self.l.all(i, v, v)', /must return bool/],
  ['self.l.transformList(i, 5, i) == []', /simple identifier/],
];

describe("the functions of Kubernetes' CEL libraries", () => {
  for (const rule of holding) test(rule, () => assert.deepEqual(outcome(rule), []));
  for (const [rule, why] of failing) test(`${rule} fails`, () => assert.match(outcome(rule).join('; '), why));

  test('a version is less than the next, as semver.org orders them', () => {
    const ordered = [
      '1.0.0-alpha',
      '1.0.0-alpha.1',
      '1.0.0-alpha.beta',
      '1.0.0-beta',
      '1.0.0-beta.2',
      '1.0.0-beta.11',
      '1.0.0-rc.1',
      '1.0.0',
      '1.0.1',
      '1.10.0',
      '2.0.0',
    ];
    for (const [index, next] of ordered.slice(1).entries())
      assert.deepEqual(
        outcome(
          `semver('${ordered[index]}').isLessThan(semver('${next}')) && semver('${next}').isGreaterThan(semver('${ordered[index]}'))`,
        ),
        [],
        next,
      );
  });

  test('what a macro runs is paid for', () => {
    const deep = Array.from({ length: 6 }, (_none, level) => `self.big.all(i${level}, v${level}, `).join('');
    const { rules, errors } = compileRules({
      type: 'object',
      properties: { big: { type: 'array', items: { type: 'integer' } } },
      'x-kubernetes-validations': [{ rule: `${deep}true${')'.repeat(6)}` }],
    });
    assert.deepEqual(errors, []);
    const found = evaluateRules(rules, { big: Array.from({ length: 200 }, (_none, index) => index) }, undefined);
    assert.match(found.map(({ message }) => message).join(), /cost/);
  });
});
