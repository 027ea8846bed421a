import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { Sink } from '#cli/testing.ts';
import { doctor } from '#cli/commands/doctor.ts';

const checks = ['Node', 'platform', 'ports', 'user namespaces', 'cgroups', 'container runtime', 'network tools', 'disk', 'kubectl'];

interface Row {
  readonly check: string;
  readonly state: 'ok' | 'note' | 'problem';
  readonly detail: string;
  readonly remedy?: string;
}

describe('dormouse doctor', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'dormouse-doctor-'));
  after(() => rmSync(dataDir, { recursive: true, force: true }));

  test('looks at everything, and says what to do about each problem', async () => {
    const stdout = new Sink();
    const options = { output: 'json', 'data-dir': join(dataDir, 'none') };
    const { signal } = new AbortController();
    const code = await doctor({ options, positionals: [], environment: process.env, stdout, stderr: new Sink(), signal });
    const rows = JSON.parse(stdout.text) as Row[];
    assert.deepEqual(
      rows.map(({ check }) => check),
      checks,
    );
    for (const { check, state, detail, remedy } of rows) {
      assert.notEqual(detail, '', check);
      if (state === 'problem') assert.ok(remedy, `${check}: ${detail}`);
    }
    assert.equal(code, rows.some(({ state }) => state === 'problem') ? 1 : 0);
  });
});
