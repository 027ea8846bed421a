import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { keysIn, withKey, withoutKey, type FewKeys } from '#core/few-keys.ts';

describe('few keys', () => {
  test('behave as a Set does', () => {
    const step = fc.record({ adds: fc.boolean(), key: fc.integer({ min: 0, max: 12 }).map(String) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const set = new Set<string>();
        let keys: FewKeys | undefined;
        for (const { adds, key } of steps) {
          if (adds) set.add(key);
          else set.delete(key);
          if (adds) keys = withKey(keys, key);
          else if (keys !== undefined) keys = withoutKey(keys, key);
          assert.deepEqual([...keysIn(keys)], [...set]);
          assert.equal(keys === undefined, set.size === 0);
        }
      }),
    );
  });
});
