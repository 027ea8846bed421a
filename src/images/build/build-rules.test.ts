import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UserError } from '#core/errors.ts';
import { checkEntry } from './entry-file.ts';
import { ignoreRules } from './ignore.ts';
import type { SourceFiles } from './source-files.ts';

describe('an ignore file', () => {
  const cases: readonly (readonly [rules: string, path: string, ignored: boolean])[] = [
    ['*.log', 'a.log', true],
    ['*.log', 'sub/a.log', false],
    ['**/*.log', 'sub/deep/a.log', true],
    ['**/*.log', 'a.log', true],
    ['dist', 'dist/a/b.js', true],
    ['/dist/', 'dist/a.js', true],
    ['dist', 'dist2/a.js', false],
    ['a.c', 'abc', false],
    ['a?c', 'abc', true],
    ['a?c', 'a/c', false],
    ['# dist', '# dist', false],
    ['docs\n!docs/keep.md', 'docs/keep.md', false],
    ['docs\n!docs/keep.md\ndocs/*', 'docs/keep.md', true],
    ['  \r\nb\r\n', 'b', true],
    ['a/**', 'a/b/c', true],
    ['./dist', 'dist/a.js', true],
    ['src/../dist', 'dist', true],
    ['.', 'a', false],
    ['[a-c]x', 'bx', true],
    ['[^a-c]x', 'bx', false],
    ['[^a-c]x', 'dx', true],
    ['a[^b]c', 'a/c', false],
    ['a\\*b', 'a*b', true],
    ['a\\*b', 'axb', false],
    ['*\n!src', 'src/a.js', false],
    ['*\n!src', 'test/a.js', true],
    ['**/node_modules', 'a/node_modules/b/index.js', true],
    ['a(b', 'a(b', true],
  ];
  for (const [rules, path, ignored] of cases) {
    it(`${JSON.stringify(rules)} ${ignored ? 'ignores' : 'keeps'} ${path}`, () => {
      assert.equal(ignoreRules(rules)(path), ignored);
    });
  }
});

describe('the file a start command runs', () => {
  const file = (path: string) => ({ type: 'bytes', path, bytes: Buffer.alloc(0) }) as const;
  const files: SourceFiles = { code: [file('app/server.js'), file('app/lib/index.js')], dependencies: [], notes: [] };
  for (const command of [
    'node server.js',
    'node ./server',
    'node lib',
    'node --import x.js server.js',
    'node -e 1',
    '/bin/sh -c x',
    'node /opt/x.js',
  ]) {
    it(`is accepted in ${command}`, () => checkEntry(command.split(' '), files));
  }
  for (const command of ['node dist/server.js', 'node --import server.js absent.js', 'node ../server.js']) {
    it(`is missed in ${command}`, () => {
      assert.throws(
        () => checkEntry(command.split(' '), files),
        (error) => error instanceof UserError && error.hint !== undefined,
      );
    });
  }
});
