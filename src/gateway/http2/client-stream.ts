import { constants, type ServerHttp2Stream } from 'node:http2';
import { errorText } from '#core/errors.ts';
import type { Logger } from '#core/logger.ts';
import { parseResponseHead, ResponseHead } from '#gateway/http/response-head.ts';
import { requestBytes, type FlatFields } from '#gateway/http2/to-bytes.ts';
import { StreamWire } from '#gateway/http2/stream-wire.ts';
import { responseFields, trailerFields } from '#gateway/http2/to-fields.ts';

const head = new ResponseHead();

/** A client's stream: brings one request, takes its response. */
export class ClientStreamWire extends StreamWire {
  readonly #stream: ServerHttp2Stream;
  readonly #remoteAddress: string;
  #responding = false;

  constructor(stream: ServerHttp2Stream, remoteAddress: string, logger: Logger) {
    super(logger);
    this.#stream = stream;
    this.#remoteAddress = remoteAddress;
    stream.on('drain', () => this.drained());
    stream.on('finish', () => this.drained());
    stream.on('aborted', () => this.gone());
    stream.on('close', () => this.gone());
    // Reported as aborted or closed, too; whose fault it was makes no difference here.
    stream.on('error', () => {});
  }

  protected override get stream(): ServerHttp2Stream {
    return this.#stream;
  }

  /** With INTERNAL_ERROR, which is what the engine makes of an error. */
  protected override reset(stream: ServerHttp2Stream): void {
    stream.destroy(new Error('the response breaks off'));
  }

  /** RFC 9113 §8.1: the client is asked to stop sending, without an error. */
  protected override unwanted(stream: ServerHttp2Stream): void {
    stream.close(constants.NGHTTP2_NO_ERROR);
  }

  /** Hands the request to the owner. False: none can be made of the fields. */
  start(fields: FlatFields): boolean {
    const stream = this.#stream;
    const ends = stream.endAfterHeaders;
    const message = requestBytes(fields, ends);
    if (message === undefined) return false;
    this.ended = ends;
    if (!ends) this.receive(stream, message.chunked);
    this.deliver(message.head);
    return true;
  }

  override write(bytes: Buffer): boolean {
    const stream = this.#stream;
    if (this.closed || this.complete || stream.destroyed || stream.closed) return true;
    try {
      return this.#write(bytes);
    } catch (error) {
      // HTTP/1.1 passes on what HTTP/2 has no room for, such as a status of 999.
      this.logger.warn('response cannot be sent in HTTP/2', { reason: errorText(error) });
      this.reset(stream);
      return true;
    }
  }

  #write(bytes: Buffer): boolean {
    let at = 0;
    while (!this.#responding) {
      const next = parseResponseHead(bytes, at, bytes.length, head);
      if (next <= 0) throw new Error('a response to be sent has no proper head');
      if (head.status >= 200) return this.#respond(bytes, next);
      this.#interim(bytes);
      at = next;
      if (at === bytes.length) return true;
    }
    return this.#send(this.unframe(bytes, at));
  }

  #interim(bytes: Buffer): void {
    if (head.status === 101) throw new Error('there is no change of protocol in HTTP/2');
    this.#stream.additionalHeaders(responseFields(bytes, head));
  }

  #respond(bytes: Buffer, next: number): boolean {
    const stream = this.#stream;
    const { content } = this;
    this.#responding = true;
    if ((stream as { headRequest?: boolean }).headRequest === true || head.status === 204 || head.status === 304) content.none();
    else if (head.chunked) content.chunkedWithTrailers();
    else if (head.contentLength >= 0) content.length(head.contentLength);
    else content.untilClose();
    const fields = responseFields(bytes, head);
    const data = this.unframe(bytes, next);
    const hasTrailers = content.done && content.trailers.length > 0;
    const endStream = content.done && data.length === 0 && !hasTrailers;
    const waitForTrailers = content.kind === 'chunked' && (!content.done || hasTrailers);
    if (waitForTrailers) this.sendTrailers(stream, () => trailerFields(content.trailers));
    stream.respond(fields, { endStream, waitForTrailers, sendDate: false } as Parameters<typeof stream.respond>[1]);
    return this.#send(data);
  }

  #send(data: Buffer): boolean {
    const stream = this.#stream;
    this.complete = this.content.done;
    if (this.complete && data.length > 0) stream.end(data);
    else if (this.complete) stream.end();
    else if (data.length > 0) stream.write(data);
    return !stream.writableNeedDrain;
  }

  override remoteAddress(): string {
    return this.#remoteAddress;
  }
}
