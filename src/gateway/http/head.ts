import { COLON, CR, LF, SP, TAB, equalsIgnoreCase, fieldByte, latin1, tokenByte } from '#gateway/http/bytes.ts';

/**
 * What a parser returns: a positive number is the index just after the head; `incomplete` asks for more bytes; anything negative
 * refuses the head.
 */
export const incomplete = 0;
export const malformed = -1;
export const unsupportedVersion = -2;
export const tooManyFields = -3;
export const targetTooLong = -4;
export const unsupportedCoding = -5;
export const http2Preface = -6;

const maxFields = 128;

/**
 * One parsed head, as positions in the buffer it was parsed from; no strings, no headers object. A Head is reused for every
 * parse, so its content holds only until the next one.
 */
export class Head {
  /** Minor version: 0 or 1. */
  minor = 1;
  /** First byte of the first field line. */
  fields = 0;
  /** The empty line that ends the head. */
  end = 0;
  /** -1: absent. */
  contentLength = -1;
  chunked = false;
  /** The sender will not use the connection again. */
  close = false;
  /** Value of Upgrade, or -1. */
  upgradeStart = -1;
  upgradeEnd = -1;
  /** `Connection` carries the token `upgrade`. */
  connectionUpgrade = false;
  /** `Connection` names further fields: they are hop-by-hop too. */
  nominated: string[] | null = null;
  /** Pairs [from, to) of bytes that must not be sent on, ascending; `dropCount` numbers are used. */
  readonly drops = new Int32Array(2 * maxFields + 8);
  dropCount = 0;

  reset(fields: number): void {
    this.fields = fields;
    this.contentLength = -1;
    this.chunked = false;
    this.upgradeStart = -1;
    this.connectionUpgrade = false;
    this.nominated = null;
    this.dropCount = 0;
  }

  /** Leaves out `[from, to)`; must be called in ascending order. Adjacent ranges melt together. */
  drop(from: number, to: number): void {
    const count = this.dropCount;
    if (count > 0 && this.drops[count - 1] === from) {
      this.drops[count - 1] = to;
      return;
    }
    this.drops[count] = from;
    this.drops[count + 1] = to;
    this.dropCount = count + 2;
  }
}

/** Whether the bytes at `at` are `HTTP/`; the caller has checked the length. */
export function startsProtocol(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 72 && bytes[at + 1] === 84 && bytes[at + 2] === 84 && bytes[at + 3] === 80 && bytes[at + 4] === 47;
}

/** Looks at one field that may matter; `nameEnd` ends the name, `[from, to)` is the trimmed value, `lineEnd` follows CRLF. */
export type Classify<H extends Head> = (
  bytes: Buffer,
  start: number,
  nameEnd: number,
  from: number,
  to: number,
  lineEnd: number,
  head: H,
) => number;

/** For each first letter (lower case) a bit for each name length that is of interest; keeps ordinary fields off the slow path. */
export function interestTable(names: readonly string[], anyLength = ''): Uint32Array {
  const result = new Uint32Array(256);
  const add = (letter: string, mask: number) => {
    for (const code of [letter.charCodeAt(0), letter.toUpperCase().charCodeAt(0)]) result[code] = (result[code] as number) | mask;
  };
  for (const name of names) add(name[0] as string, 1 << name.length);
  for (const letter of anyLength) add(letter, 0xffffffff);
  return result;
}

/**
 * Parses field lines from `at` to the empty line. Strict (RFC 9112 §5): CRLF only, no folding, no space before the colon, no
 * control bytes. Returns the index after the head, or one of the codes above.
 */
export function parseFields<H extends Head>(
  bytes: Buffer,
  at: number,
  end: number,
  head: H,
  interest: Uint32Array,
  classify: Classify<H>,
): number {
  let index = at;
  let count = 0;
  for (;;) {
    if (index >= end) return incomplete;
    if (bytes[index] === CR) {
      if (index + 1 >= end) return incomplete;
      if (bytes[index + 1] !== LF) return malformed;
      head.end = index;
      return head.chunked && head.contentLength >= 0 ? malformed : index + 2;
    }
    if (++count > maxFields) return tooManyFields;
    const start = index;
    while (index < end && tokenByte[bytes[index] as number] === 1) index++;
    if (index >= end) return incomplete;
    if (bytes[index] !== COLON || index === start) return malformed;
    const nameEnd = index++;
    while (index < end && (bytes[index] === SP || bytes[index] === TAB)) index++;
    const from = index;
    while (index < end && fieldByte[bytes[index] as number] === 1) index++;
    if (index + 1 >= end) return index < end && bytes[index] !== CR ? malformed : incomplete;
    if (bytes[index] !== CR || bytes[index + 1] !== LF) return malformed;
    const valueEnd = index;
    index += 2;
    const length = nameEnd - start;
    if (length < 32 && ((interest[bytes[start] as number] as number) & (1 << length)) === 0) continue;
    const code = classify(bytes, start, nameEnd, from, trimEnd(bytes, from, valueEnd), index, head);
    if (code !== 0) return code;
  }
}

function trimEnd(bytes: Uint8Array, from: number, to: number): number {
  let end = to;
  while (end > from && (bytes[end - 1] === SP || bytes[end - 1] === TAB)) end--;
  return end;
}

/** Fields that mean the same in a request and in a response. */
export const framingFields = ['connection', 'content-length', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'] as const;
const connection = latin1('connection');
const contentLength = latin1('content-length');
const proxyConnection = latin1('proxy-connection');
const transferEncoding = latin1('transfer-encoding');
const upgrade = latin1('upgrade');

/** Reads one of `framingFields`, but for Keep-Alive; anything else it leaves alone. */
export const classifyFraming: Classify<Head> = (bytes, start, nameEnd, from, to, lineEnd, head) => {
  switch (nameEnd - start) {
    case 7:
      if (!equalsIgnoreCase(bytes, start, upgrade)) return 0;
      head.drop(start, lineEnd);
      head.upgradeStart = from;
      head.upgradeEnd = to;
      return 0;
    case 10:
      if (!equalsIgnoreCase(bytes, start, connection)) return 0;
      head.drop(start, lineEnd);
      readConnection(bytes, from, to, head);
      return 0;
    case 14:
      return equalsIgnoreCase(bytes, start, contentLength) ? readContentLength(bytes, from, to, head) : 0;
    case 16:
      if (equalsIgnoreCase(bytes, start, proxyConnection)) head.drop(start, lineEnd);
      return 0;
    case 17:
      return equalsIgnoreCase(bytes, start, transferEncoding) ? readTransferEncoding(bytes, from, to, head) : 0;
    default:
      return 0;
  }
};

const closeToken = latin1('close');
const keepAliveToken = latin1('keep-alive');
const upgradeToken = latin1('upgrade');
const chunkedToken = latin1('chunked');
/** Fields that `Connection` cannot declare hop-by-hop: losing them would change framing or routing. */
const neverNominated = new Set(['host', 'content-length', 'transfer-encoding', 'connection', 'expect']);

/** Reads a `Connection` value into `close`, `connectionUpgrade` and `nominated`. */
function readConnection(bytes: Buffer, from: number, to: number, head: Head): void {
  const length = to - from;
  if (length === 5 && equalsIgnoreCase(bytes, from, closeToken)) head.close = true;
  else if (length === 7 && equalsIgnoreCase(bytes, from, upgradeToken)) head.connectionUpgrade = true;
  else if (length === 10 && equalsIgnoreCase(bytes, from, keepAliveToken)) return;
  else for (const token of bytes.toString('latin1', from, to).toLowerCase().split(',')) readConnectionToken(token.trim(), head);
}

function readConnectionToken(token: string, head: Head): void {
  if (token === 'close') head.close = true;
  else if (token === 'upgrade') head.connectionUpgrade = true;
  else if (token !== '' && token !== 'keep-alive' && !neverNominated.has(token)) (head.nominated ??= []).push(token);
}

/** Content-Length: digits alone, once. Repeated (even equal) or listed values are refused: RFC 9112 §6.3 allows it. */
function readContentLength(bytes: Uint8Array, from: number, to: number, head: Head): number {
  if (head.contentLength >= 0 || to === from || to - from > 15) return malformed;
  let value = 0;
  for (let index = from; index < to; index++) {
    const digit = (bytes[index] as number) - 48;
    if (digit < 0 || digit > 9) return malformed;
    value = value * 10 + digit;
  }
  head.contentLength = value;
  return 0;
}

/** Transfer-Encoding: exactly `chunked`, once, in HTTP/1.1. Other codings are unsupported; anything odd is malformed. */
function readTransferEncoding(bytes: Uint8Array, from: number, to: number, head: Head): number {
  if (head.chunked || head.minor === 0) return malformed;
  if (to - from === 7 && equalsIgnoreCase(bytes, from, chunkedToken)) {
    head.chunked = true;
    return 0;
  }
  for (let index = from; index < to; index++) if (tokenByte[bytes[index] as number] !== 1) return malformed;
  return to === from ? malformed : unsupportedCoding;
}

/** Adds the lines of fields with these names (lower case) to the drops. The slow path: hardly any message has such fields. */
export function dropNamed(bytes: Buffer, head: Head, names: readonly string[]): void {
  const ranges: [number, number][] = [];
  for (let index = 0; index < head.dropCount; index += 2) ranges.push([head.drops[index] as number, head.drops[index + 1] as number]);
  eachField(bytes, head.fields, head.end, (name, start, _from, _to, lineEnd) => {
    if (names.includes(name) && !ranges.some(([a, z]) => a <= start && start < z)) ranges.push([start, lineEnd]);
  });
  head.dropCount = 0;
  for (const [from, to] of ranges.sort((a, b) => a[0] - b[0])) head.drop(from, to);
}

/** Walks the field lines of an already accepted head. `name` is lower case. */
export function eachField(
  bytes: Buffer,
  fields: number,
  end: number,
  visit: (name: string, start: number, from: number, to: number, lineEnd: number) => void,
): void {
  let index = fields;
  while (index < end) {
    const colon = bytes.indexOf(COLON, index);
    const lineEnd = bytes.indexOf(LF, colon) + 1;
    let from = colon + 1;
    while (bytes[from] === SP || bytes[from] === TAB) from++;
    const to = trimEnd(bytes, from, Math.max(from, lineEnd - 2));
    visit(bytes.toString('latin1', index, colon).toLowerCase(), index, from, to, lineEnd);
    index = lineEnd;
  }
}

/** The first value of a field of an accepted head. `name` is lower case. */
export function fieldValue(bytes: Buffer, head: Head, name: string): string | undefined {
  let result: string | undefined;
  eachField(bytes, head.fields, head.end, (other, _start, from, to) => {
    if (result === undefined && other === name) result = bytes.toString('latin1', from, to);
  });
  return result;
}
