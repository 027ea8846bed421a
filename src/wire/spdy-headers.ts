import { constants, createDeflate, createInflate, type Deflate, type Inflate } from 'node:zlib';
import { SpdyError } from '#wire/spdy-frames.ts';

/** Names in lower case; several values of one name are joined with NUL, as on the wire. */
export type SpdyHeaders = Readonly<Record<string, string>>;

const dictionaryWords =
  'options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow authorization cache-control connection content-base content-encoding content-language content-length content-location content-md5 content-range content-type date etag expect expires from host if-match if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade user-agent vary via warning www-authenticate method get status|200 OK|version HTTP/1.1 url public set-cookie keep-alive origin';
const dictionaryTail =
  '100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505' +
  '203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found' +
  '500 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00' +
  ' Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,' +
  'text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.';

/** The dictionary of SPDY/3 §2.6.10.1: both sides start their compressors from it. */
export const headerDictionary: Buffer = Buffer.concat([
  ...dictionaryWords.split('|').flatMap((part) => (part === '200 OK' ? [prefixed(part)] : part.split(' ').map(prefixed))),
  Buffer.from(dictionaryTail),
]);

const maxHeaderBytes = 64 * 1024;
const maxHeaders = 256;

/**
 * Header blocks of one connection: one compression state for each direction, so blocks must pass in the order of the wire.
 * Callers await one call before they make the next of the same direction.
 */
export class HeaderCodec {
  readonly #deflate: Deflate = createDeflate({ dictionary: headerDictionary });
  readonly #inflate: Inflate = createInflate({ dictionary: headerDictionary });
  #failed: Error | undefined;

  constructor() {
    const fail = (error: Error) => (this.#failed ??= error);
    this.#deflate.on('error', fail);
    this.#inflate.on('error', fail);
  }

  async encode(headers: SpdyHeaders): Promise<Buffer> {
    const entries = Object.entries(headers);
    const plain = Buffer.concat([
      length(entries.length),
      ...entries.flatMap(([name, value]) => [prefixed(name.toLowerCase()), prefixed(value)]),
    ]);
    return collect(this.#deflate, Number.POSITIVE_INFINITY, (done) => {
      this.#deflate.write(plain);
      this.#deflate.flush(constants.Z_SYNC_FLUSH, done);
    });
  }

  /** Throws SpdyError on what is no header block, or an oversized one. */
  async decode(block: Buffer): Promise<SpdyHeaders> {
    if (this.#failed !== undefined) throw new SpdyError('a header block is damaged', { cause: this.#failed });
    try {
      return parseHeaders(await collect(this.#inflate, maxHeaderBytes, (done) => this.#inflate.write(block, done)));
    } catch (error) {
      throw error instanceof SpdyError ? error : new SpdyError('a header block is damaged', { cause: error });
    }
  }

  close(): void {
    this.#deflate.destroy();
    this.#inflate.destroy();
  }
}

function parseHeaders(plain: Buffer): SpdyHeaders {
  const headers: Record<string, string> = {};
  let at = 0;
  const number = () => {
    if (at + 4 > plain.length) throw new SpdyError('a header block is cut off');
    at += 4;
    return plain.readUInt32BE(at - 4);
  };
  const text = () => {
    const end = number() + at;
    if (end > plain.length) throw new SpdyError('a header block is cut off');
    const value = plain.toString('utf8', at, end);
    at = end;
    return value;
  };
  const count = number();
  if (count > maxHeaders) throw new SpdyError('too many headers');
  for (let index = 0; index < count; index += 1) {
    const name = text().toLowerCase();
    Object.defineProperty(headers, name, { value: text(), enumerable: true, configurable: true, writable: true });
  }
  return headers;
}

/** What the (de)compressor puts out for one piece of input. */
function collect(stream: Deflate | Inflate, maxBytes: number, feed: (done: (error?: Error | null) => void) => void): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let size = 0;
    const settle = (error?: Error | null) => {
      stream.off('data', onData).off('error', settle).off('close', onClose);
      if (error) reject(error);
      else resolve(Buffer.concat(parts));
    };
    const onData = (part: Buffer) => {
      parts.push(part);
      size += part.length;
      if (size > maxBytes) stream.destroy(new SpdyError('a header block is too large'));
    };
    const onClose = () => settle(new SpdyError('the connection is closed'));
    stream.on('data', onData).on('error', settle).on('close', onClose);
    // The last output may still be on its way to the listener when the input has been taken.
    feed((error) => setImmediate(settle, error));
  });
}

function prefixed(text: string): Buffer {
  return Buffer.concat([length(Buffer.byteLength(text)), Buffer.from(text)]);
}

function length(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32BE(value);
  return buffer;
}
