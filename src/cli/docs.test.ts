import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { rootCommand } from '#cli/root.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const pages = globSync('{*.md,docs/**/*.md,examples/*/README.md,src/**/README.md}', { cwd: root });

describe('the documentation', () => {
  test('links to files that exist', () => {
    for (const page of pages) {
      for (const [, target = ''] of readFileSync(join(root, page), 'utf8').matchAll(/\]\((?!https?:)([^)#\s]+)[^)]*\)/g)) {
        assert.ok(existsSync(join(root, dirname(page), target)), `${page}: ${target}`);
      }
    }
  });

  test('types commands and options that there are', () => {
    for (const page of pages) {
      const code = readFileSync(join(root, page), 'utf8').matchAll(
        /(?:^ {4}|`|&& |\$\(|\| )(?:sudo )?(?:npx )?dormouse ([a-z][a-z-]*(?: [^`\n]*)?)/gm,
      );
      for (const [, text = ''] of code) checkWords(page, text.split('#')[0]?.trim().split(/\s+/) ?? []);
    }
  });
});

function checkWords(page: string, words: readonly string[]): void {
  const named = ({ name, aliases = [] }: { name: string; aliases?: readonly string[] }, word: string | undefined) =>
    [name, ...aliases].includes(word ?? '');
  let command = rootCommand.commands?.find((one) => named(one, words[0]));
  assert.ok(command !== undefined, `${page}: dormouse ${words.join(' ')}`);
  if (command.commands !== undefined && /^[a-z]/.test(words[1] ?? '')) {
    command = command.commands.find((one) => named(one, words[1]));
    assert.ok(command !== undefined, `${page}: dormouse ${words.join(' ')}`);
  }
  // Up to the next program of the line; a group alone has no options to compare with.
  const end = words.findIndex((word) => /^(?:&&|\||;|\()/.test(word) || word.endsWith(')'));
  for (const word of words.slice(0, end < 0 ? undefined : end)) {
    const [, option] = /^--([a-z-]+)/.exec(word) ?? [];
    if (option === undefined || command.commands !== undefined || option === 'help') continue;
    assert.ok(
      command.options?.some(({ name }) => name === option),
      `${page}: dormouse ${words.join(' ')}: --${option}`,
    );
  }
}
