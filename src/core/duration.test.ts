import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatGoDuration, parseGoDuration } from '#core/duration.ts';

test('Go durations are read as milliseconds', () => {
  for (const [text, ms] of [
    ['60s', 60_000],
    ['1h30m', 5_400_000],
    ['1.5s', 1500],
    ['0', 0],
    ['-2m', -120_000],
    ['300ms', 300],
    ['.5s', 500],
  ] as const) {
    assert.equal(parseGoDuration(text), ms, text);
  }
  for (const text of ['', '5', 's', '1d', '1s ', '1 s', '--1s']) assert.equal(parseGoDuration(text), undefined, text);
});

test('durations print as Go prints them', () => {
  for (const [ms, text] of [
    [60_000, '1m0s'],
    [5_400_000, '1h30m0s'],
    [1500, '1.5s'],
    [300, '300ms'],
    [0, '0s'],
    [-1000, '-1s'],
    [0.5, '500µs'],
  ] as const) {
    assert.equal(formatGoDuration(ms), text);
  }
});
