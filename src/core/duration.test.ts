import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { DurationError, formatGoDuration, goDurationMs, parseGoDuration } from '#core/duration.ts';

describe('durations', () => {
  test('Go texts', () => {
    assert.equal(parseGoDuration('1h2m3.5s'), 3_723_500_000_000n);
    assert.equal(parseGoDuration('-1.5ms'), -1_500_000n);
    assert.throws(() => parseGoDuration('5'), { message: 'time: missing unit in duration "5"' });
    assert.throws(() => parseGoDuration('5d'), { message: 'time: unknown unit "d" in duration "5d"' });
    for (const text of ['', '-', '.s', 's', '9999999h']) assert.throws(() => parseGoDuration(text), DurationError, text);
  });

  test('printed and parsed again it is the same', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(1n << 62n), max: 1n << 62n }), (nanos) => {
        assert.equal(parseGoDuration(formatGoDuration(nanos)), nanos);
      }),
    );
    assert.equal(formatGoDuration(90_000_000_000n), '1m30s');
    assert.equal(formatGoDuration(3_600_000_000_000n), '1h0m0s');
  });

  test('are read as milliseconds too', () => {
    for (const [text, ms] of [
      ['60s', 60_000],
      ['1h30m', 5_400_000],
      ['1.5s', 1500],
      ['0', 0],
      ['-2m', -120_000],
      ['300ms', 300],
      ['.5s', 500],
    ] as const) {
      assert.equal(goDurationMs(text), ms, text);
    }
    for (const text of ['', '5', 's', '1d', '1s ', '1 s', '--1s']) assert.equal(goDurationMs(text), undefined, text);
  });
});
