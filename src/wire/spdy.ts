import type { Duplex } from 'node:stream';
import { Mutex } from '#core/async.ts';
import {
  controlFrame,
  finFlag,
  frameTypes,
  initialWindowSetting,
  resetCodes,
  SpdyError,
  SpdyFrameReader,
  words,
  type SpdyFrame,
} from '#wire/spdy-frames.ts';
import { HeaderCodec, type SpdyHeaders } from '#wire/spdy-headers.ts';
import { SpdyStream } from '#wire/spdy-stream.ts';

export interface SpdySessionOptions {
  readonly role: 'server' | 'client';
  /** Bytes that came behind the handshake. */
  readonly head?: Uint8Array;
  /** A stream the far end has opened. */
  readonly onStream?: (stream: SpdyStream) => void;
  /** Open streams beyond this many are refused. */
  readonly maxStreams?: number;
}

const protocolWindow = 64 * 1024;
/** What we let the far end send ahead on one stream. */
const ownWindow = 256 * 1024;
const maxDataBytes = 32 * 1024;
/** Unread bytes of a stream at which the whole connection is read no further, towards a peer that keeps no windows. */
const pauseBytes = 1024 * 1024;
/** Replies (to pings, to streams that are refused, to data that was read) not yet sent at which the far end is read no further. */
const maxUnsentReplyBytes = 64 * 1024;
const maxId = 0x7fff_ffff;
/** How long after our end the far end may go on before the connection is cut. */
const lingerMs = 2000;

/**
 * A SPDY/3.1 session over any byte stream. Streams are Node duplexes with half-close. Windows (per stream and for the session) bind
 * us towards a peer that has shown that it keeps them, by SETTINGS or WINDOW_UPDATE; the implementation in Kubernetes' Go clients
 * neither sends nor counts them, and would wait for ever. Towards such a peer the connection itself holds back.
 */
export class SpdySession {
  readonly #socket: Duplex;
  readonly #role: 'server' | 'client';
  readonly #onStream: (stream: SpdyStream) => void;
  readonly #maxStreams: number;
  readonly #codec = new HeaderCodec();
  readonly #reader = new SpdyFrameReader();
  readonly #streams = new Map<number, SpdyStream>();
  /** Header blocks must reach the wire in the order they were compressed in. */
  readonly #order = new Mutex();
  readonly #closed = Promise.withResolvers<void>();
  #nextId: number;
  #lastRemoteId = 0;
  #peerKeepsWindows = false;
  #peerInitialWindow = protocolWindow;
  #sendWindow = protocolWindow;
  #goneAway = false;
  #ended = false;
  #unsentReplyBytes = 0;
  #lastReply = Promise.resolve();

  constructor(socket: Duplex, options: SpdySessionOptions) {
    this.#socket = socket;
    this.#role = options.role;
    this.#onStream = options.onStream ?? ((stream) => stream.destroy());
    this.#maxStreams = options.maxStreams ?? 1000;
    this.#nextId = options.role === 'client' ? 1 : 2;
    socket.on('error', () => {});
    if (options.role === 'client') this.#announceWindows();
    void this.#run(options.head);
  }

  /** Resolves when the connection has ended, for whatever reason; all streams have ended by then. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** Opens a stream. Its data waits for the far end's SYN_REPLY. Throws when the session is ending. */
  open(headers: SpdyHeaders): SpdyStream {
    if (this.#ended || this.#goneAway || this.#nextId > maxId) throw new SpdyError('the session takes no more streams');
    const id = this.#nextId;
    this.#nextId += 2;
    const stream = this.#addStream(id, headers, false);
    void this.#order
      .run(async () => {
        const block = await this.#codec.encode(headers);
        await this.write(controlFrame(frameTypes.synStream, 0, Buffer.concat([words(id, 0), Buffer.alloc(2), block])));
      })
      .catch((error: unknown) => stream.destroy(error as Error));
    return stream;
  }

  /** Ends the session in order: GOAWAY, then the connection once what is written has been sent. Open streams are cut. */
  async close(): Promise<void> {
    if (this.#ended) return;
    this.#goneAway = true;
    await this.#order.run(() => this.write(controlFrame(frameTypes.goAway, 0, words(this.#lastRemoteId, 0)))).catch(() => {});
    this.#finish();
  }

  /** For SpdyStream. Resolves when the connection has taken the bytes. */
  write(...parts: readonly Uint8Array[]): Promise<void> {
    if (this.#ended) return Promise.reject(new SpdyError('the session has ended'));
    return new Promise((resolve, reject) => {
      this.#socket.write(parts.length === 1 ? parts[0] : Buffer.concat(parts), (error) => (error ? reject(error) : resolve()));
    });
  }

  /** For SpdyStream: how many of `wanted` bytes may go now; takes them from the windows. */
  takeWindow(stream: SpdyStream, wanted: number): number {
    const most = Math.min(wanted, maxDataBytes);
    const granted = this.#peerKeepsWindows ? Math.max(0, Math.min(most, this.#sendWindow, stream.sendWindow)) : most;
    this.#sendWindow -= granted;
    stream.sendWindow -= granted;
    return granted;
  }

  /** For SpdyStream: the reader has taken bytes, so the far end may send as many more. */
  consumed(streamId: number, bytes: number): void {
    if (this.#peerKeepsWindows) this.#reply(frameTypes.windowUpdate, words(streamId, bytes));
  }

  /** For SpdyStream. */
  remove(stream: SpdyStream, resetCode: number | undefined): void {
    if (!this.#streams.delete(stream.id) || this.#ended) return;
    if (resetCode !== undefined) this.#reset(stream.id, resetCode);
    if (this.#goneAway && this.#streams.size === 0) this.#socket.end();
  }

  #announceWindows(): void {
    this.#reply(frameTypes.settings, Buffer.concat([words(1), words(initialWindowSetting), words(ownWindow)]));
  }

  /** Sends what nobody waits for. A far end that makes us reply and does not read is not listened to (`#take`). */
  #reply(type: number, payload: Uint8Array): void {
    if (this.#ended) return;
    const frame = controlFrame(type, 0, payload);
    this.#unsentReplyBytes += frame.length;
    const sent = () => {
      this.#unsentReplyBytes -= frame.length;
    };
    this.#lastReply = this.write(frame).then(sent, sent);
  }

  async #run(head: Uint8Array | undefined): Promise<void> {
    try {
      if (head !== undefined && head.length > 0) await this.#take(head);
      const chunks = this.#socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
      for await (const chunk of chunks) await this.#take(chunk);
    } catch (error) {
      if (error instanceof SpdyError && !this.#ended) {
        await this.write(controlFrame(frameTypes.goAway, 0, words(this.#lastRemoteId, 1))).catch(() => {});
      }
    }
    this.#finish();
  }

  /** Cuts the streams and ends our side. The far end's rest is read and dropped for a while: closing over unread data would make it lose ours. */
  #finish(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const stream of this.#streams.values()) stream.cut();
    this.#streams.clear();
    this.#codec.close();
    this.#socket.end();
    setTimeout(() => this.#socket.destroy(), lingerMs).unref();
    this.#closed.resolve();
  }

  async #take(chunk: Uint8Array): Promise<void> {
    if (this.#ended) return;
    for (const frame of this.#reader.push(chunk)) {
      if (frame.kind === 'data') await this.#takeData(frame);
      else await this.#takeControl(frame.type, frame.flags, frame.payload);
      while (this.#unsentReplyBytes > maxUnsentReplyBytes) await this.#lastReply;
    }
  }

  async #takeData(frame: SpdyFrame & { kind: 'data' }): Promise<void> {
    // One window for all streams would let one slow reader hold up the others: each stream's own bounds what is kept.
    if (frame.bytes.length > 0) this.consumed(0, frame.bytes.length);
    const stream = this.#streams.get(frame.streamId);
    if (stream === undefined) return;
    stream.receive(frame.bytes, frame.fin);
    if (!this.#peerKeepsWindows && stream.readableLength > pauseBytes) await stream.drained();
    else if (this.#peerKeepsWindows && stream.readableLength > 4 * ownWindow) {
      stream.destroy(new SpdyError('the far end overran its window'), resetCodes.flowControlError);
    }
  }

  async #takeControl(type: number, flags: number, payload: Buffer): Promise<void> {
    if (type === frameTypes.settings) return this.#takeSettings(payload);
    const need = type === frameTypes.synStream ? 10 : type === frameTypes.rstStream || type === frameTypes.windowUpdate ? 8 : 4;
    if (payload.length < need) throw new SpdyError(`a control frame of type ${type} is cut off`);
    const id = payload.readUInt32BE(0) & maxId;
    const fin = (flags & finFlag) !== 0;
    if (type === frameTypes.synStream) await this.#takeSynStream(id, fin, payload.subarray(10));
    else if (type === frameTypes.synReply || type === frameTypes.headers) {
      // The block belongs to the compression state even when nobody wants its headers.
      await this.#codec.decode(payload.subarray(4));
      this.#streams.get(id)?.replied();
      if (fin) this.#streams.get(id)?.receive(Buffer.alloc(0), true);
    } else if (type === frameTypes.rstStream) this.#streams.get(id)?.wasReset(payload.readUInt32BE(4));
    else if (type === frameTypes.ping) this.#takePing(payload);
    else if (type === frameTypes.goAway) this.#takeGoAway();
    else if (type === frameTypes.windowUpdate) this.#takeWindowUpdate(id, payload.readUInt32BE(4) & maxId);
  }

  async #takeSynStream(id: number, fin: boolean, block: Buffer): Promise<void> {
    const headers = await this.#codec.decode(block);
    const parity = this.#role === 'server' ? 1 : 0;
    if (id === 0 || id % 2 !== parity || id <= this.#lastRemoteId) throw new SpdyError(`stream id ${id} is out of order`);
    this.#lastRemoteId = id;
    if (this.#goneAway || this.#streams.size >= this.#maxStreams) return this.#reset(id, resetCodes.refusedStream);
    const stream = this.#addStream(id, headers, true);
    await this.#order.run(async () => {
      const empty = await this.#codec.encode({});
      await this.write(controlFrame(frameTypes.synReply, 0, Buffer.concat([words(id), empty])));
    });
    if (fin) stream.receive(Buffer.alloc(0), true);
    this.#onStream(stream);
  }

  #takeSettings(payload: Buffer): void {
    const count = payload.length >= 4 ? payload.readUInt32BE(0) : 0;
    if (payload.length < 4 + count * 8) throw new SpdyError('a SETTINGS frame is cut off');
    this.#keepWindows();
    for (let at = 4; at < 4 + count * 8; at += 8) {
      if (payload.readUIntBE(at + 1, 3) !== initialWindowSetting) continue;
      const window = payload.readUInt32BE(at + 4) & maxId;
      for (const stream of this.#streams.values()) stream.sendWindow += window - this.#peerInitialWindow;
      this.#peerInitialWindow = window;
    }
    this.#wake();
  }

  /** From now on windows count, in both directions. */
  #keepWindows(): void {
    if (this.#peerKeepsWindows) return;
    this.#peerKeepsWindows = true;
    if (this.#role === 'server') this.#announceWindows();
  }

  #takeWindowUpdate(id: number, delta: number): void {
    this.#keepWindows();
    const stream = this.#streams.get(id);
    const window = (id === 0 ? this.#sendWindow : (stream?.sendWindow ?? 0)) + delta;
    if (window > maxId) {
      if (id === 0) throw new SpdyError('the session window overflows');
      stream?.destroy(new SpdyError('the window overflows'), resetCodes.flowControlError);
      return;
    }
    if (id === 0) this.#sendWindow = window;
    else if (stream !== undefined) stream.sendWindow = window;
    this.#wake();
  }

  #takePing(payload: Buffer): void {
    const ours = this.#role === 'client' ? 1 : 0;
    if (payload.readUInt32BE(0) % 2 !== ours) this.#reply(frameTypes.ping, payload.subarray(0, 4));
  }

  #takeGoAway(): void {
    this.#goneAway = true;
    if (this.#streams.size === 0) this.#socket.end();
  }

  #wake(): void {
    for (const stream of this.#streams.values()) stream.wake();
  }

  #addStream(id: number, headers: SpdyHeaders, replied: boolean): SpdyStream {
    const stream = new SpdyStream(this, id, headers, this.#peerInitialWindow);
    if (replied) stream.replied();
    this.#streams.set(id, stream);
    return stream;
  }

  #reset(id: number, code: number): void {
    this.#reply(frameTypes.rstStream, words(id, code));
  }
}
