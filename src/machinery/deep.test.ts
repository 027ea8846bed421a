import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { quantity } from '#apis/schema.ts';
import { jsonEqual } from '#apis/meta/equal.ts';
import { deepClone, deepFreeze, stableStringify } from './deep.ts';
import { semanticEqual } from './semantic-equality.ts';

describe('deep', () => {
  test('a clone is equal, not frozen and shares nothing', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const clone = deepClone(deepFreeze(value));
        assert.ok(jsonEqual(clone, value));
        if (typeof value === 'object' && value !== null) assert.ok(clone !== value && !Object.isFrozen(clone));
        assert.equal(stableStringify(clone), stableStringify(value));
      }),
    );
  });

  test('a member named __proto__ is plain data', () => {
    const clone = deepClone(JSON.parse('{"__proto__":{"x":1}}') as object);
    assert.equal(Object.getPrototypeOf(clone), Object.prototype);
    assert.equal(JSON.stringify(clone), '{"__proto__":{"x":1}}');
  });

  test('the order of keys does not count, absence does', () => {
    assert.ok(jsonEqual({ a: 1, b: 2 }, { b: 2, a: 1 }));
    assert.ok(!jsonEqual({ a: 1 }, { a: 1, b: null }));
    assert.ok(!jsonEqual({ a: 1, c: 2 }, { a: 1, b: 2 }));
    assert.equal(stableStringify({ a: 1, b: 2 }), stableStringify({ b: 2, a: 1 }));
  });

  test('semantically, nothing and empty are equal, and quantities compare by value', () => {
    assert.ok(semanticEqual({ a: [], b: null, c: {} }, {}));
    assert.ok(!semanticEqual({ a: '' }, {}));
    assert.ok(!semanticEqual({}, { a: 0 }));
    assert.ok(semanticEqual({ q: '1' }, { q: '1000m' }, { properties: { q: quantity() } }));
    assert.ok(!semanticEqual([1], [2]));
  });
});
