import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { compareKeys, prefixEnd } from './keys.ts';

/** Few different characters, among them those where UTF-8 and UTF-16 order differ and where code points end. */
const text = fc.string({
  unit: fc.constantFrom('a', 'b', '/', '\u00e4', '\ud7ff', '\ue000', '\uffff', '\u{1f600}', '\u{10ffff}'),
  maxLength: 6,
});

describe('keys', () => {
  test('compare as their UTF-8 bytes do', () => {
    fc.assert(
      fc.property(text, text, (a, b) => {
        assert.equal(Math.sign(compareKeys(a, b)), Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }),
    );
  });

  test('start with a prefix exactly when they lie between it and its end', () => {
    fc.assert(
      fc.property(text, text, (prefix, key) => {
        const end = prefixEnd(prefix);
        const inside = compareKeys(key, prefix) >= 0 && (end === undefined || compareKeys(key, end) < 0);
        assert.equal(inside, key.startsWith(prefix));
      }),
    );
  });
});
