import { posix } from 'node:path';
import { UserError } from '#core/errors.ts';
import type { SourceFiles } from './source-files.ts';

/** Options of Node whose value is the next word. */
const withValue = new Set([
  '-r',
  '--require',
  '--import',
  '--loader',
  '--experimental-loader',
  '-C',
  '--conditions',
  '--env-file',
  '--title',
]);
/** Options with which Node runs no file. */
const withoutFile = new Set(['-e', '--eval', '-p', '--print', '--run', '--test']);

/** Throws a UserError when a `node FILE` command runs a file that will not be in the image. Other commands are left to themselves. */
export function checkEntry(command: readonly string[], files: SourceFiles): void {
  const entry = entryOf(command);
  if (entry === undefined || entry.startsWith('/')) return;
  const path = posix.join('app', entry).replace(/\/$/, '');
  const inImage = new Set([...files.code, ...files.dependencies].map((found) => found.path));
  const candidates = ['', '.js', '.json', '.node', '/index.js', '/index.json', '/package.json'].map((ending) => path + ending);
  if (candidates.some((candidate) => inImage.has(candidate))) return;
  throw new UserError(`${command.join(' ')} runs ${entry}, which does not exist or is ignored`, {
    hint: 'if a build step writes it, run that first (npm run build); otherwise correct the start script or the ignore file',
  });
}

function entryOf(command: readonly string[]): string | undefined {
  if (command[0] !== 'node') return undefined;
  for (let index = 1; index < command.length; index += 1) {
    const word = command[index] ?? '';
    if (withoutFile.has(word.split('=', 1)[0] ?? '')) return undefined;
    if (withValue.has(word)) index += 1;
    else if (!word.startsWith('-')) return word;
  }
  return undefined;
}
