import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { completionScript, shells } from '#cli/completion.ts';
import { rootCommand } from '#cli/root.ts';
import { runWords } from '#cli/testing.ts';

const noBash = spawnSync('bash', ['--version']).status === 0 ? false : 'bash is not installed';

function offered(...words: readonly string[]): string[] {
  const program = `${completionScript(rootCommand, 'bash')}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _dormouse; echo "\${COMPREPLY[*]}"`;
  const { stdout, stderr } = spawnSync('bash', ['-c', program, 'bash', ...words], { encoding: 'utf8' });
  assert.equal(stderr, '');
  return stdout.trim().split(' ');
}

describe('completion', () => {
  test('bash offers commands, sub-commands by prefix, options, and the values of an option', { skip: noBash }, () => {
    assert.deepEqual(offered('dormouse', 'ima'), ['image']);
    assert.deepEqual(offered('dormouse', 'image', 'l'), ['ls', 'load']);
    assert.deepEqual(offered('dormouse', 'ls', '--all'), ['--all-namespaces']);
    assert.deepEqual(offered('dormouse', 'services', '-o', ''), ['table', 'json', 'yaml']);
  });

  test('every shell gets every top-level command', () => {
    for (const shell of shells) {
      const script = completionScript(rootCommand, shell);
      for (const { name } of rootCommand.commands ?? []) assert.match(script, new RegExp(`\\b${name}\\b`), `${shell}: ${name}`);
    }
  });

  test('an unknown shell is refused with those there are', async () => {
    const { code, stderr } = await runWords(rootCommand, ['completion', 'csh']);
    assert.deepEqual([code, stderr], [1, 'dormouse completion: there is no completion for "csh"\n  Shells: bash, zsh, fish\n']);
  });
});
