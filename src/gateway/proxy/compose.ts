import { copyBytes, latin1 } from '#gateway/http/bytes.ts';
import type { Head } from '#gateway/http/head.ts';
import type { RequestHead } from '#gateway/http/request-head.ts';
import type { ResponseHead } from '#gateway/http/response-head.ts';
import { writeSameId, writeSpanId, writeTraceId } from '#gateway/proxy/ids.ts';
import type { Target } from '#gateway/routes/route-table.ts';

/** What of a forwarded head depends on the client's connection; the same for all its requests. */
export interface ForwardedLines {
  /** `X-Forwarded-For: …` up to the end of the peer's address, without CRLF. */
  readonly forwardedFor: Buffer;
  /** CRLF, `X-Forwarded-Proto: …`, `X-Forwarded-Host: ` */
  readonly protoAndHost: Buffer;
  /** CRLF, `Forwarded: for=…;proto=…;host=` */
  readonly forwarded: Buffer;
}

/** Lines for a peer address; `proto` is http or https. */
export function forwardedLines(address: string, proto: string): ForwardedLines {
  const node = address === '' ? 'unknown' : address.includes(':') ? `"[${address}]"` : address;
  return {
    forwardedFor: latin1(`X-Forwarded-For: ${address === '' ? 'unknown' : address}`),
    protoAndHost: latin1(`\r\nX-Forwarded-Proto: ${proto}\r\nX-Forwarded-Host: `),
    forwarded: latin1(`\r\nForwarded: for=${node};proto=${proto};host=`),
  };
}

const crlf = latin1('\r\n');
const requestIdName = latin1('X-Request-Id: ');
const traceparentName = latin1('Traceparent: 00-');
const sampled = latin1('-01\r\n');
const upgradeLines = latin1('Connection: Upgrade\r\nUpgrade: ');
const closeLine = latin1('Connection: close\r\n');

const put = (source: Buffer, target: Buffer, at: number): number => copyBytes(source, 0, source.length, target, at);

/** An upper bound for the length of what `composeRequest` writes. */
export function composedBound(head: RequestHead, target: Target, rewriteHost: string | undefined): number {
  const forwardedFor = head.forwardedForStart < 0 ? 0 : head.forwardedForEnd - head.forwardedForStart;
  const host = head.hostEnd - head.hostStart;
  return head.end - head.start + 512 + 2 * host + forwardedFor + target.appendLines.length + 3 * (rewriteHost?.length ?? 0);
}

export interface ComposeOptions {
  readonly target: Target;
  readonly rewriteHost: string | undefined;
  readonly lines: ForwardedLines;
  /** The client may be believed: its X-Forwarded-For is extended instead of replaced. */
  readonly trusted: boolean;
}

/**
 * Writes the request head for a container: the client's bytes without the dropped lines, as HTTP/1.1, with our lines behind.
 * Returns the end.
 */
export function composeRequest(out: Buffer, bytes: Buffer, head: RequestHead, options: ComposeOptions): number {
  const minorAt = head.methodEnd - head.start + (head.targetEnd - head.targetStart) + 9;
  let at = copyKept(out, 0, bytes, head.start, head);
  out[minorAt] = 49;
  const { target, rewriteHost, lines } = options;
  if (rewriteHost !== undefined) at = put(latin1(`Host: ${rewriteHost}\r\n`), out, at);
  at = writeForwarded(out, at, bytes, head, lines, options.trusted);
  at = writeIds(out, at, head);
  if (target.appendLines.length > 0) at = put(target.appendLines, out, at);
  if (wantsUpgrade(bytes, head)) {
    at = put(upgradeLines, out, at);
    at = copyBytes(bytes, head.upgradeStart, head.upgradeEnd, out, at);
    at = put(crlf, out, at);
  }
  return put(crlf, out, at);
}

/** Copies the head from `start` to its end without the drops. */
function copyKept(out: Buffer, at: number, bytes: Buffer, start: number, head: Head): number {
  let from = start;
  let position = at;
  for (let index = 0; index < head.dropCount; index += 2) {
    position = copyBytes(bytes, from, head.drops[index] as number, out, position);
    from = head.drops[index + 1] as number;
  }
  return copyBytes(bytes, from, head.end, out, position);
}

function writeForwarded(out: Buffer, start: number, bytes: Buffer, head: RequestHead, lines: ForwardedLines, trusted: boolean): number {
  let at = put(lines.forwardedFor, out, start);
  if (trusted && head.forwardedForStart >= 0) {
    // "X-Forwarded-For: " is followed by the client's list, then the peer.
    at = copyBytes(bytes, head.forwardedForStart, head.forwardedForEnd, out, start + 17);
    out[at++] = 44;
    out[at++] = 32;
    at = copyBytes(lines.forwardedFor, 17, lines.forwardedFor.length, out, at);
  }
  at = put(lines.protoAndHost, out, at);
  if (head.hostStart < 0) {
    at = put(lines.forwarded, out, at);
    return put(crlf, out, at - ';host='.length);
  }
  at = copyBytes(bytes, head.hostStart, head.hostEnd, out, at);
  at = put(lines.forwarded, out, at);
  // A port or an IPv6 address makes it a quoted string (RFC 7239 §4).
  const quoted = hasColon(bytes, head.hostStart, head.hostEnd);
  if (quoted) out[at++] = 34;
  at = copyBytes(bytes, head.hostStart, head.hostEnd, out, at);
  if (quoted) out[at++] = 34;
  return put(crlf, out, at);
}

function hasColon(bytes: Buffer, from: number, to: number): boolean {
  for (let index = from; index < to; index++) if (bytes[index] === 58) return true;
  return false;
}

/** The request id of a request without one is the trace id of its new trace, so that logs and traces meet. */
function writeIds(out: Buffer, start: number, head: RequestHead): number {
  let at = start;
  let fresh = true;
  if (!head.hasTraceparent) {
    at = put(traceparentName, out, at);
    at = writeTraceId(out, at);
    fresh = false;
    out[at++] = 45;
    at = writeSpanId(out, at);
    at = put(sampled, out, at);
  }
  if (head.hasRequestId) return at;
  at = put(requestIdName, out, at);
  at = fresh ? writeTraceId(out, at) : writeSameId(out, at);
  return put(crlf, out, at);
}

/** An upgrade is passed on unless it is to h2c: that would hide requests from routing (and HTTP/2 is not served). */
export function wantsUpgrade(bytes: Buffer, head: RequestHead): boolean {
  if (!head.connectionUpgrade || head.upgradeStart < 0 || head.minor === 0) return false;
  return !/(^|[\s,])h2c?($|[\s,])/i.test(bytes.toString('latin1', head.upgradeStart, head.upgradeEnd));
}

/** Makes a request's Host give way to another. Before `composeRequest`, which adds the new line. */
export function dropHost(head: RequestHead): void {
  if (head.hostStart < 0) return;
  const drops = head.drops.slice(0, head.dropCount);
  let written = false;
  head.dropCount = 0;
  for (let index = 0; index < drops.length; index += 2) {
    if (!written && (drops[index] as number) > head.hostLineStart) {
      head.drop(head.hostLineStart, head.hostLineEnd);
      written = true;
    }
    head.drop(drops[index] as number, drops[index + 1] as number);
  }
  if (!written) head.drop(head.hostLineStart, head.hostLineEnd);
}

/** An upper bound for what `composeResponseHead` writes. */
export function responseBound(start: number, head: ResponseHead): number {
  return head.end - start + closeLine.length + 2;
}

/** Writes a response head for the client; `close` announces that the connection ends with this response. Returns the end. */
export function composeResponseHead(out: Buffer, bytes: Buffer, start: number, head: ResponseHead, close: boolean): number {
  let at = copyKept(out, 0, bytes, start, head);
  out[7] = 49;
  if (close) at = put(closeLine, out, at);
  return put(crlf, out, at);
}
