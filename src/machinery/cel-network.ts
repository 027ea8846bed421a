import { isIP } from 'node:net';
import type { CelFunction } from './cel-function.ts';

/** Addresses and their ranges, opaque to rules. */
export class UrlValue {
  readonly url: URL;
  readonly text: string;
  constructor(text: string) {
    if (!isUrl(text))
      throw new Error(`URL parse error during conversion from string: parse ${JSON.stringify(text)}: invalid URI for request`);
    this.text = text;
    this.url = new URL(text, 'relative://none');
  }
}
export class IpValue {
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
export class CidrValue {
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
export class IpNamespace {
  readonly name = 'ip';
}

export const networkFunctions: readonly CelFunction[] = [
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
