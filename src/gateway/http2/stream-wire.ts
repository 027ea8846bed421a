import { constants, type Http2Stream } from 'node:http2';
import { errorText } from '#core/errors.ts';
import type { Logger } from '#core/logger.ts';
import { BodyFraming } from '#gateway/http/body.ts';
import { chunkBytes, lastChunkBytes, type FlatFields } from '#gateway/http2/to-bytes.ts';
import type { FieldValues } from '#gateway/http2/to-fields.ts';
import { giveUp, nobody, type Wire, type WireOwner } from '#gateway/transport/transport.ts';

/**
 * One HTTP/2 stream as a wire that carries one HTTP/1.1 request and its response: bytes that come in are framed, bytes that are
 * written are unframed again. So everything above (parsing, rules, slots, deadlines, counters) is the same for both versions.
 */
export abstract class StreamWire implements Wire {
  owner: WireOwner = nobody;
  closed = false;
  protected readonly logger: Logger;
  /** Framing of what is written. */
  protected readonly content = new BodyFraming();
  /** The message written is complete. */
  protected complete = false;
  /** The message that comes in is complete. */
  protected ended = false;
  #reading = false;
  /** The stream whose content is listened to; one without content is left alone, the engine is quicker about it. */
  #source: Http2Stream | null = null;
  #trailers: FlatFields = [];

  constructor(logger: Logger) {
    this.logger = logger;
  }

  protected abstract get stream(): Http2Stream | null;
  abstract write(bytes: Buffer): boolean;
  abstract remoteAddress(): string;

  /** Bytes are on the way to the kernel until the stream has finished; flow control of the peer included. */
  get pending(): boolean {
    const { stream } = this;
    if (stream === null || stream.destroyed) return false;
    return this.complete ? !stream.writableFinished : stream.writableLength > 0;
  }

  /** Takes content from the stream; `chunked`: of unknown length. */
  protected receive(stream: Http2Stream, chunked: boolean): void {
    this.#source = stream;
    stream.on('data', (data: Buffer) => this.deliver(chunked ? chunkBytes(data) : data));
    if (!this.#reading) stream.pause();
    stream.on('trailers', (_fields: object, _flags: number, flat: unknown) => (this.#trailers = flat as FlatFields));
    stream.on('end', () => {
      // A stream that was reset ends too.
      if (stream.aborted || stream.rstCode !== constants.NGHTTP2_NO_ERROR) return;
      this.ended = true;
      if (chunked) this.deliver(lastChunkBytes(this.#trailers));
    });
  }

  protected deliver(bytes: Buffer): void {
    if (!this.closed) this.guarded(() => this.owner.onData(bytes, 0, bytes.length));
  }

  protected guarded(event: () => void): void {
    try {
      event();
    } catch (error) {
      giveUp(this, error, this.logger);
    }
  }

  /** The stream is over, in whatever way. */
  protected gone(): void {
    if (!this.closed) this.guarded(() => this.owner.onEnd(false));
  }

  /** More can be written, or everything has gone out. */
  protected drained(): void {
    if (!this.closed) this.guarded(() => this.owner.onDrain());
  }

  /** The content in `bytes` from `at` on, copied: the engine keeps it. */
  protected unframe(bytes: Buffer, at: number): Buffer {
    const { content } = this;
    const spans: Buffer[] = [];
    const keep = (from: number, to: number) => void spans.push(bytes.subarray(from, to));
    const stop = content.consume(bytes, at, bytes.length, keep);
    if (stop < 0) throw new Error('content to be sent is not framed properly');
    if (content.kind !== 'chunked') keep(at, stop);
    return Buffer.concat(spans);
  }

  resume(): void {
    this.#reading = true;
    if (!this.closed) this.#source?.resume();
  }

  pause(): void {
    this.#reading = false;
    if (!this.closed) this.#source?.pause();
  }

  rest(): void {}

  /** What is written is complete and nothing more is wanted. */
  end(): void {
    this.finish(this.stream);
  }

  close(complete = false): void {
    if (this.closed) return;
    this.closed = true;
    const { stream } = this;
    // Closed: a reset is under way, ours or the peer's.
    if (stream === null || stream.destroyed || stream.closed) return;
    // What still comes in is thrown away.
    if (!this.ended) stream.resume();
    if (complete) this.finish(stream);
    else if (!(this.complete && this.ended && stream.writableFinished)) this.reset(stream);
  }

  /**
   * Breaks the stream off. Not by the engine's `close`: that ends what was written first, and half a message would look like a whole one.
   */
  protected abstract reset(stream: Http2Stream): void;

  /** Ends the stream properly. */
  protected finish(stream: Http2Stream | null): void {
    if (stream === null || stream.destroyed) return;
    if (!this.complete) {
      this.complete = true;
      stream.end();
    }
    if (!this.ended) this.afterLastFrame(stream, () => this.unwanted(stream));
  }

  /** Everything is answered; what the peer still sends is of no use. */
  protected abstract unwanted(stream: Http2Stream): void;

  #trailersDue = false;

  /** Sends what trailer fields there are when the content has gone out. */
  protected sendTrailers(stream: Http2Stream, fields: () => FieldValues): void {
    this.#trailersDue = true;
    stream.once('wantTrailers', () => {
      if (stream.destroyed || stream.closed) return;
      try {
        stream.sendTrailers(fields());
      } catch (error) {
        this.logger.warn('trailers cannot be sent in HTTP/2', { reason: errorText(error) });
        return this.reset(stream);
      }
      // The engine sends them in an immediate of its own, which comes before this one.
      setImmediate(() => {
        this.#trailersDue = false;
        stream.emit('trailersSent');
      });
    });
  }

  /** A reset must not overtake trailer fields. */
  protected afterLastFrame(stream: Http2Stream, then: () => void): void {
    if (this.#trailersDue) stream.once('trailersSent', then);
    else then();
  }
}
