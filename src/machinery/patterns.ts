import { setFlagsFromString } from 'node:v8';

/**
 * Patterns of schemas and expressions come from clients, and JavaScript's expressions may take exponential time where Go's (RE2) never
 * do. V8 goes over to its linear engine once a match has backtracked too often; only expressions without the flag `u` can.
 */
setFlagsFromString('--enable-experimental-regexp-engine-on-excessive-backtracks');

const patterns = new Map<string, RegExp | undefined>();
const maxPatterns = 2000;

/** A pattern as a regular expression, undefined where RE2 would not take it; Go's `(?i)` prefix, `\A` and `\z` are understood. */
export function compiledPattern(pattern: string): RegExp | undefined {
  if (patterns.has(pattern)) return patterns.get(pattern);
  const [, flags = '', source = ''] = /^(?:\(\?([ims]+)\))?([\s\S]*)$/.exec(pattern) ?? [];
  const translated = source.replaceAll('\\z', '$').replaceAll('\\A', '^').replaceAll('(?P<', '(?<');
  const compiled = isBeyondRe2(translated) ? undefined : compile(translated, needsUnicode(translated) ? `${flags}u` : flags);
  if (patterns.size >= maxPatterns) patterns.clear();
  patterns.set(pattern, compiled);
  return compiled;
}

/** Looks ahead or behind, or back at a group: RE2 has none of that, and the linear engine neither. */
function isBeyondRe2(source: string): boolean {
  return /\(\?(?:[=!]|<[=!])|\\[1-9]/.test(source.replaceAll('\\\\', ''));
}

/** Classes of Unicode properties, and characters beyond 16 bits. */
function needsUnicode(source: string): boolean {
  return /\\[pP]\{|[\u{10000}-\u{10ffff}]/u.test(source);
}

function compile(source: string, flags: string): RegExp | undefined {
  try {
    return new RegExp(source, flags);
  } catch {
    return undefined;
  }
}
