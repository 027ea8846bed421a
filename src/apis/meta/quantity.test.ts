import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import {
  addQuantities,
  canonicalQuantity,
  compareQuantities,
  formatQuantity,
  isQuantity,
  parseQuantity,
  quantityMilliValue,
  quantityToNumber,
  quantityValue,
  subtractQuantities,
  type Quantity,
} from '#apis/meta/quantity.ts';

const formats = fc.constantFrom('DecimalSI' as const, 'BinarySI' as const, 'DecimalExponent' as const);
const quantities: fc.Arbitrary<Quantity> = fc.record({ nanos: fc.bigInt({ min: -(10n ** 24n), max: 10n ** 24n }), format: formats });

describe('quantities', () => {
  test('the canonical form is the one of Kubernetes', () => {
    for (const [text, canonical] of [
      ['100m', '100m'],
      ['0.1', '100m'],
      ['1000m', '1'],
      ['1500m', '1500m'],
      ['1024Ki', '1Mi'],
      ['0.5Gi', '512Mi'],
      ['1.5Ki', '1536'],
      ['1e3', '1e3'],
      ['1E', '1E'],
      ['12345', '12345'],
      ['10000', '10k'],
      ['-2000', '-2k'],
      ['.5', '500m'],
      ['0.0000000001', '1n'],
      ['0Gi', '0'],
      ['+1', '1'],
      ['5.', '5'],
      ['1.5Gi', '1536Mi'],
      ['1024.5Ki', '1049088'],
      ['2000.5', '2000500m'],
      ['1023Ki', '1023Ki'],
      ['100Ei', '9223372036854775807'],
      ['10E', '10E'],
      ['1e19', '10e18'],
      ['1000k', '1M'],
      ['999Mi', '999Mi'],
    ] as const)
      assert.equal(canonicalQuantity(text), canonical, text);
  });

  test('other texts are no quantities', () => {
    for (const text of ['', 'm', '1K', '1gi', null, {}, '.', 'a', '1 ', '1KI', '1e', '--1', '1.1.1', '1Zi', '9'.repeat(100), '1e999999999'])
      assert.equal(isQuantity(text), false, JSON.stringify(text));
  });

  test('arithmetic agrees with whole-number arithmetic, and the text form keeps the value', () => {
    fc.assert(
      fc.property(quantities, quantities, (a, b) => {
        assert.equal(addQuantities(a, b).nanos, a.nanos + b.nanos);
        assert.deepEqual(subtractQuantities(addQuantities(a, b), b).nanos, a.nanos);
        assert.equal(Math.sign(compareQuantities(a, b)), a.nanos < b.nanos ? -1 : a.nanos > b.nanos ? 1 : 0);
        assert.equal(parseQuantity(formatQuantity(a)).nanos, a.nanos);
      }),
    );
  });

  test('values round up', () => {
    assert.equal(quantityValue(parseQuantity('1500m')), 2);
    assert.equal(quantityValue(parseQuantity('-1500m')), -2);
    assert.equal(quantityMilliValue(parseQuantity('0.1')), 100);
    assert.equal(quantityMilliValue(parseQuantity('100u')), 1);
    assert.equal(quantityToNumber(parseQuantity('2.5Gi')), 2.5 * 2 ** 30);
  });
});
