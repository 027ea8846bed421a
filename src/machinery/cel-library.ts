import { Duration } from '@marcbachmann/cel-js/evaluator';
import { isIP } from 'node:net';
import { FormatNamespace, FormatValue, formatFunctions } from './cel-formats.ts';
import { SemverValue, semverFunctions } from './cel-semver.ts';
import { addQuantities, compareQuantities, isQuantity, parseQuantity, subtractQuantities, type Quantity } from '#apis/meta/quantity.ts';
import { compiledPattern } from './patterns.ts';

/**
 * The functions Kubernetes adds to CEL (strings, lists, regex, URL, IP, CIDR, quantity, sets): signature and what it does.
 * Numbers of CEL type int are bigint. A thrown Error becomes the error of the rule.
 */
export type CelFunction = readonly [signature: string, handler: (...values: never[]) => unknown];

/** Types the functions bring along; opaque to rules. */
class QuantityValue {
  readonly value: Quantity;
  constructor(value: Quantity) {
    this.value = value;
  }
}
class UrlValue {
  readonly url: URL;
  readonly text: string;
  constructor(text: string) {
    if (!isUrl(text))
      throw new Error(`URL parse error during conversion from string: parse ${JSON.stringify(text)}: invalid URI for request`);
    this.text = text;
    this.url = new URL(text, 'relative://none');
  }
}
class IpValue {
  readonly bits: bigint;
  readonly family: 4 | 6;
  constructor(text: string) {
    const family = isIP(text);
    if (family !== 4 && family !== 6) throw new Error(`IP Address ${JSON.stringify(text)} parse error during conversion from string`);
    this.family = family;
    this.bits = family === 4 ? ipv4Bits(text) : ipv6Bits(text);
  }
  static of(bits: bigint, family: 4 | 6): IpValue {
    return new IpValue(family === 4 ? ipv4Text(bits) : ipv6Text(bits));
  }
  toString(): string {
    return this.family === 4 ? ipv4Text(this.bits) : ipv6Text(this.bits);
  }
}
class CidrValue {
  readonly ip: IpValue;
  readonly length: number;
  constructor(text: string) {
    const slash = text.lastIndexOf('/');
    const [address, bits] = [text.slice(0, Math.max(slash, 0)), text.slice(slash + 1)];
    const size = isIP(address) === 4 ? 32 : 128;
    if (isIP(address) === 0 || !/^\d{1,3}$/.test(bits) || Number(bits) > size)
      throw new Error(`network address parse error during conversion from string: ${JSON.stringify(text)}`);
    this.ip = new IpValue(address);
    this.length = Number(bits);
  }
  contains(ip: IpValue): boolean {
    return ip.family === this.ip.family && ip.bits >> this.#hostBits === this.ip.bits >> this.#hostBits;
  }
  masked(): CidrValue {
    const { bits, family } = this.ip;
    return new CidrValue(`${String(IpValue.of((bits >> this.#hostBits) << this.#hostBits, family))}/${this.length}`);
  }
  toString(): string {
    return `${String(this.ip)}/${this.length}`;
  }
  get #hostBits(): bigint {
    return BigInt((this.ip.family === 4 ? 32 : 128) - this.length);
  }
}
class SetsNamespace {
  readonly name = 'sets';
}
class StringsNamespace {
  readonly name = 'strings';
}
class IpNamespace {
  readonly name = 'ip';
}

type Comparable = bigint | number | string | boolean | Date;
const compare = (a: Comparable, b: Comparable): number => (a < b ? -1 : a > b ? 1 : 0);

const stringFunctions: readonly CelFunction[] = [
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

const listFunctions: readonly CelFunction[] = [
  [
    'list<dyn>.isSorted(): bool',
    (list: Comparable[]) => list.every((item, index) => index === 0 || compare(list[index - 1] as Comparable, item) <= 0),
  ],
  ['list<int>.sum(): int', (list: bigint[]) => list.reduce((sum, item) => sum + item, 0n)],
  [
    'list<google.protobuf.Duration>.sum(): google.protobuf.Duration',
    (list: Duration[]) => list.reduce((sum, item) => sum.addDuration(item), new Duration(0n, 0)),
  ],
  ['list<double>.sum(): double', (list: number[]) => list.reduce((sum, item) => sum + item, 0)],
  ['list<int>.min(): int', (list: Comparable[]) => extreme(list, -1)],
  ['list<int>.max(): int', (list: Comparable[]) => extreme(list, 1)],
  ['list<double>.min(): double', (list: Comparable[]) => extreme(list, -1)],
  ['list<double>.max(): double', (list: Comparable[]) => extreme(list, 1)],
  ['list<string>.min(): string', (list: Comparable[]) => extreme(list, -1)],
  ['list<string>.max(): string', (list: Comparable[]) => extreme(list, 1)],
  ['list<dyn>.indexOf(dyn): int', (list: unknown[], item: unknown) => BigInt(list.findIndex((one) => celEqual(one, item)))],
  ['list<dyn>.lastIndexOf(dyn): int', (list: unknown[], item: unknown) => BigInt(list.findLastIndex((one) => celEqual(one, item)))],
  ['SetsNamespace.contains(list<dyn>, list<dyn>): bool', (_: unknown, list: unknown[], sub: unknown[]) => includesAll(list, sub)],
  [
    'SetsNamespace.equivalent(list<dyn>, list<dyn>): bool',
    (_: unknown, a: unknown[], b: unknown[]) => includesAll(a, b) && includesAll(b, a),
  ],
  [
    'SetsNamespace.intersects(list<dyn>, list<dyn>): bool',
    (_: unknown, a: unknown[], b: unknown[]) => a.some((one) => b.some((two) => celEqual(one, two))),
  ],
];

function extreme(list: readonly Comparable[], sign: number): Comparable {
  if (list.length === 0) throw new Error(`${sign < 0 ? 'min' : 'max'} called on empty list`);
  return list.reduce((best, item) => (compare(item, best) * sign > 0 ? item : best));
}

function includesAll(list: readonly unknown[], sub: readonly unknown[]): boolean {
  return sub.every((one) => list.some((two) => celEqual(one, two)));
}

/** Equality of CEL values as they are held here: scalars, dates, lists, maps and objects of a schema. */
export function celEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (a instanceof Date) return b instanceof Date && a.getTime() === b.getTime();
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((item, index) => celEqual(item, b[index]));
  if (a instanceof Map)
    return b instanceof Map && a.size === b.size && [...a].every(([key, value]) => b.has(key) && celEqual(value, b.get(key)));
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>];
  const keys = Object.keys(left);
  return keys.length === Object.keys(right).length && keys.every((key) => Object.hasOwn(right, key) && celEqual(left[key], right[key]));
}

const networkFunctions: readonly CelFunction[] = [
  ['isURL(string): bool', isUrl],
  ['url(string): UrlValue', (text: string) => new UrlValue(text)],
  ['UrlValue.getScheme(): string', ({ url }: UrlValue) => (url.protocol === 'relative:' ? '' : url.protocol.slice(0, -1))],
  ['UrlValue.getHost(): string', ({ url }: UrlValue) => (url.protocol === 'relative:' ? '' : url.host)],
  ['UrlValue.getHostname(): string', ({ url }: UrlValue) => (url.protocol === 'relative:' ? '' : url.hostname.replace(/^\[|\]$/g, ''))],
  [
    'UrlValue.getPort(): string',
    ({ url, text }: UrlValue) => (url.port !== '' ? url.port : (/^[a-z+.-]+:\/\/[^/?#]*:(\d+)(?:[/?#]|$)/i.exec(text)?.[1] ?? '')),
  ],
  ['UrlValue.getEscapedPath(): string', ({ url, text }: UrlValue) => (/^[a-z+.-]+:\/\/[^/]*$/i.test(text) ? '' : url.pathname)],
  ['UrlValue.getQuery(): map<string, list<string>>', ({ url }: UrlValue) => query(url)],
  ['isIP(string): bool', (text: string) => isIP(text) !== 0],
  ['ip(string): IpValue', (text: string) => new IpValue(text)],
  ['IpValue.family(): int', ({ family }: IpValue) => BigInt(family)],
  ['IpValue.isLoopback(): bool', (ip: IpValue) => isLoopback(ip)],
  ['IpValue.isUnspecified(): bool', (ip: IpValue) => ip.bits === 0n],
  ['IpValue.isLinkLocalMulticast(): bool', isLinkLocalMulticast],
  ['IpValue.isLinkLocalUnicast(): bool', isLinkLocalUnicast],
  ['IpValue.isGlobalUnicast(): bool', isGlobalUnicast],
  ['IpNamespace.isCanonical(string): bool', (_: unknown, text: string) => String(new IpValue(text)) === text],
  ['string(IpValue): string', String],
  ['string(CidrValue): string', String],
  ['CidrValue.masked(): CidrValue', (cidr: CidrValue) => cidr.masked()],
  ['isCIDR(string): bool', isCidr],
  ['cidr(string): CidrValue', (text: string) => new CidrValue(text)],
  ['CidrValue.prefixLength(): int', ({ length }: CidrValue) => BigInt(length)],
  ['CidrValue.ip(): IpValue', ({ ip }: CidrValue) => ip],
  ['CidrValue.containsIP(string): bool', (cidr: CidrValue, text: string) => cidr.contains(new IpValue(text))],
  ['CidrValue.containsIP(IpValue): bool', (cidr: CidrValue, ip: IpValue) => cidr.contains(ip)],
  ['CidrValue.containsCIDR(string): bool', (cidr: CidrValue, text: string) => containsCidr(cidr, new CidrValue(text))],
  ['CidrValue.containsCIDR(CidrValue): bool', containsCidr],
];

function isUrl(text: string): boolean {
  return text.startsWith('/') ? URL.canParse(text, 'relative://none') : URL.canParse(text);
}

function query(url: URL): Map<string, string[]> {
  const result = new Map<string, string[]>();
  for (const [key, value] of url.searchParams) result.set(key, [...(result.get(key) ?? []), value]);
  return result;
}

function isCidr(text: string): boolean {
  try {
    return new CidrValue(text).length >= 0;
  } catch {
    return false;
  }
}

function containsCidr(outer: CidrValue, inner: CidrValue): boolean {
  return inner.length >= outer.length && outer.contains(inner.ip);
}

function isLinkLocalMulticast({ bits, family }: IpValue): boolean {
  return family === 4 ? bits >> 8n === 0xe00000n : ((bits >> 112n) & 0xff0fn) === 0xff02n;
}
function isLinkLocalUnicast({ bits, family }: IpValue): boolean {
  return family === 4 ? bits >> 16n === 0xa9fen : bits >> 118n === 0x3fan;
}
function isMulticast({ bits, family }: IpValue): boolean {
  return family === 4 ? bits >> 28n === 0xen : bits >> 120n === 0xffn;
}
function isLoopback({ bits, family }: IpValue): boolean {
  return family === 4 ? bits >> 24n === 127n : bits === 1n;
}

/** Everything that is none of the others; private addresses too. */
function isGlobalUnicast(ip: IpValue): boolean {
  if (ip.bits === 0n || (ip.family === 4 && ip.bits === 0xffffffffn)) return false;
  return !isLoopback(ip) && !isMulticast(ip) && !isLinkLocalUnicast(ip);
}

function ipv4Text(bits: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (bits >> shift) & 0xffn).join('.');
}

/** The form of RFC 5952. */
function ipv6Text(bits: bigint): string {
  const groups = Array.from({ length: 8 }, (_none, index) => ((bits >> BigInt(112 - index * 16)) & 0xffffn).toString(16));
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

function ipv4Bits(text: string): bigint {
  return text.split('.').reduce((bits, part) => (bits << 8n) | BigInt(part), 0n);
}

function ipv6Bits(text: string): bigint {
  const plain = text.replace(/%.*$/, '').replace(/(\d+\.\d+\.\d+\.\d+)$/, (v4) => {
    const bits = ipv4Bits(v4);
    return `${(bits >> 16n).toString(16)}:${(bits & 0xffffn).toString(16)}`;
  });
  const [head = '', tail] = plain.split('::');
  const parts = (one: string): string[] => (one === '' ? [] : one.split(':'));
  const middle = tail === undefined ? [] : Array<string>(8 - parts(head).length - parts(tail).length).fill('0');
  return [...parts(head), ...middle, ...parts(tail ?? '')].reduce((bits, part) => (bits << 16n) | BigInt(`0x${part}`), 0n);
}

const nano = 1_000_000_000n;
/** Quantities are capped there: what is as large was larger. */
const largestInt = 2n ** 63n - 1n;
const whole = (value: bigint): Quantity => ({ nanos: value * nano, format: 'DecimalSI' });

const quantityFunctions: readonly CelFunction[] = [
  ['isQuantity(string): bool', isQuantity],
  ['quantity(string): QuantityValue', (text: string) => new QuantityValue(parseQuantity(text))],
  ['QuantityValue.isLessThan(QuantityValue): bool', (a: QuantityValue, b: QuantityValue) => compareQuantities(a.value, b.value) < 0],
  ['QuantityValue.isGreaterThan(QuantityValue): bool', (a: QuantityValue, b: QuantityValue) => compareQuantities(a.value, b.value) > 0],
  ['QuantityValue.compareTo(QuantityValue): int', (a: QuantityValue, b: QuantityValue) => BigInt(compareQuantities(a.value, b.value))],
  [
    'QuantityValue.add(QuantityValue): QuantityValue',
    (a: QuantityValue, b: QuantityValue) => new QuantityValue(addQuantities(a.value, b.value)),
  ],
  [
    'QuantityValue.sub(QuantityValue): QuantityValue',
    (a: QuantityValue, b: QuantityValue) => new QuantityValue(subtractQuantities(a.value, b.value)),
  ],
  ['QuantityValue.add(int): QuantityValue', (a: QuantityValue, b: bigint) => new QuantityValue(addQuantities(a.value, whole(b)))],
  ['QuantityValue.sub(int): QuantityValue', (a: QuantityValue, b: bigint) => new QuantityValue(subtractQuantities(a.value, whole(b)))],
  ['QuantityValue.sign(): int', ({ value }: QuantityValue) => (value.nanos > 0n ? 1n : value.nanos < 0n ? -1n : 0n)],
  ['QuantityValue.isInteger(): bool', ({ value }: QuantityValue) => value.nanos % nano === 0n && value.nanos / nano < largestInt],
  ['QuantityValue.asInteger(): int', ({ value }: QuantityValue) => wholeUnits(value)],
  ['QuantityValue.asApproximateFloat(): double', ({ value }: QuantityValue) => Number(value.nanos) / 1e9],
];

function wholeUnits(value: Quantity): bigint {
  if (value.nanos % 1_000_000_000n !== 0n) throw new Error('cannot convert value to integer');
  return value.nanos / 1_000_000_000n;
}

export const celFunctions: readonly CelFunction[] = [
  ...stringFunctions,
  ...listFunctions,
  ...networkFunctions,
  ...quantityFunctions,
  ...semverFunctions,
  ...formatFunctions,
];
/** Every opaque type by its name in signatures. */
export const celTypes = {
  QuantityValue,
  UrlValue,
  IpValue,
  CidrValue,
  SemverValue,
  FormatValue,
  SetsNamespace,
  StringsNamespace,
  IpNamespace,
  FormatNamespace,
} as const;
/** The words that functions of a library are called by. */
export const celNamespaces = {
  sets: new SetsNamespace(),
  strings: new StringsNamespace(),
  ip: new IpNamespace(),
  format: new FormatNamespace(),
} as const;
/** Which of the opaque types can be compared, and by what. */
export const celEqualities = {
  QuantityValue: (a: QuantityValue, b: QuantityValue) => compareQuantities(a.value, b.value) === 0,
  UrlValue: (a: UrlValue, b: UrlValue) => a.url.href === b.url.href,
  IpValue: (a: IpValue, b: IpValue) => a.family === b.family && a.bits === b.bits,
  CidrValue: (a: CidrValue, b: CidrValue) => String(a) === String(b),
  SemverValue: (a: SemverValue, b: SemverValue) => a.compareTo(b) === 0,
} as const;
