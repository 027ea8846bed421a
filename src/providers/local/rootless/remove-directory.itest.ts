import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';

interface User {
  readonly uid: number;
  /** First of the ids that are the user's besides. */
  readonly first: number;
}

/** A user of this machine to whom other ids belong. */
function userWithIds(): User | undefined {
  const lines = (file: string) => (existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []).map((line) => line.split(':'));
  for (const [name = '', first = ''] of lines('/etc/subuid')) {
    const uid = Number(lines('/etc/passwd').find((entry) => entry[0] === name)?.[2]);
    const groups = lines('/etc/subgid').some((entry) => entry[0] === name);
    if (Number.isInteger(uid) && uid > 0 && groups && name !== '') return { uid, first: Number(first) };
  }
  return undefined;
}

const user = userWithIds();
const skip =
  process.getuid?.() !== 0
    ? 'needs root'
    : user === undefined || spawnSync('newuidmap').error !== undefined
      ? 'no user of this machine has subordinate ids'
      : false;

describe('removing what pods have written', { skip }, () => {
  test('an ordinary user can, though it belongs to ids of their own', () => {
    const { uid, first } = user ?? { uid: 0, first: 0 };
    const directory = mkdtempSync(join(tmpdir(), 'dm-remove-'));
    try {
      chmodSync(directory, 0o777);
      const mine = join(directory, 'data');
      const theirs = join(mine, 'volume');
      mkdirSync(theirs, { recursive: true });
      writeFileSync(join(theirs, 'file'), '');
      chownSync(mine, uid, uid);
      for (const path of [join(theirs, 'file'), theirs]) chownSync(path, first + 999, first + 999);
      chmodSync(theirs, 0o700);
      const module = pathToFileURL(join(import.meta.dirname, 'enter.ts')).href;
      const script = `import(${JSON.stringify(module)}).then(({ removeDirectory }) => removeDirectory(process.argv[1]))`;
      const ids = [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'];
      const env = { PATH: process.env['PATH'], TMPDIR: directory };
      const { status, stderr } = spawnSync('setpriv', [...ids, process.execPath, '-e', script, mine], { env, encoding: 'utf8' });
      assert.equal(status, 0, stderr);
      assert.ok(!existsSync(mine));
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
