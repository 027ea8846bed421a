import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ifThere, notFound, StatusError } from '#apis/meta/status.ts';

describe('a call about an object that may be gone', () => {
  test('comes to its answer, or to nothing', async () => {
    assert.equal(await ifThere(Promise.resolve(1)), 1);
    assert.equal(await ifThere(Promise.reject(notFound('', 'pods', 'p'))), undefined);
  });

  test('fails for any other reason', async () => {
    await assert.rejects(ifThere(Promise.reject(new StatusError('Conflict', 'changed meanwhile'))), /changed meanwhile/);
  });
});
