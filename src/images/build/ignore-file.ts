import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What an ignore file says, in the order of its lines: of the rules that match a path the last one decides. */
export interface IgnoreRules {
  readonly hasExceptions: boolean;
  /** `path` is relative to the project, with forward slashes. */
  ignores(path: string): boolean;
}

interface Rule {
  readonly pattern: RegExp;
  readonly exception: boolean;
}

/** The rules of `.dormouseignore`, or of `.dockerignore` when there is none; no rules when there is neither. */
export async function readIgnoreRules(directory: string): Promise<IgnoreRules> {
  for (const name of ['.dormouseignore', '.dockerignore']) {
    try {
      return parseIgnoreRules(await readFile(join(directory, name), 'utf8'));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return parseIgnoreRules('');
}

/**
 * Reads the syntax of `.dockerignore`: patterns from the project's root, `*` and `?` within a name, `**` across names, `[a-z]`, `!` for
 * exceptions, `#` for comments. A pattern that names a directory stands for all below it.
 */
export function parseIgnoreRules(text: string): IgnoreRules {
  const rules = text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .flatMap(ruleOf);
  return {
    hasExceptions: rules.some((rule) => rule.exception),
    ignores: (path) => rules.findLast((rule) => rule.pattern.test(path))?.exception === false,
  };
}

function ruleOf(line: string): readonly Rule[] {
  if (line.startsWith('#')) return [];
  const trimmed = line.trim();
  const exception = trimmed.startsWith('!');
  const segments = (exception ? trimmed.slice(1).trim() : trimmed).split('/').filter((segment) => segment !== '' && segment !== '.');
  if (segments.length === 0) return [];
  return [{ pattern: new RegExp(`^${segments.map(segmentPattern).join('').replace(/\/$/, '')}(?:/|$)`, 's'), exception }];
}

/** The expression for one name of a pattern and the slash after it. */
function segmentPattern(segment: string, index: number, all: readonly string[]): string {
  const last = index === all.length - 1;
  if (segment === '**') return last ? '.+' : '(?:[^/]+/)*';
  return glob(segment) + (last ? '' : '/');
}

function glob(segment: string): string {
  const tokens = segment.match(/\*\*|\*|\?|\\.|\[\^?[^\]]+\]|./gsu) ?? [];
  return tokens
    .map((token) => {
      if (token === '**') return '.*';
      if (token === '*') return '[^/]*';
      if (token === '?') return '[^/]';
      if (token.length > 2 && token.startsWith('[')) return validClass(token) ?? literally(token);
      return literally(token.length === 2 && token.startsWith('\\') ? token.slice(1) : token);
    })
    .join('');
}

function literally(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

/** A bracket expression as it stands, or undefined when it is no valid one (`[z-a]`): then its characters are meant. */
function validClass(token: string): string | undefined {
  const escaped = `(?!/)[${token.slice(1).replaceAll('[', '\\[')}`;
  try {
    return new RegExp(escaped).source;
  } catch {
    return undefined;
  }
}
