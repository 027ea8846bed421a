import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fromLabelSelector, matchesLabels, nothing, selectorMatches } from '#apis/meta/label-selector.ts';
import { labelSelectorErrors } from '#apis/meta/validation.ts';

describe('a LabelSelector object', () => {
  it('matches by labels and expressions; none matches nothing, an empty one everything', () => {
    assert.equal(selectorMatches(undefined, { a: 'b' }), false);
    assert.deepEqual(fromLabelSelector({}), []);
    assert.equal(matchesLabels(nothing, {}), false);
    const selector = fromLabelSelector({ matchLabels: { a: 'b' }, matchExpressions: [{ key: 'c', operator: 'NotIn', values: ['d'] }] });
    assert.equal(matchesLabels(selector, { a: 'b' }), true);
    assert.equal(matchesLabels(selector, { a: 'b', c: 'd' }), false);
  });

  it('gives findings that name the field', () => {
    const matchExpressions = [
      { key: 'a', operator: 'In' },
      { key: '', operator: 'Is' },
    ];
    assert.deepEqual(
      labelSelectorErrors('spec.selector', { matchExpressions }).map((error) => error.field),
      [
        'spec.selector.matchExpressions[0].values',
        'spec.selector.matchExpressions[1].operator',
        'spec.selector.matchExpressions[1].key',
        'spec.selector.matchExpressions[1].key',
      ],
    );
  });
});
