import { constants, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import type { Logger } from '#core/logger.ts';
import { responseBytes, type FlatFields } from '#gateway/http2/to-bytes.ts';
import { StreamWire } from '#gateway/http2/stream-wire.ts';
import { requestFields, trailerFields, type FieldValues } from '#gateway/http2/to-fields.ts';

/** Content that is kept for sending a refused request again. */
const maxKeptBytes = 64 * 1024;
const maxRefusals = 3;
/** A container that has sent all content of a response ends the stream within this time. */
const endMs = 1000;

/** Where streams come from; one that was refused unprocessed asks again. */
export interface StreamSource {
  /** Calls back once, never before it returns; the result cancels. Undefined: no session can be had. */
  session(callback: (session: ClientHttp2Session | undefined) => void): () => void;
  /** A stream of the session is over. */
  done(session: ClientHttp2Session): void;
}

/** A stream to a container: takes one request, brings its response. */
export class UpstreamStreamWire extends StreamWire {
  readonly #source: StreamSource;
  #session: ClientHttp2Session;
  #stream: ClientHttp2Stream | null = null;
  /** The place on the session is taken but no stream has been opened there. */
  #placeHeld = true;
  #started = false;
  #toHead = false;
  readonly #abort = new AbortController();
  #responded = false;
  #refusals = 0;
  #cancelRetry: (() => void) | null = null;
  /** The request so far, while it may still be refused. */
  #fields: FieldValues | null = null;
  #trailers = false;
  #kept: Buffer[] = [];
  #keptBytes = 0;

  constructor(source: StreamSource, session: ClientHttp2Session, logger: Logger) {
    super(logger);
    this.#source = source;
    this.#session = session;
  }

  protected override get stream(): ClientHttp2Stream | null {
    return this.#stream;
  }

  /** With CANCEL, which is what the engine makes of a signal. */
  protected override reset(): void {
    this.#abort.abort();
  }

  /** The end of a response of known length comes a moment after its content. One that does not come is not waited for. */
  protected override unwanted(stream: ClientHttp2Stream): void {
    setImmediate(() => {
      if (!this.ended && !stream.destroyed) stream.setTimeout(endMs, () => stream.close(constants.NGHTTP2_CANCEL));
    });
  }

  override write(bytes: Buffer): boolean {
    if (this.closed || this.complete) return true;
    if (!this.#started) return this.#request(bytes);
    return this.#send(this.unframe(bytes, 0));
  }

  #request(bytes: Buffer): boolean {
    const { fields, isHead, chunked, contentLength, trailers, next } = requestFields(bytes);
    this.#started = true;
    this.#toHead = isHead;
    this.#trailers = trailers;
    if (chunked) this.content.chunkedWithTrailers();
    else this.content.length(contentLength);
    const data = this.unframe(bytes, next);
    this.#fields = fields;
    this.#open(data.length === 0);
    return this.#send(data);
  }

  #open(empty: boolean): void {
    const endStream = this.content.done && empty && this.content.trailers.length === 0;
    // What cannot be sent at all fails as if the container had hung up.
    const options = { endStream, waitForTrailers: this.#trailers, signal: this.#abort.signal };
    let stream: ClientHttp2Stream;
    this.#placeHeld = false;
    try {
      stream = this.#session.request(this.#fields ?? {}, options);
    } catch (error) {
      this.logger.warn('request cannot be sent in HTTP/2', { error });
      this.#source.done(this.#session);
      queueMicrotask(() => this.gone());
      return;
    }
    this.#stream = stream;
    if (this.#trailers) this.sendTrailers(stream, () => trailerFields(this.content.trailers));
    this.#listen(stream);
  }

  #listen(stream: ClientHttp2Stream): void {
    const session = this.#session;
    stream.on('headers', (_fields: object, _flags: number, flat: unknown) => {
      const message = responseBytes(flat as FlatFields, false, false);
      if (message !== undefined) this.deliver(message.head);
    });
    stream.on('response', (_fields: object, flags: number, flat: unknown) => this.#response(stream, flags, flat as FlatFields));
    stream.on('drain', () => this.drained());
    stream.on('error', () => {});
    stream.once('close', () => {
      this.#source.done(session);
      if (stream === this.#stream) this.#over(stream);
    });
  }

  #response(stream: ClientHttp2Stream, flags: number, fields: FlatFields): void {
    if (this.closed) return;
    this.#responded = true;
    this.#forget();
    const ends = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    const message = responseBytes(fields, ends, this.#toHead);
    if (message === undefined) return stream.close(constants.NGHTTP2_PROTOCOL_ERROR);
    this.ended = ends;
    if (ends) stream.resume();
    else this.receive(stream, message.chunked);
    this.deliver(message.head);
  }

  #send(data: Buffer): boolean {
    const stream = this.#stream;
    this.#keep(data);
    if (this.content.done) this.complete = true;
    if (stream === null || stream.destroyed) return true;
    if (this.complete && data.length > 0) stream.end(data);
    else if (this.complete) stream.end();
    else if (data.length > 0) stream.write(data);
    return !stream.writableNeedDrain;
  }

  #keep(data: Buffer): void {
    if (this.#fields === null) return;
    this.#kept.push(data);
    this.#keptBytes += data.length;
    if (this.#keptBytes > maxKeptBytes) this.#forget();
  }

  #forget(): void {
    this.#fields = null;
    this.#kept = [];
  }

  /** The stream is closed: the response was complete before, or never will be. */
  #over(stream: ClientHttp2Stream): void {
    const refused = stream.rstCode === constants.NGHTTP2_REFUSED_STREAM;
    // RFC 9113 §8.7: the container has not looked at it, so it may be sent again whatever its method.
    if (refused && !this.closed && !this.#responded && this.#fields !== null && ++this.#refusals <= maxRefusals) return this.#again();
    this.gone();
  }

  #again(): void {
    this.#stream = null;
    this.#cancelRetry = this.#source.session((session) => {
      this.#cancelRetry = null;
      if (session === undefined) return this.gone();
      this.#session = session;
      this.#placeHeld = true;
      // More content has come than is kept.
      if (this.#fields === null) return this.gone();
      const data = Buffer.concat(this.#kept);
      this.#open(data.length === 0);
      const stream = this.#stream;
      if (stream === null) return;
      if (data.length > 0) stream.write(data);
      if (this.complete) stream.end();
      this.drained();
    });
  }

  override close(complete = false): void {
    if (this.closed) return;
    this.#cancelRetry?.();
    super.close(complete);
    this.#forget();
    if (this.#placeHeld) this.#source.done(this.#session);
  }

  override remoteAddress(): string {
    return '';
  }
}
