import { CR, LF, COLON, SP, TAB, fieldByte, tokenByte } from '#gateway/http/bytes.ts';

/** Receives the content between the chunk frames, for a peer that does not know chunks. */
export type SpanSink = (from: number, to: number) => void;

const size = 0;
const extension = 1;
const sizeLf = 2;
const data = 3;
const dataCr = 4;
const dataLf = 5;
const lineStart = 6;
const trailerName = 7;
const trailerValue = 8;
const trailerLf = 9;
const finalLf = 10;
const finished = 11;

const maxSizeDigits = 12;
const maxExtensionBytes = 256;
const maxTrailerBytes = 8 * 1024;

/**
 * Follows chunked framing (RFC 9112 §7.1) without touching the content: data is skipped by length. Strict: CRLF only, at least
 * one and at most 12 hex digits, bounded extensions and trailers, trailer lines of proper field syntax.
 */
export class ChunkedScanner {
  #state = size;
  #left = 0;
  #digits = 0;
  #extra = 0;
  #kept: number[] | null = null;

  reset(): void {
    this.#state = size;
    this.#left = 0;
    this.#digits = 0;
    this.#extra = 0;
    if (this.#kept !== null) this.#kept = [];
  }

  /** From now on trailer lines are remembered. */
  keepTrailers(): void {
    this.#kept = [];
  }

  /** The trailer lines of a finished message, each with its CRLF. */
  get trailers(): Buffer {
    return Buffer.from(this.#kept?.slice(0, -2) ?? []);
  }

  get done(): boolean {
    return this.#state === finished;
  }

  /** Between two chunks: a last chunk may be put here. */
  get atBoundary(): boolean {
    return this.#state === size && this.#digits === 0;
  }

  /** Consumes from `at`; returns the index after the last byte of the message, `end` when more is needed, -1 when malformed. */
  scan(bytes: Buffer, at: number, end: number, sink?: SpanSink): number {
    let index = at;
    while (index < end) {
      if (this.#state === data) {
        const take = Math.min(this.#left, end - index);
        sink?.(index, index + take);
        this.#left -= take;
        index += take;
        if (this.#left > 0) break;
        this.#state = dataCr;
        continue;
      }
      const next = this.#step(bytes[index++] as number);
      if (next < 0) return -1;
      this.#state = next;
      if (next === finished) return index;
    }
    return index;
  }

  /** The state after one framing byte, or -1. */
  #step(byte: number): number {
    switch (this.#state) {
      case size:
        return this.#sizeByte(byte);
      case extension:
        if (byte === CR) return sizeLf;
        return fieldByte[byte] === 1 && ++this.#extra <= maxExtensionBytes ? extension : -1;
      case sizeLf:
        if (byte !== LF) return -1;
        this.#digits = 0;
        this.#extra = 0;
        return this.#left === 0 ? lineStart : data;
      case dataCr:
        return byte === CR ? dataLf : -1;
      case dataLf:
        return byte === LF ? size : -1;
      default:
        return this.#trailerByte(byte);
    }
  }

  #sizeByte(byte: number): number {
    const value = hexValue(byte);
    if (value >= 0) {
      if (++this.#digits > maxSizeDigits) return -1;
      this.#left = this.#left * 16 + value;
      return size;
    }
    if (this.#digits === 0) return -1;
    if (byte === CR) return sizeLf;
    return byte === 59 || byte === SP || byte === TAB ? extension : -1;
  }

  #trailerByte(byte: number): number {
    if (++this.#extra > maxTrailerBytes) return -1;
    this.#kept?.push(byte);
    switch (this.#state) {
      case lineStart:
        if (byte === CR) return finalLf;
        return tokenByte[byte] === 1 ? trailerName : -1;
      case trailerName:
        if (byte === COLON) return trailerValue;
        return tokenByte[byte] === 1 ? trailerName : -1;
      case trailerValue:
        if (byte === CR) return trailerLf;
        return fieldByte[byte] === 1 ? trailerValue : -1;
      case trailerLf:
        return byte === LF ? lineStart : -1;
      default:
        return byte === LF ? finished : -1;
    }
  }
}

function hexValue(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

export type BodyKind = 'none' | 'length' | 'chunked' | 'close';

/** Where a message's content ends. One of each per connection and direction, set up anew for every message. */
export class BodyFraming {
  kind: BodyKind = 'none';
  done = true;
  left = 0;
  #scanner: ChunkedScanner | null = null;

  none(): void {
    this.kind = 'none';
    this.done = true;
  }

  length(bytes: number): void {
    this.kind = bytes === 0 ? 'none' : 'length';
    this.left = bytes;
    this.done = bytes === 0;
  }

  chunked(): void {
    this.kind = 'chunked';
    this.done = false;
    if (this.#scanner === null) this.#scanner = new ChunkedScanner();
    else this.#scanner.reset();
  }

  untilClose(): void {
    this.kind = 'close';
    this.done = false;
  }

  /** Chunked, with the trailer lines remembered for `trailers`. */
  chunkedWithTrailers(): void {
    this.chunked();
    this.#scanner?.keepTrailers();
  }

  get trailers(): Buffer {
    return this.#scanner?.trailers ?? Buffer.alloc(0);
  }

  /** Where a last chunk could end the message early. */
  get atChunkBoundary(): boolean {
    return this.kind === 'chunked' && this.#scanner?.atBoundary === true;
  }

  /** Takes content from `at`; returns the end of what belongs to this message, or -1 when its framing is broken. */
  consume(bytes: Buffer, at: number, end: number, sink?: SpanSink): number {
    if (this.kind === 'length') {
      const take = Math.min(this.left, end - at);
      this.left -= take;
      this.done = this.left === 0;
      return at + take;
    }
    if (this.kind === 'close') return end;
    if (this.#scanner === null || this.done) return at;
    const result = this.#scanner.scan(bytes, at, end, sink);
    this.done = this.#scanner.done;
    return result;
  }
}
