import type { CelFunction } from './cel-function.ts';
import { compiledPattern } from './patterns.ts';

export class StringsNamespace {
  readonly name = 'strings';
}

export const stringFunctions: readonly CelFunction[] = [
  ['string.charAt(int): string', (text: string, at: bigint) => charAt(text, Number(at))],
  ['string.replace(string, string): string', (text: string, from: string, to: string) => text.replaceAll(from, () => to)],
  ['string.replace(string, string, int): string', replaceSome],
  ['int(google.protobuf.Timestamp): int', (time: Date) => BigInt(Math.floor(time.getTime() / 1000))],
  ['StringsNamespace.quote(string): string', (_: unknown, text: string) => quote(text)],
  ['string.reverse(): string', (text: string) => Array.from(text).reverse().join('')],
  ['string.find(string): string', (text: string, pattern: string) => regex(pattern).exec(text)?.[0] ?? ''],
  ['string.findAll(string): list<string>', (text: string, pattern: string) => findAll(text, pattern, -1)],
  ['string.findAll(string, int): list<string>', (text: string, pattern: string, limit: bigint) => findAll(text, pattern, Number(limit))],
  ['string.format(list<dyn>): string', format],
];

function charAt(text: string, at: number): string {
  const characters = Array.from(text);
  if (at < 0 || at > characters.length) throw new Error(`index out of range: ${at}`);
  return characters[at] ?? '';
}

/** As Go writes a string literal. */
function quote(text: string): string {
  const escapes: Readonly<Record<string, string>> = {
    '\u0007': '\\a',
    '\b': '\\b',
    '\f': '\\f',
    '\n': '\\n',
    '\r': '\\r',
    '\t': '\\t',
    '\v': '\\v',
  };
  // eslint-disable-next-line no-control-regex
  return `"${text.replace(/["\\]/g, '\\$&').replace(/[\u0007-\r]/g, (one) => escapes[one] ?? one)}"`;
}

function replaceSome(text: string, from: string, to: string, limit: bigint): string {
  let left = limit < 0n ? Infinity : Number(limit);
  return text.replaceAll(from, (match) => (left-- > 0 ? to : match));
}

function regex(pattern: string): RegExp {
  const compiled = compiledPattern(pattern);
  if (compiled === undefined) throw new Error(`error parsing regexp: ${JSON.stringify(pattern)}`);
  return compiled;
}

function findAll(text: string, pattern: string, limit: number): string[] {
  const { source, flags } = regex(pattern);
  const found: string[] = [];
  for (const match of text.matchAll(new RegExp(source, `${flags}g`))) {
    if (limit >= 0 && found.length >= limit) break;
    found.push(match[0]);
  }
  return found;
}

/** `%s %d %f %e %b %x %X %o %%`, with a precision for `%f` and `%e`. */
function format(text: string, values: readonly unknown[]): string {
  let at = 0;
  return text.replace(/%(?:\.(\d+))?([%sdfebxXo])/g, (_whole, precision: string | undefined, verb: string) => {
    if (verb === '%') return '%';
    if (at >= values.length) throw new Error(`index ${at} out of range`);
    const value = values[at];
    at += 1;
    return formatOne(value, verb, precision === undefined ? 6 : Number(precision));
  });
}

function formatOne(value: unknown, verb: string, precision: number): string {
  if (verb === 's') return formatText(value);
  if (verb === 'f' || verb === 'e') {
    const text = verb === 'f' ? Number(value).toFixed(Math.min(precision, 100)) : Number(value).toExponential(Math.min(precision, 100));
    return text.replace(/e([+-])(\d)$/, 'e$10$2');
  }
  const base = verb === 'b' ? 2 : verb === 'o' ? 8 : verb === 'd' ? 10 : 16;
  if (typeof value === 'bigint' || typeof value === 'number') {
    const text = value.toString(base);
    return verb === 'X' ? text.toUpperCase() : text;
  }
  if (base === 16 && typeof value === 'string') {
    const text = Buffer.from(value).toString('hex');
    return verb === 'X' ? text.toUpperCase() : text;
  }
  throw new Error(`error during formatting: %${verb} takes a number`);
}

function formatText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(formatText).join(', ')}]`;
  if (value instanceof Map) return `{${[...value].map(([key, one]) => `${formatText(key)}: ${formatText(one)}`).join(', ')}}`;
  if (value instanceof Date) return value.toISOString().replace('.000Z', 'Z');
  if (value instanceof Uint8Array) return Buffer.from(value).toString();
  if (isPlain(value)) return formatText(new Map(Object.entries(value)));
  return value === null ? 'null' : String(value as string);
}

/** A map that was written in the rule itself. */
function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && [Object.prototype, null].includes(Object.getPrototypeOf(value) as object | null);
}
