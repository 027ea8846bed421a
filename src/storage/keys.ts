import type { Write } from './storage.ts';

/** Longest key, in UTF-16 units. A Kubernetes key is group + namespace + name, each at most 253. */
const maxKeyLength = 2048;
/** Longest value, in UTF-16 units: far above the API server's body limit, so only a bug reaches it. */
const maxValueLength = 16 * 2 ** 20;

/** Throws RangeError for a key or value the stores cannot keep faithfully (both drivers refuse the same ones). */
export function checkWrite({ key, value, expected }: Write): void {
  if (key === '' || key.length > maxKeyLength) throw new RangeError(`key must be 1 to ${maxKeyLength} characters, got ${key.length}`);
  if (!key.isWellFormed() || key.includes('\0')) throw new RangeError('key must be well-formed Unicode without NUL');
  if (expected !== undefined && !isRevision(expected)) throw new RangeError(`expected is not a revision: ${expected}`);
  if (value === null) return;
  if (value.length > maxValueLength) throw new RangeError(`value of ${value.length} characters is too long`);
  if (!value.isWellFormed() || value.includes('\0')) throw new RangeError('value must be well-formed Unicode without NUL');
}

/** Throws RangeError unless `revision` is a non-negative integer. */
export function checkRevision(revision: number): void {
  if (!isRevision(revision)) throw new RangeError(`not a revision: ${revision}`);
}

function isRevision(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** Throws RangeError unless `limit` is absent or a positive integer. */
export function checkLimit(limit: number | undefined): void {
  if (limit !== undefined && !(Number.isSafeInteger(limit) && limit > 0)) throw new RangeError(`limit must be at least 1: ${limit}`);
}

/** Order of the keys' UTF-8 bytes, which is code point order (UTF-16 order differs above the surrogates). */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const left = a.charCodeAt(at);
    const right = b.charCodeAt(at);
    if (left !== right) return rank(left) - rank(right);
  }
  return a.length - b.length;
}

/** Moves surrogates above every other code unit. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

/** The smallest key above every key that starts with `prefix`; undefined when there is none. */
export function prefixEnd(prefix: string): string | undefined {
  const points = Array.from(prefix, (char) => char.codePointAt(0) ?? 0);
  while (points.at(-1) === 0x10ffff) points.pop();
  const last = points.pop();
  if (last === undefined) return undefined;
  return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1);
}
