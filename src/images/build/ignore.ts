import { posix } from 'node:path';

/** Decides which files of a source directory stay out of its image, in the language of .dockerignore; later lines win. */
export function ignoreRules(text: string): (path: string) => boolean {
  const rules = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const negated = line.startsWith('!');
      const pattern = posix
        .normalize(`/${negated ? line.slice(1).trim() : line}`)
        .replace(/^\/+/, '')
        .replace(/\/+$/, '');
      return { negated, expression: expressionOf(pattern) };
    });
  return (path) => {
    let ignored = false;
    for (const { negated, expression } of rules) if (expression.test(path)) ignored = !negated;
    return ignored;
  };
}

/** `*`, `?` and `[a-z]` stay within a path part, `**` does not; `\\` takes the next sign as it is; what lies under a matching directory matches too. */
function expressionOf(pattern: string): RegExp {
  // Nothing is left of `.` and `/`: they name the directory itself, as Docker has it without effect.
  if (pattern === '') return /^$/;
  const parts = /\*\*\/|\*\*|\*|\?|\[(\^?)((?:\\.|[^\]\\])+)\]|\\(.)|([^])/g;
  let source = '';
  for (const [part, not, set, escaped, plain] of pattern.matchAll(parts)) {
    if (part === '**/') source += '(?:.*/)?';
    else if (part === '**') source += '.*';
    else if (part === '*') source += '[^/]*';
    else if (part === '?') source += '[^/]';
    else if (set !== undefined) source += `(?!/)[${not}${set.replaceAll('[', '\\[')}]`;
    else source += literal(escaped ?? plain ?? '');
  }
  return new RegExp(`^${source}(?:/.*)?$`);
}

const literal = (sign: string): string => sign.replace(/[\\^$.*+?()[\]{}|]/, '\\$&');
