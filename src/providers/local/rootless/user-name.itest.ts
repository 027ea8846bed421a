import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { userInfo } from 'node:os';
import { describe, test } from 'node:test';
import { userName } from '#providers/local/rootless/subordinate-ids.ts';

const isRoot = process.getuid?.() === 0;
const module = new URL('./subordinate-ids.ts', import.meta.url).href;

describe('the name of who runs the platform', { skip: isRoot ? false : 'only root can become somebody else' }, () => {
  test('is that of the user database', () => {
    assert.equal(userName(), userInfo().username);
  });

  test('is empty for an id that has none', () => {
    // Loaded before the change: that user may not be able to read the sources.
    const program = `import(${JSON.stringify(module)}).then(({ userName }) => {
      process.setuid(54322);
      console.log(JSON.stringify(userName()));
    })`;
    const { stdout, stderr } = spawnSync(process.execPath, ['--eval', program], { encoding: 'utf8' });
    assert.equal(stdout.trim(), '""', stderr);
  });
});
