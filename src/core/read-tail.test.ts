import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { readTail } from '#core/read-tail.ts';

describe('the tail of a file', () => {
  it('is no longer than asked for and begins no earlier', () => {
    const directory = mkdtempSync(join(tmpdir(), 'dormouse-tail-'));
    try {
      const file = join(directory, 'log');
      writeFileSync(file, '0123456789');
      assert.deepEqual(
        [readTail(file, 3), readTail(file, 100), readTail(file, 100, 8), readTail(file, 100, 10)],
        ['789', '0123456789', '89', ''],
      );
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
