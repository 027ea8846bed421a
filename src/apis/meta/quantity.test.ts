import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  addQuantities,
  compareQuantities,
  formatQuantity,
  parseQuantity,
  quantityMilliValue,
  quantityValue,
  tryParseQuantity,
} from '#apis/meta/quantity.ts';

describe('quantities', () => {
  const canonical: [string | number, string][] = [
    ['0', '0'],
    ['1.5', '1500m'],
    ['1500m', '1500m'],
    ['0.1', '100m'],
    ['1000m', '1'],
    ['1024Mi', '1Gi'],
    ['1.5Gi', '1536Mi'],
    ['1023Ki', '1023Ki'],
    ['512', '512'],
    ['1000k', '1M'],
    ['0.5Ki', '512'],
    ['12e6', '12e6'],
    ['1e3', '1e3'],
    ['-1.5', '-1500m'],
    ['.5', '500m'],
    ['5.', '5'],
    [2, '2'],
    ['1E', '1E'],
    ['0.0000000001', '1n'],
    ['100Ei', '9223372036854775807'],
  ];
  for (const [text, expected] of canonical) {
    it(`prints ${text} as ${expected}`, () => assert.equal(formatQuantity(parseQuantity(text)), expected));
  }
  for (const text of ['', 'x', '1.2.3', '1 Gi', '1gi', '1KI', '1e', '--1', '1K', 'm', null, {}]) {
    it(`refuses ${JSON.stringify(text)}`, () => assert.equal(tryParseQuantity(text), undefined));
  }
  it('rounds values up', () => {
    assert.equal(quantityValue(parseQuantity('1500m')), 2);
    assert.equal(quantityValue(parseQuantity('-1500m')), -2);
    assert.equal(quantityMilliValue(parseQuantity('100u')), 1);
    assert.equal(quantityMilliValue(parseQuantity('250m')), 250);
  });
  it('compares and adds across forms', () => {
    assert.equal(compareQuantities(parseQuantity('1Ki'), parseQuantity('1024')), 0);
    assert.equal(compareQuantities(parseQuantity('1G'), parseQuantity('1Gi')), -1);
    assert.equal(formatQuantity(addQuantities(parseQuantity('1Gi'), parseQuantity('512Mi'))), '1536Mi');
  });
});
