import { CR, LF, SP, equalsIgnoreCase, hostByte, latin1, tokenByte } from '#gateway/http/bytes.ts';
import {
  Head,
  classifyFraming,
  dropNamed,
  framingFields,
  http2Preface,
  incomplete,
  interestTable,
  malformed,
  parseFields,
  startsProtocol,
  targetTooLong,
  unsupportedVersion,
  type Classify,
} from '#gateway/http/head.ts';

const maxTargetBytes = 16 * 1024;
const maxMethodBytes = 24;

/** A request head; `start` is its first byte (empty lines before it are skipped). */
export class RequestHead extends Head {
  start = 0;
  methodEnd = 0;
  /** The path (origin form), `*`, or what follows the authority of an absolute form. */
  targetStart = 0;
  targetEnd = 0;
  hostStart = -1;
  hostEnd = -1;
  /** The Host line itself, for replacing it. */
  hostLineStart = 0;
  hostLineEnd = 0;
  isHead = false;
  /** RFC 9110 §9.2.2: may be sent twice. */
  idempotent = false;
  expectContinue = false;
  hasRequestId = false;
  hasTraceparent = false;
  /** Value of K-Network-Probe, or -1. */
  probeStart = -1;
  probeEnd = -1;
  /** Where a trusted peer's X-Forwarded-For value is, or -1. */
  forwardedForStart = -1;
  forwardedForEnd = -1;
}

const names = {
  host: latin1('host'),
  keepAlive: latin1('keep-alive'),
  te: latin1('te'),
  expect: latin1('expect'),
  forwarded: latin1('forwarded'),
  forwardedFor: latin1('x-forwarded-for'),
  forwardedProto: latin1('x-forwarded-proto'),
  forwardedHost: latin1('x-forwarded-host'),
  requestId: latin1('x-request-id'),
  traceparent: latin1('traceparent'),
  kPrefix: latin1('k-'),
  knativePrefix: latin1('knative-'),
  networkProbe: latin1('k-network-probe'),
};
const interest = interestTable(
  [
    ...framingFields,
    'host',
    'te',
    'expect',
    'forwarded',
    'x-forwarded-for',
    'x-forwarded-proto',
    'x-forwarded-host',
    'x-request-id',
    'traceparent',
  ],
  'k',
);
const continueToken = latin1('100-continue');
const idempotentMethods: readonly Buffer[] = ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'].map(latin1);
const preface = latin1('PRI * HTTP/2.0\r\n');
const httpScheme = latin1('http://');

/**
 * Parses a request head strictly. On success `head` describes it, with everything that must not reach a container already in
 * its drops: hop-by-hop fields, fields named by Connection, forwarding fields of an untrusted peer, internal K-* and Knative-* fields.
 */
export function parseRequestHead(bytes: Buffer, at: number, end: number, head: RequestHead): number {
  let index = at;
  // RFC 9112 §2.2: empty lines before the request line are ignored.
  while (index + 1 < end && bytes[index] === CR && bytes[index + 1] === LF && index - at < 8) index += 2;
  if (index < end && bytes[index] === CR) return index + 1 < end ? malformed : incomplete;
  head.start = index;
  const lineEnd = parseRequestLine(bytes, index, end, head);
  if (lineEnd <= 0) return lineEnd;
  const absolute = head.fields;
  head.reset(lineEnd);
  head.hostStart = -1;
  head.expectContinue = false;
  head.hasRequestId = false;
  head.hasTraceparent = false;
  head.probeStart = -1;
  head.forwardedForStart = -1;
  if (absolute < head.targetStart) head.drop(absolute, head.targetStart);
  const result = parseFields(bytes, lineEnd, end, head, interest, classifyRequestField);
  if (result <= 0) return result;
  if (head.hostStart < 0 && head.minor === 1) return malformed;
  if (absolute < head.targetStart && !sameAuthority(bytes, absolute + httpScheme.length, head)) return malformed;
  if (head.nominated !== null) dropNamed(bytes, head, head.nominated);
  return result;
}

/** Returns the index after the request line; leaves the raw start of the target in `head.fields`. */
function parseRequestLine(bytes: Buffer, start: number, end: number, head: RequestHead): number {
  let index = start;
  while (index < end && tokenByte[bytes[index] as number] === 1) index++;
  const methodLength = index - start;
  if (methodLength > maxMethodBytes) return malformed;
  if (index >= end) return incomplete;
  if (bytes[index] !== SP || methodLength === 0) return malformed;
  head.methodEnd = index;
  readMethod(bytes, start, methodLength, head);
  const target = ++index;
  let byte = 0;
  while (index < end && (byte = bytes[index] as number) > SP && byte !== 127) index++;
  if (index - target > maxTargetBytes) return targetTooLong;
  if (index >= end) return incomplete;
  if (bytes[index] !== SP || index === target) return malformed;
  head.targetEnd = index;
  head.fields = target;
  const version = parseVersion(bytes, start, index + 1, end, head);
  if (version <= 0) return version;
  head.targetStart = originForm(bytes, target, index);
  return head.targetStart < 0 ? malformed : version;
}

function parseVersion(bytes: Buffer, start: number, at: number, end: number, head: RequestHead): number {
  if (end - at < 10) return bytes.subarray(at, end).includes(LF) ? malformed : incomplete;
  // "HTTP/1.x" CRLF
  if (!startsProtocol(bytes, at) || bytes[at + 6] !== 46 || bytes[at + 8] !== CR || bytes[at + 9] !== LF) return malformed;
  const major = (bytes[at + 5] as number) - 48;
  const minor = (bytes[at + 7] as number) - 48;
  if (major !== 1 || minor < 0 || minor > 1) {
    if (major === 2 && bytes.compare(preface, 0, preface.length, start, at + 10) === 0) return http2Preface;
    return major >= 0 && major <= 9 && minor >= 0 && minor <= 9 ? unsupportedVersion : malformed;
  }
  head.minor = minor;
  head.close = minor === 0;
  return at + 10;
}

function readMethod(bytes: Buffer, start: number, length: number, head: RequestHead): void {
  head.isHead = false;
  head.idempotent = false;
  for (const method of idempotentMethods) {
    if (method.length !== length || bytes[start] !== method[0]) continue;
    let index = 1;
    while (index < length && bytes[start + index] === method[index]) index++;
    if (index < length) continue;
    head.idempotent = true;
    head.isHead = method[0] === 72;
    return;
  }
}

/** Start of the path in the target: origin form and `*` as they are, `http://authority/path` at the path, otherwise -1. */
function originForm(bytes: Buffer, from: number, to: number): number {
  if (bytes[from] === 47 || (bytes[from] === 42 && to - from === 1)) return from;
  if (to - from < httpScheme.length || !equalsIgnoreCase(bytes, from, httpScheme)) return -1;
  for (let index = from + httpScheme.length; index < to; index++) if (bytes[index] === 47) return index;
  return -1;
}

/** The authority of an absolute form must be the Host (RFC 9112 §3.2.2): a peer that says two things is up to no good. */
function sameAuthority(bytes: Buffer, from: number, head: RequestHead): boolean {
  const length = head.targetStart - from;
  if (head.hostEnd - head.hostStart !== length) return false;
  const authority = latin1(bytes.toString('latin1', from, head.targetStart).toLowerCase());
  return equalsIgnoreCase(bytes, head.hostStart, authority);
}

const classifyRequestField: Classify<RequestHead> = (bytes, start, nameEnd, from, to, lineEnd, head) => {
  const is = (name: Buffer) => equalsIgnoreCase(bytes, start, name);
  if (((bytes[start] as number) | 32) === 107) return classifyInternal(bytes, start, nameEnd, from, to, lineEnd, head);
  switch (nameEnd - start) {
    case 2:
      if (is(names.te)) head.drop(start, lineEnd);
      return 0;
    case 4:
      return is(names.host) ? readHost(bytes, start, from, to, lineEnd, head) : 0;
    case 6:
      if (is(names.expect)) head.expectContinue = to - from === continueToken.length && equalsIgnoreCase(bytes, from, continueToken);
      return 0;
    case 9:
      if (is(names.forwarded)) head.drop(start, lineEnd);
      return 0;
    case 11:
      if (is(names.traceparent)) head.hasTraceparent = true;
      return 0;
    case 12:
      if (is(names.requestId)) head.hasRequestId = true;
      return 0;
    case 15:
      if (is(names.forwardedFor)) {
        head.drop(start, lineEnd);
        head.forwardedForStart = from;
        head.forwardedForEnd = to;
      }
      return 0;
    case 16:
      if (is(names.forwardedHost)) head.drop(start, lineEnd);
      break;
    case 17:
      if (is(names.forwardedProto)) head.drop(start, lineEnd);
      break;
  }
  return classifyFraming(bytes, start, nameEnd, from, to, lineEnd, head);
};

/** Keep-Alive, and Knative's internal fields, which no outsider may set. */
const classifyInternal: Classify<RequestHead> = (bytes, start, nameEnd, from, to, lineEnd, head) => {
  const length = nameEnd - start;
  const internal =
    (length >= 2 && equalsIgnoreCase(bytes, start, names.kPrefix)) || (length >= 8 && equalsIgnoreCase(bytes, start, names.knativePrefix));
  if (internal || (length === 10 && equalsIgnoreCase(bytes, start, names.keepAlive))) head.drop(start, lineEnd);
  if (length === names.networkProbe.length && equalsIgnoreCase(bytes, start, names.networkProbe)) {
    head.probeStart = from;
    head.probeEnd = to;
  }
  return 0;
};

function readHost(bytes: Buffer, start: number, from: number, to: number, lineEnd: number, head: RequestHead): number {
  if (head.hostStart >= 0 || to === from || to - from > 255 + 6) return malformed;
  for (let index = from; index < to; index++) if (hostByte[bytes[index] as number] !== 1) return malformed;
  head.hostStart = from;
  head.hostEnd = to;
  head.hostLineStart = start;
  head.hostLineEnd = lineEnd;
  return 0;
}
