import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MemoryStorage } from './memory-storage.ts';
import { describeStorage, put } from './storage-contract.ts';

describeStorage('memory storage', async () => new MemoryStorage());

describe('memory storage', () => {
  test('compacts by itself beyond the bound', async () => {
    await using storage = new MemoryStorage({ keepRevisions: 100 });
    for (let i = 0; i < 3000; i++) await put(storage, '/a', `${i}`);
    assert.ok(storage.compactedRevision >= 3000 - 100 - 1001, `compacted ${storage.compactedRevision}`);
    assert.ok(storage.compactedRevision <= 2900);
  });
});
