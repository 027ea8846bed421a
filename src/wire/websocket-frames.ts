import { randomFillSync } from 'node:crypto';

/** RFC 6455 §11.8. */
export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface WebSocketFrame {
  readonly opcode: number;
  readonly final: boolean;
  readonly payload: Buffer;
}

/** What the far end did against the protocol; `code` is the close code to answer it with (RFC 6455 §7.4). */
export class WebSocketError extends Error {
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.name = 'WebSocketError';
    this.code = code;
  }
}

export interface FrameReaderOptions {
  /** Servers demand masked frames, clients unmasked ones (§5.1). */
  readonly masked: boolean;
  readonly maxFrameBytes: number;
}

/** Cuts a byte stream into frames, wherever its chunks begin and end. Throws WebSocketError on what is no frame. */
export class WebSocketFrameReader {
  readonly #options: FrameReaderOptions;
  #chunks: Buffer[] = [];
  #size = 0;

  constructor(options: FrameReaderOptions) {
    this.#options = options;
  }

  push(chunk: Uint8Array): WebSocketFrame[] {
    this.#chunks.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    this.#size += chunk.byteLength;
    const frames: WebSocketFrame[] = [];
    for (let frame = this.#next(); frame !== undefined; frame = this.#next()) frames.push(frame);
    return frames;
  }

  #next(): WebSocketFrame | undefined {
    const head = this.#peek(14);
    if (head.length < 2) return undefined;
    const [first = 0, second = 0] = head;
    const short = second & 0x7f;
    const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
    this.#check(first, second, short);
    const masked = (second & 0x80) !== 0;
    const headBytes = 2 + lengthBytes + (masked ? 4 : 0);
    if (head.length < headBytes) return undefined;
    const length = lengthBytes === 0 ? short : lengthBytes === 2 ? head.readUInt16BE(2) : Number(head.readBigUInt64BE(2));
    if (length > this.#options.maxFrameBytes) throw new WebSocketError(1009, `a frame of ${length} bytes is too large`);
    if (this.#size < headBytes + length) return undefined;
    const whole = this.#take(headBytes + length);
    const payload = whole.subarray(headBytes);
    if (masked) applyMask(payload, whole.subarray(headBytes - 4, headBytes));
    return { opcode: first & 0x0f, final: (first & 0x80) !== 0, payload };
  }

  #check(first: number, second: number, short: number): void {
    if ((first & 0x70) !== 0) throw new WebSocketError(1002, 'reserved bits are set');
    const opcode = first & 0x0f;
    if (opcode > opcodes.pong || (opcode > opcodes.binary && opcode < opcodes.close))
      throw new WebSocketError(1002, `unknown opcode ${opcode}`);
    if (((second & 0x80) !== 0) !== this.#options.masked)
      throw new WebSocketError(1002, this.#options.masked ? 'the frame is not masked' : 'the frame is masked');
    if (opcode >= opcodes.close && ((first & 0x80) === 0 || short > 125))
      throw new WebSocketError(1002, 'a control frame is fragmented or too long');
  }

  /** Up to `bytes` from the front, without taking them. */
  #peek(bytes: number): Buffer {
    const [first] = this.#chunks;
    if (first === undefined) return Buffer.alloc(0);
    if (first.length >= bytes || this.#chunks.length === 1) return first.subarray(0, bytes);
    return Buffer.concat(this.#chunks).subarray(0, bytes);
  }

  /** A private copy, since payloads are unmasked in place. */
  #take(bytes: number): Buffer {
    const taken = Buffer.allocUnsafe(bytes);
    let filled = 0;
    while (filled < bytes) {
      const chunk = this.#chunks[0];
      if (chunk === undefined) break;
      const part = chunk.subarray(0, bytes - filled);
      part.copy(taken, filled);
      filled += part.length;
      if (part.length === chunk.length) this.#chunks.shift();
      else this.#chunks[0] = chunk.subarray(part.length);
    }
    this.#size -= bytes;
    return taken;
  }
}

/** One frame; clients mask theirs with a fresh key. */
export function encodeWebSocketFrame(opcode: number, payload: Uint8Array, options: { masked: boolean; final?: boolean }): Buffer {
  const { length } = payload;
  const lengthBytes = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const headBytes = 2 + lengthBytes + (options.masked ? 4 : 0);
  const frame = Buffer.allocUnsafe(headBytes + length);
  frame[0] = ((options.final ?? true) ? 0x80 : 0) | opcode;
  frame[1] = (options.masked ? 0x80 : 0) | (lengthBytes === 0 ? length : lengthBytes === 2 ? 126 : 127);
  if (lengthBytes === 2) frame.writeUInt16BE(length, 2);
  if (lengthBytes === 8) frame.writeBigUInt64BE(BigInt(length), 2);
  frame.set(payload, headBytes);
  if (options.masked) {
    const key = randomFillSync(frame.subarray(headBytes - 4, headBytes));
    applyMask(frame.subarray(headBytes), key);
  }
  return frame;
}

function applyMask(payload: Buffer, key: Uint8Array): void {
  for (let index = 0; index < payload.length; index += 1) payload[index] = (payload[index] ?? 0) ^ (key[index & 3] ?? 0);
}
