import { eachField } from '#gateway/http/head.ts';
import { LF, SP } from '#gateway/http/bytes.ts';
import type { ResponseHead } from '#gateway/http/response-head.ts';

/** Not sent in HTTP/2 (RFC 9113 §8.2.2). `te` is added where it says something, `host` becomes `:authority`. */
const notSent = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade', 'http2-settings', 'host', 'te']);

/** Fields as node:http2 takes them, on no prototype; a name that comes more than once has a list. */
export type FieldValues = Record<string, string | string[]>;

function add(fields: FieldValues, name: string, value: string): void {
  const known = fields[name];
  fields[name] = known === undefined ? value : typeof known === 'string' ? [known, value] : [...known, value];
}

/** A request head as composed for a container, in HTTP/2 terms. */
export interface RequestFields {
  readonly fields: FieldValues;
  readonly isHead: boolean;
  readonly chunked: boolean;
  /** 0 when there is no content. */
  readonly contentLength: number;
  /** The request says that trailer fields will follow its content. */
  readonly trailers: boolean;
  /** Where the content begins. */
  readonly next: number;
}

/** Reads a head that the gateway composed itself (so it is well-formed and complete). */
export function requestFields(bytes: Buffer): RequestFields {
  const methodEnd = bytes.indexOf(SP);
  const targetEnd = bytes.indexOf(SP, methodEnd + 1);
  const lineEnd = bytes.indexOf(LF, targetEnd) + 1;
  const end = bytes.indexOf('\r\n\r\n', lineEnd - 2, 'latin1') + 2;
  const method = bytes.toString('latin1', 0, methodEnd);
  const path = bytes.toString('latin1', methodEnd + 1, targetEnd);
  const fields: FieldValues = { __proto__: null as never, ':method': method, ':scheme': 'http', ':path': path };
  let chunked = false;
  let contentLength = 0;
  let trailers = false;
  eachField(bytes, lineEnd, end, (name, _start, from, to) => {
    const value = bytes.toString('latin1', from, to);
    if (name === 'host') fields[':authority'] = value;
    else if (name === 'transfer-encoding') chunked = true;
    else if (!notSent.has(name)) add(fields, name, value);
    if (name === 'content-length') contentLength = Number(value);
    else if (name === 'trailer') trailers = true;
  });
  // The gateway takes trailer fields and passes them on; gRPC servers insist on being told.
  fields['te'] = 'trailers';
  return { fields, isHead: method === 'HEAD', chunked, contentLength, trailers, next: end + 2 };
}

/** What of a parsed response head reaches an HTTP/2 client. */
export function responseFields(bytes: Buffer, head: ResponseHead): FieldValues & { readonly ':status': string } {
  const fields = { __proto__: null as never, ':status': String(head.status) };
  eachField(bytes, head.fields, head.end, (name, _start, from, to) => {
    if (!notSent.has(name) || name === 'host') add(fields, name, bytes.toString('latin1', from, to));
  });
  return fields;
}

/** Trailer lines (each with its CRLF) as node:http2 takes them. */
export function trailerFields(lines: Buffer): FieldValues {
  const fields: FieldValues = { __proto__: null as never };
  eachField(lines, 0, lines.length, (name, _start, from, to) => {
    if (!notSent.has(name) && name !== 'content-length') add(fields, name, lines.toString('latin1', from, to));
  });
  return fields;
}
