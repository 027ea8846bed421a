import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { collect, type CollectOptions } from './collect.ts';

const digest = `sha256:${'a'.repeat(64)}`;

describe('collecting what no image needs', () => {
  it('removes nothing while an image cannot be read', async () => {
    const removed: string[] = [];
    const store = {
      blobs: {
        read: () => Promise.reject(Object.assign(new Error('too many open files'), { code: 'EMFILE' })),
        async *all() {
          yield await Promise.resolve({ digest: `sha256:${'b'.repeat(64)}`, sizeBytes: 1, usedAt: 0 });
        },
        remove: (one: string) => Promise.resolve(removed.push(one)),
      },
      layers: { empty: '/empty', collect: () => Promise.resolve(removed.push('layers')) },
      repositories: { allTags: () => [{ digest }], allManifests: () => [] },
    } as unknown as CollectOptions['store'];
    await assert.rejects(collect({ store, held: new Set(), before: 1 }), /too many open files/);
    assert.deepEqual(removed, []);
  });
});
