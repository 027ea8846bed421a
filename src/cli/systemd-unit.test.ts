import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { systemdUnit } from '#cli/systemd-unit.ts';

const noSystemd = spawnSync('systemd-analyze', ['--version']).status === 0 ? false : 'systemd-analyze is not installed';

describe('the systemd unit', () => {
  test('keeps each word of the command: blanks, quotes, and the signs that are systemd’s own', () => {
    const unit = systemdUnit(['/usr/bin/node', '/opt/dor mouse.js', 'up', '--domain=50%$HOME"x'], 'system');
    assert.match(unit, /^ExecStart=\/usr\/bin\/node "\/opt\/dor mouse\.js" up "--domain=50%%\$\$HOME\\"x"$/m);
  });

  for (const scope of ['system', 'user'] as const) {
    test(`of a ${scope} has nothing that systemd complains about`, { skip: noSystemd }, () => {
      const directory = mkdtempSync(join(tmpdir(), 'dormouse-unit-'));
      try {
        const file = join(directory, 'dormouse.service');
        writeFileSync(file, systemdUnit([process.execPath, 'x y', 'up', '--listen=0.0.0.0'], scope));
        const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', file], { encoding: 'utf8' });
        assert.deepEqual([status, stdout, stderr.split('\n').filter((line) => line.includes('dormouse'))], [0, '', []]);
      } finally {
        rmSync(directory, { recursive: true, force: true });
      }
    });
  }
});
