import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { firstThree, formatLabels, formatLabelSelector } from '#apis/meta/columns.ts';
import { humanDuration, timeSince } from '#apis/meta/human-duration.ts';

describe('cells', () => {
  const durations: [number, string][] = [
    [-5, '<invalid>'],
    [-1, '0s'],
    [0, '0s'],
    [119, '119s'],
    [120, '2m'],
    [125, '2m5s'],
    [600, '10m'],
    [10_799, '179m'],
    [10_800, '3h'],
    [11_160, '3h6m'],
    [28_800, '8h'],
    [172_800, '2d'],
    [176_400, '2d1h'],
    [8 * 86_400, '8d'],
    [730 * 86_400, '2y'],
    [731 * 86_400, '2y1d'],
    [3000 * 86_400, '8y'],
  ];
  for (const [seconds, text] of durations) it(`show ${seconds} s as ${text}`, () => assert.equal(humanDuration(seconds * 1000), text));

  it('show an unknown time', () => {
    assert.equal(timeSince(undefined, 0), '<unknown>');
    assert.equal(timeSince('yesterday', 0), '<invalid>');
  });

  it('show labels and selectors in the order of their keys', () => {
    assert.equal(formatLabels({}), '<none>');
    const matchExpressions = [
      { key: 'c', operator: 'In', values: ['y', 'x'] },
      { key: 'a', operator: 'DoesNotExist' },
      { key: 'd', operator: 'NotIn', values: ['z'] },
      { key: 'e', operator: 'Exists' },
    ];
    assert.equal(formatLabelSelector({ matchLabels: { b: '1' }, matchExpressions }), '!a,b=1,c in (x,y),d notin (z),e');
    assert.equal(formatLabelSelector({}), '<none>');
  });

  it('count what they leave out', () => {
    assert.equal(firstThree(['a', 'b', 'c', 'd', 'e'], '<none>'), 'a,b,c + 2 more...');
    assert.equal(firstThree([], '<unset>'), '<unset>');
  });
});
