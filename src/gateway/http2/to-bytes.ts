import { STATUS_CODES } from '#core/node-http.ts';
import { latin1 } from '#gateway/http/bytes.ts';

/**
 * Heads of HTTP/2 messages as HTTP/1.1 bytes: the form in which the gateway's rules look at every message. `fields` is a flat list of
 * names and values, as node:http2 hands it out: pseudo fields first, names in lower case.
 */
export type FlatFields = readonly string[];

/** Of no meaning in HTTP/2 (RFC 9113 §8.2.2), or made anew here. */
const connectionFields = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade', 'http2-settings']);
const lineBreak = /[\r\n\0]/;

interface Collected {
  readonly pseudo: Record<string, string>;
  readonly cookies: string[];
  lines: string;
  host: string | undefined;
  hasLength: boolean;
  usable: boolean;
}

function collect(fields: FlatFields): Collected {
  const result: Collected = { pseudo: {}, cookies: [], lines: '', host: undefined, hasLength: false, usable: true };
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index] as string;
    const value = fields[index + 1] as string;
    // The engine refuses these already; here they would become lines of their own.
    if (lineBreak.test(name) || lineBreak.test(value)) result.usable = false;
    if (name.startsWith(':')) result.pseudo[name] = value;
    else if (name === 'host') result.host = value;
    else if (name === 'cookie') result.cookies.push(value);
    else if (!connectionFields.has(name)) {
      if (name === 'content-length') result.hasLength = true;
      result.lines += `${name}: ${value}\r\n`;
    }
  }
  return result;
}

/** How the content of a message is framed in its HTTP/1.1 form. */
export interface MessageBytes {
  readonly head: Buffer;
  readonly chunked: boolean;
}

/**
 * A request head; `ends`: no content follows. Announces the end of its connection, because a stream carries one request. Undefined: no
 * request can be made of it (RFC 9113 §8.1.1: a stream error).
 */
export function requestBytes(fields: FlatFields, ends: boolean): MessageBytes | undefined {
  const { pseudo, cookies, lines, host, hasLength, usable } = collect(fields);
  const authority = pseudo[':authority'] ?? host;
  const method = pseudo[':method'] ?? '';
  // CONNECT has no path; it is refused by its name.
  const path = method === 'CONNECT' ? '/' : (pseudo[':path'] ?? '');
  if (!usable || method === '' || path === '' || (host !== undefined && host !== authority)) return undefined;
  const chunked = !ends && !hasLength;
  const head =
    `${method} ${path} HTTP/1.1\r\n` +
    (authority === undefined ? '' : `Host: ${authority}\r\n`) +
    lines +
    // RFC 9113 §8.2.3: what was split for compression becomes one field again.
    (cookies.length === 0 ? '' : `cookie: ${cookies.join('; ')}\r\n`) +
    (chunked ? 'Transfer-Encoding: chunked\r\n' : '') +
    'Connection: close\r\n\r\n';
  return { head: latin1(head), chunked };
}

/** A response head, interim ones too. `ends`: it is the whole message. */
export function responseBytes(fields: FlatFields, ends: boolean, toHead: boolean): MessageBytes | undefined {
  const { pseudo, cookies, lines, host, hasLength, usable } = collect(fields);
  const status = Number(pseudo[':status']);
  if (!usable || !Number.isInteger(status)) return undefined;
  const interim = status < 200;
  const bodiless = interim || toHead || status === 204 || status === 304;
  // A message that ends with its head gets an empty content: for HTTP/2 clients it becomes one frame again.
  const chunked = !bodiless && !hasLength;
  const head =
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n` +
    lines +
    cookies.map((value) => `cookie: ${value}\r\n`).join('') +
    (host === undefined ? '' : `host: ${host}\r\n`) +
    (chunked ? 'Transfer-Encoding: chunked\r\n' : '') +
    (interim ? '\r\n' : 'Connection: close\r\n\r\n');
  return { head: latin1(chunked && ends ? `${head}0\r\n\r\n` : head), chunked: chunked && !ends };
}

const crlf = latin1('\r\n');

/** Content as one chunk. */
export function chunkBytes(data: Buffer): Buffer {
  return Buffer.concat([latin1(`${data.length.toString(16)}\r\n`), data, crlf]);
}

/** The end of chunked content, with trailer fields. */
export function lastChunkBytes(trailers: FlatFields): Buffer {
  const { cookies, lines, usable } = collect(trailers);
  return latin1(`0\r\n${usable ? lines + cookies.map((value) => `cookie: ${value}\r\n`).join('') : ''}\r\n`);
}
