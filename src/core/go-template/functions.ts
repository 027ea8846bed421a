/** What a template computes with: `Map` is Go's map, a plain object a struct; undefined is Go's invalid value. */
export type Value = unknown;

/** Go's truth: not the zero value, not empty. */
export function isTrue(value: Value): boolean {
  if (value instanceof Map) return value.size > 0;
  if (Array.isArray(value)) return value.length > 0;
  return Boolean(value);
}

/** As Go prints it with `%v`. */
export function print(value: Value): string {
  if (value === undefined || value === null) return '<no value>';
  if (value instanceof Map) {
    const entries = [...(value as Map<string, Value>)].toSorted(([a], [b]) => (a < b ? -1 : 1));
    return `map[${entries.map(([key, item]) => `${key}:${print(item)}`).join(' ')}]`;
  }
  if (Array.isArray(value)) return `[${value.map(print).join(' ')}]`;
  return typeof value === 'object' ? `{${Object.values(value).map(print).join(' ')}}` : String(value as string | number | boolean);
}

type Fn = (...args: Value[]) => Value;

const compare =
  (test: (a: string | number, b: string | number) => boolean): Fn =>
  (a, b) =>
    test(a as string, b as string);

/** Go's built-in functions; `and` and `or` see all their arguments. */
export const functions: Readonly<Record<string, Fn>> = {
  and: (...args) => args.find((arg) => !isTrue(arg)) ?? args.at(-1),
  or: (...args) => args.find(isTrue) ?? args.at(-1),
  not: (value) => !isTrue(value),
  eq: (first, ...others) => others.some((other) => other === first),
  ne: (a, b) => a !== b,
  lt: compare((a, b) => a < b),
  le: compare((a, b) => a <= b),
  gt: compare((a, b) => a > b),
  ge: compare((a, b) => a >= b),
  len: (value) => (value instanceof Map ? value.size : Array.isArray(value) ? value.length : Buffer.byteLength(String(value))),
  index: (value, ...keys) => keys.reduce((found, key) => indexed(found, key), value),
  slice: (value, from = 0, to) => (value as string | unknown[]).slice(from as number, to as number | undefined),
  print: (...args) => args.map(print).join(''),
  println: (...args) => `${args.map(print).join(' ')}\n`,
  printf: (format, ...args) => printf(String(format), args),
  js: (...args) =>
    JSON.stringify(args.map(print).join(''))
      .slice(1, -1)
      .replaceAll(/[<>&='\u2028\u2029]/g, unicode),
  html: (...args) =>
    args
      .map(print)
      .join('')
      .replaceAll(/["'&<>]/g, (letter) => `&#${letter.charCodeAt(0)};`),
  urlquery: (...args) => encodeURIComponent(args.map(print).join('')).replaceAll('%20', '+'),
};

const unicode = (letter: string): string =>
  letter === "'" ? "\\'" : `\\u${letter.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`;

/** A missing key of a map of strings is the empty string. */
function indexed(value: Value, key: Value): Value {
  if (value instanceof Map) return (value as Map<Value, Value>).get(key) ?? '';
  return Array.isArray(value) || typeof value === 'string' ? value[key as number] : undefined;
}

/** `%s %v %d %q %t %f` and `%%`; widths are not understood. */
function printf(format: string, args: readonly Value[]): string {
  let next = 0;
  return format.replaceAll(/%([sdvqtf%])/g, (_, verb: string) => {
    if (verb === '%') return '%';
    const value = args[next++];
    if (verb === 'q') return JSON.stringify(print(value));
    return verb === 'f' ? Number(value).toFixed(6) : print(value);
  });
}
