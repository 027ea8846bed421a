import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { createDirectories, layoutOf } from '#platform/layout.ts';

describe('the run directory', () => {
  const root = mkdtempSync(join(tmpdir(), 'dormouse-layout-'));
  after(() => rmSync(root, { recursive: true, force: true }));

  test('stays the one the platform used, whatever the session, for as long as it is there', () => {
    const dataDir = join(root, 'data');
    const fresh = layoutOf(dataDir);
    const used = { ...fresh, runDir: join(root, 'run') };
    createDirectories(used);
    assert.equal(layoutOf(dataDir).supervisorSocket, join(root, 'run', 'supervisor.sock'));
    rmSync(used.runDir, { recursive: true });
    assert.deepEqual(layoutOf(dataDir), fresh);
  });
});
