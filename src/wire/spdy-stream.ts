import { Duplex } from 'node:stream';
import { settleInto } from '#wire/callback.ts';
import { dataFrameHead, resetCodes, SpdyError } from '#wire/spdy-frames.ts';
import type { SpdyHeaders } from '#wire/spdy-headers.ts';
import type { SpdySession } from '#wire/spdy.ts';

/** One stream of a session. Ending its writable side half-closes it; destroying it resets it. */
export class SpdyStream extends Duplex {
  readonly id: number;
  readonly headers: SpdyHeaders;
  /** For SpdySession: bytes the far end still takes. */
  sendWindow: number;
  readonly #session: SpdySession;
  #isReplied = false;
  #remoteFin = false;
  #localFin = false;
  #resetCode: number | undefined = resetCodes.cancel;
  #unacknowledged = 0;
  #pending: { chunk: Buffer; callback: (error?: Error | null) => void } | undefined;
  #sending = false;
  #onDrained: (() => void) | undefined;

  constructor(session: SpdySession, id: number, headers: SpdyHeaders, sendWindow: number) {
    super({ allowHalfOpen: true, readableHighWaterMark: 64 * 1024, writableHighWaterMark: 64 * 1024 });
    this.#session = session;
    this.id = id;
    this.headers = headers;
    this.sendWindow = sendWindow;
    // A reset of the far end must not end the process where nobody looks; whoever reads or writes sees it.
    this.on('error', () => {});
  }

  override _read(): void {
    if (this.#unacknowledged > 0 && !this.#remoteFin) this.#session.consumed(this.id, this.#unacknowledged);
    this.#unacknowledged = 0;
    this.#onDrained?.();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#pending = { chunk, callback };
    void this.#pump();
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#localFin = true;
    void settleInto(this.#session.write(dataFrameHead(this.id, 0, true)), callback);
    this.#leaveWhenDone();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#onDrained?.();
    this.#session.remove(this, this.#remoteFin && this.#localFin ? undefined : this.#resetCode);
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.callback(error ?? new SpdyError('the stream has been destroyed'));
    callback(error);
  }

  /** With a SPDY reset code for the far end. */
  override destroy(error?: Error, resetCode?: number): this {
    if (resetCode !== undefined) this.#resetCode = resetCode;
    return super.destroy(error);
  }

  /** For SpdySession, as all below. */
  replied(): void {
    this.#isReplied = true;
    this.wake();
  }

  receive(bytes: Buffer, fin: boolean): void {
    if (this.#remoteFin || this.destroyed) return;
    if (bytes.length > 0) {
      this.#unacknowledged += bytes.length;
      // Below the mark nobody will call _read for more: acknowledge at once.
      if (this.push(bytes) && !fin) this._read();
    }
    if (!fin) return;
    this.#remoteFin = true;
    this.push(null);
    this.#leaveWhenDone();
  }

  wasReset(code: number): void {
    this.#resetCode = undefined;
    this.destroy(code === resetCodes.cancel ? undefined : new SpdyError(`the far end reset the stream (${code})`));
  }

  /** The connection is gone: an end for a reader that has all, an error for one that misses the rest. */
  cut(): void {
    this.#resetCode = undefined;
    if (!(this.#remoteFin && this.#localFin)) this.destroy(new SpdyError('the connection has ended'));
  }

  wake(): void {
    if (this.#pending !== undefined) void this.#pump();
  }

  /** Resolves when the reader has caught up, or the stream is gone. */
  drained(): Promise<void> {
    if (this.destroyed) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onDrained = () => {
        this.#onDrained = undefined;
        resolve();
      };
    });
  }

  async #pump(): Promise<void> {
    if (this.#sending || !this.#isReplied) return;
    this.#sending = true;
    try {
      while (this.#pending !== undefined) {
        const { chunk, callback } = this.#pending;
        const granted = this.#session.takeWindow(this, chunk.length);
        if (granted === 0) return;
        await this.#session.write(dataFrameHead(this.id, granted, false), chunk.subarray(0, granted));
        if (this.#pending === undefined) return;
        this.#pending.chunk = chunk.subarray(granted);
        if (granted < chunk.length) continue;
        this.#pending = undefined;
        callback();
      }
    } catch (error) {
      this.destroy(error as Error);
    } finally {
      this.#sending = false;
    }
  }

  #leaveWhenDone(): void {
    if (this.#remoteFin && this.#localFin) this.#session.remove(this, undefined);
  }
}
