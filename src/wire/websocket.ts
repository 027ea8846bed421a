import { createHash } from 'node:crypto';
import { Duplex } from 'node:stream';
import { settleInto } from '#wire/callback.ts';
import { encodeWebSocketFrame, opcodes, WebSocketError, WebSocketFrameReader, type WebSocketFrame } from '#wire/websocket-frames.ts';

export interface WebSocketMessage {
  readonly data: Buffer;
}

export interface WebSocketOptions {
  readonly role: 'server' | 'client';
  /** Bytes that came behind the handshake. */
  readonly head?: Uint8Array;
  readonly maxMessageBytes?: number;
}

const defaultMaxMessageBytes = 4 * 2 ** 20;
/** Each fragment costs more memory than its bytes. */
const maxFragments = 4096;
/** How long the far end may take to answer a close before the connection is cut. */
const closeTimeoutMs = 2000;

/** `Sec-WebSocket-Accept` for a key (RFC 6455 §4.2.2). */
export function acceptKey(key: string): string {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}

/**
 * A WebSocket over a connection whose handshake is done. Reading goes at the pace of whoever iterates `messages`; `send`
 * resolves when the connection has taken the bytes. Pings are answered while messages are read. No extensions.
 */
export class WebSocketConnection {
  readonly #socket: Duplex;
  readonly #role: 'server' | 'client';
  readonly #maxMessageBytes: number;
  readonly #reader: WebSocketFrameReader;
  readonly #head: Uint8Array | undefined;
  #fragments: Buffer[] = [];
  #fragmentsBytes = 0;
  #closeSent = false;
  #closed: { code: number; reason: string } | undefined;

  constructor(socket: Duplex, options: WebSocketOptions) {
    this.#socket = socket;
    this.#role = options.role;
    this.#head = options.head;
    this.#maxMessageBytes = options.maxMessageBytes ?? defaultMaxMessageBytes;
    this.#reader = new WebSocketFrameReader({ masked: options.role === 'server', maxFrameBytes: this.#maxMessageBytes });
    // Every failure also ends the reading; without a listener it would end the process.
    socket.on('error', () => {});
  }

  /** What the far end closed with, once it has; 1006 when the connection just broke. */
  get closed(): { readonly code: number; readonly reason: string } | undefined {
    return this.#closed;
  }

  /** Whole messages, until the far end closes or the connection ends. Throws WebSocketError on a violation. Iterate once. */
  async *messages(): AsyncIterable<WebSocketMessage> {
    try {
      for await (const chunk of this.#chunks()) {
        for (const frame of this.#reader.push(chunk)) {
          const message = await this.#handle(frame);
          if (message !== undefined) yield message;
          if (this.#closed !== undefined) return;
        }
      }
      this.#closed ??= { code: 1006, reason: '' };
    } catch (error) {
      this.#closed ??= { code: 1006, reason: '' };
      if (error instanceof WebSocketError) {
        await this.close(error.code, error.message);
        throw error;
      }
      // A reset connection is an end like any other: there is nobody left to tell.
    } finally {
      this.#socket.end();
      setTimeout(() => this.#socket.destroy(), closeTimeoutMs).unref();
    }
  }

  /** As a binary message. */
  async send(data: Uint8Array): Promise<void> {
    if (this.#closeSent) throw new Error('the WebSocket is closed');
    await this.#write(opcodes.binary, data);
  }

  /** Says goodbye, once; never rejects. The far end's answer ends `messages`; a far end that gives none is cut off. */
  async close(code = 1000, reason = ''): Promise<void> {
    if (this.#closeSent) return;
    const payload = Buffer.alloc(2 + Math.min(123, Buffer.byteLength(reason)));
    payload.writeUInt16BE(code, 0);
    payload.write(reason, 2);
    const sent = this.#write(opcodes.close, payload);
    this.#closeSent = true;
    setTimeout(() => this.#socket.destroy(), closeTimeoutMs).unref();
    await sent.catch(() => {});
  }

  async *#chunks(): AsyncIterable<Uint8Array> {
    if (this.#head !== undefined && this.#head.length > 0) yield this.#head;
    // Kept open when reading stops early: the close frame has still to go out.
    yield* this.#socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
  }

  async #handle({ opcode, payload, final }: WebSocketFrame): Promise<WebSocketMessage | undefined> {
    if (opcode === opcodes.ping) {
      if (!this.#closeSent) await this.#write(opcodes.pong, payload);
      return undefined;
    }
    if (opcode === opcodes.pong) return undefined;
    if (opcode === opcodes.close) {
      if (payload.length === 1) throw new WebSocketError(1002, 'a close code is cut off');
      const code = payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
      this.#closed = { code, reason: payload.subarray(2).toString() };
      await this.close(code === 1005 ? 1000 : code);
      return undefined;
    }
    return this.#assemble(opcode, payload, final);
  }

  #assemble(opcode: number, payload: Buffer, final: boolean): WebSocketMessage | undefined {
    const continues = opcode === opcodes.continuation;
    if (continues !== this.#fragments.length > 0) {
      throw new WebSocketError(1002, continues ? 'a continuation of nothing' : 'a message begins inside another');
    }
    this.#fragmentsBytes += payload.length;
    if (this.#fragmentsBytes > this.#maxMessageBytes || this.#fragments.length >= maxFragments)
      throw new WebSocketError(1009, 'the message is too large');
    this.#fragments.push(payload);
    if (!final) return undefined;
    const data = this.#fragments.length === 1 ? payload : Buffer.concat(this.#fragments);
    this.#fragments = [];
    this.#fragmentsBytes = 0;
    return { data };
  }

  #write(opcode: number, payload: Uint8Array): Promise<void> {
    const frame = encodeWebSocketFrame(opcode, payload, { masked: this.#role === 'client' });
    return new Promise((resolve, reject) => {
      this.#socket.write(frame, (error) => (error ? reject(error) : resolve()));
    });
  }
}

/** The binary messages of a WebSocket as one byte stream; for protocols tunnelled in it. Ending it closes the WebSocket. */
export function webSocketDuplex(socket: WebSocketConnection): Duplex {
  const messages = socket.messages()[Symbol.asyncIterator]();
  return new Duplex({
    read() {
      messages.next().then(
        ({ done, value }) => this.push(done ? null : value.data),
        (error: unknown) => this.destroy(error as Error),
      );
    },
    write(chunk: Buffer, _encoding, callback) {
      void settleInto(socket.send(chunk), callback);
    },
    final(callback) {
      void settleInto(socket.close(), callback);
    },
    destroy(error, callback) {
      void settleInto(socket.close(error === null ? 1000 : 1011), callback, error);
    },
  });
}
