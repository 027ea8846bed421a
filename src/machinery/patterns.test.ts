import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { compiledPattern } from '#machinery/patterns.ts';

describe('patterns', () => {
  test("what RE2 knows is understood in JavaScript's terms", () => {
    for (const [pattern, match, other] of [
      ['^[a-z0-9]([-a-z0-9]*[a-z0-9])?$', 'a-b', '-a'],
      ['(?i)^ABC$', 'abc', 'ab'],
      ['\\Aab\\z', 'ab', 'abc'],
      ['^(?P<year>\\d{4})$', '2026', '26'],
      ['^\\p{L}+$', 'äöü', '12'],
      ['^[\\w.\\-]+$', 'a-b.c', 'a b'],
    ] as const) {
      assert.deepEqual([pattern, compiledPattern(pattern)?.test(match), compiledPattern(pattern)?.test(other)], [pattern, true, false]);
    }
  });

  test('what RE2 does not know is no pattern', () => {
    for (const pattern of ['(?=a)', 'a(?!b)', '(?<=a)b', '(?<!a)b', '(a)\\1', '(', '[b-a]'])
      assert.equal(compiledPattern(pattern), undefined, pattern);
    assert.ok(compiledPattern('^\\\\1$')?.test('\\1'));
  });

  // With backtracking alone each of these would run for longer than the universe has.
  test('no pattern takes exponential time', () => {
    const text = `${'a'.repeat(5000)}!`;
    for (const pattern of ['^(a+)+$', '^([a-z]+)*[0-9]$', '^(a|aa)+$', '^(a|a?)+$'])
      assert.equal(compiledPattern(pattern)?.test(text), false);
  });
});
