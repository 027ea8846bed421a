import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { completionScript, shells, type Shell } from '#cli/completion.ts';
import { rootCommand } from '#cli/root.ts';
import { runWords } from '#cli/testing.ts';

const without = (shell: Shell) => (spawnSync(shell, ['--version']).status === 0 ? false : `${shell} is not installed`);

/** What bash offers for these words. */
function offered(...words: readonly string[]): string[] {
  const program = `${completionScript(rootCommand, 'bash')}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _dormouse; echo "\${COMPREPLY[*]}"`;
  const { stdout, stderr } = spawnSync('bash', ['-c', program, 'bash', ...words], { encoding: 'utf8' });
  assert.equal(stderr, '');
  return stdout.trim().split(' ');
}

/** What fish offers for a line, without descriptions. */
function offeredByFish(line: string): string[] {
  const program = `${completionScript(rootCommand, 'fish')}\ncomplete -C '${line}'`;
  const { stdout, stderr } = spawnSync('fish', ['--no-config', '-c', program], { encoding: 'utf8' });
  assert.equal(stderr, '');
  return stdout.split('\n').flatMap((row) => (row === '' ? [] : [row.split('\t')[0] ?? '']));
}

/** What zsh makes of each line after Tab: an interactive zsh on a terminal of its own, in which `dormouse` prints its words. */
function completedByZsh(lines: readonly string[]): string[] {
  const directory = mkdtempSync(join(tmpdir(), 'dormouse-zsh-'));
  try {
    writeFileSync(join(directory, 'completion'), completionScript(rootCommand, 'zsh'));
    const setup = `autoload -Uz compinit; compinit -u -D; source ${directory}/completion; dormouse() { print -r -- \\"ran<\\$*>\\" }; print re''ady`;
    const program = `
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "${setup}"
zpty -r shell out '*ready*'
for line in ${lines.map((line) => `'${line}'`).join(' ')}; do
  zpty -w -n shell "$line"$'\\t\\n'
  zpty -r shell out '*ran<*>*'
  print -r -- "\${\${out##*ran<}%%>*}"
done
zpty -d shell`;
    const { stdout, stderr } = spawnSync('zsh', ['-f', '-c', program], { encoding: 'utf8', timeout: 30_000 });
    assert.equal(stderr, '');
    return stdout.trimEnd().split('\n');
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

describe('completion', () => {
  test('bash offers commands, sub-commands by prefix, options, and the values of an option', { skip: without('bash') }, () => {
    assert.deepEqual(offered('dormouse', 'ima'), ['image']);
    assert.deepEqual(offered('dormouse', 'image', 'l'), ['ls', 'load']);
    assert.deepEqual(offered('dormouse', 'ls', '--all'), ['--all-namespaces']);
    assert.deepEqual(offered('dormouse', 'services', '-o', ''), ['table', 'json', 'yaml']);
  });

  test('fish offers the same', { skip: without('fish') }, () => {
    assert.deepEqual(offeredByFish('dormouse ima'), ['image']);
    assert.deepEqual(offeredByFish('dormouse image l'), ['load', 'ls']);
    assert.deepEqual(offeredByFish('dormouse ls --all'), ['--all-namespaces']);
    assert.deepEqual(offeredByFish('dormouse services -o ').toSorted(), ['json', 'table', 'yaml']);
  });

  test('zsh completes commands, sub-commands, options and the values of an option', { skip: without('zsh') }, () => {
    assert.deepEqual(completedByZsh(['dormouse ima', 'dormouse image lo', 'dormouse ls --all', 'dormouse services -o j']), [
      'image',
      'image load',
      'ls --all-namespaces',
      'services -o json',
    ]);
  });

  test('every shell gets every top-level command', () => {
    for (const shell of shells) {
      const script = completionScript(rootCommand, shell);
      for (const { name, hidden = false } of rootCommand.commands ?? [])
        assert.equal(new RegExp(`\\b${name}\\b`).test(script), !hidden, `${shell}: ${name}`);
    }
  });

  test('an unknown shell is refused with those there are', async () => {
    const { code, stderr } = await runWords(rootCommand, ['completion', 'csh']);
    assert.deepEqual([code, stderr], [1, 'dormouse completion: there is no completion for "csh"\n  Shells: bash, zsh, fish\n']);
  });
});
