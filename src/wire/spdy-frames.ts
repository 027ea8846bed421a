/** SPDY/3.1 control frame types. */
export const frameTypes = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  headers: 8,
  windowUpdate: 9,
} as const;
export const finFlag = 1;

/** RST_STREAM status codes. */
export const resetCodes = {
  refusedStream: 3,
  cancel: 5,
  flowControlError: 7,
} as const;

/** SETTINGS id of the initial window of streams. */
export const initialWindowSetting = 7;

export type SpdyFrame =
  | { readonly kind: 'control'; readonly type: number; readonly flags: number; readonly payload: Buffer }
  /** A piece of a data frame, as it arrives; `fin` comes with the last piece of the last frame. */
  | { readonly kind: 'data'; readonly streamId: number; readonly bytes: Buffer; readonly fin: boolean };

export class SpdyError extends Error {
  override readonly name = 'SpdyError';
}

const maxControlBytes = 256 * 1024;

/** Cuts a byte stream into frames, wherever its chunks begin and end. Data is passed on at once and never collected. */
export class SpdyFrameReader {
  #pending: Buffer = Buffer.alloc(0);
  #data: { streamId: number; left: number; fin: boolean } | undefined;

  push(chunk: Uint8Array): SpdyFrame[] {
    const incoming = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let rest = this.#pending.length === 0 ? incoming : Buffer.concat([this.#pending, incoming]);
    const frames: SpdyFrame[] = [];
    for (;;) {
      const used = this.#data === undefined ? this.#readHead(rest, frames) : this.#readData(rest, frames);
      if (used === 0) break;
      rest = rest.subarray(used);
    }
    this.#pending = rest;
    return frames;
  }

  #readData(rest: Buffer, frames: SpdyFrame[]): number {
    const data = this.#data;
    if (data === undefined || rest.length === 0) return 0;
    const bytes = rest.subarray(0, data.left);
    data.left -= bytes.length;
    frames.push({ kind: 'data', streamId: data.streamId, bytes, fin: data.fin && data.left === 0 });
    if (data.left === 0) this.#data = undefined;
    return bytes.length;
  }

  #readHead(rest: Buffer, frames: SpdyFrame[]): number {
    if (rest.length < 8) return 0;
    const word = rest.readUInt32BE(0);
    const flags = rest.readUInt8(4);
    const length = rest.readUIntBE(5, 3);
    if (word >>> 31 === 0) {
      const fin = (flags & finFlag) !== 0;
      if (length === 0) frames.push({ kind: 'data', streamId: word, bytes: Buffer.alloc(0), fin });
      else this.#data = { streamId: word, left: length, fin };
      return 8;
    }
    const version = (word >>> 16) & 0x7fff;
    if (version !== 3) throw new SpdyError(`SPDY version ${version} is not supported`);
    if (length > maxControlBytes) throw new SpdyError(`a control frame of ${length} bytes is too large`);
    if (rest.length < 8 + length) return 0;
    frames.push({ kind: 'control', type: word & 0xffff, flags, payload: Buffer.from(rest.subarray(8, 8 + length)) });
    return 8 + length;
  }
}

export function controlFrame(type: number, flags: number, payload: Uint8Array): Buffer {
  const frame = Buffer.alloc(8 + payload.length);
  frame.writeUInt32BE((0x8003_0000 | type) >>> 0, 0);
  frame.writeUInt8(flags, 4);
  frame.writeUIntBE(payload.length, 5, 3);
  frame.set(payload, 8);
  return frame;
}

export function dataFrameHead(streamId: number, length: number, fin: boolean): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(streamId, 0);
  head.writeUInt8(fin ? finFlag : 0, 4);
  head.writeUIntBE(length, 5, 3);
  return head;
}

/** Big-endian 32-bit words: the payload of the fixed control frames. */
export function words(...values: readonly number[]): Buffer {
  const buffer = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) buffer.writeUInt32BE(value >>> 0, index * 4);
  return buffer;
}
