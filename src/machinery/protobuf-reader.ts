/** A protobuf body that cannot be read; says where and why. */
export class ProtobufError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'ProtobufError';
  }
}

export type WireType = 0 | 1 | 2 | 5;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Reads the wire format of one message (protobuf encoding, wire types 0, 1, 2 and 5), never past its end. */
export class ProtobufReader {
  readonly #bytes: Uint8Array;
  #at = 0;
  /** Of the field last announced by `next`. */
  field = 0;
  wireType: WireType = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** Moves to the next field; false at the end. Its value must then be read or skipped. */
  next(): boolean {
    if (this.done) return false;
    const tag = this.#smallVarint();
    const wireType = tag % 8;
    this.field = Math.floor(tag / 8);
    if (this.field === 0) throw new ProtobufError('proto: illegal tag 0');
    if (wireType !== 0 && wireType !== 1 && wireType !== 2 && wireType !== 5)
      throw new ProtobufError(`proto: illegal wireType ${wireType}`);
    this.wireType = wireType;
    return true;
  }

  /** A signed 64-bit integer. */
  integer(): number {
    this.#expect(0);
    let value = 0;
    for (let shift = 0; shift < 49; shift += 7) {
      const byte = this.#byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    let high = 0n;
    for (let shift = 0n; shift < 21n; shift += 7n) {
      const byte = this.#byte();
      high |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number(BigInt.asIntN(64, BigInt(value) | (high << 49n)));
    }
    throw new ProtobufError('proto: integer overflow');
  }

  double(): number {
    this.#expect(1);
    const start = this.#take(8);
    return new DataView(this.#bytes.buffer, this.#bytes.byteOffset + start, 8).getFloat64(0, true);
  }

  /** The bytes of a message, string or bytes field; a view, not a copy. */
  bytes(): Uint8Array {
    this.#expect(2);
    const length = this.#smallVarint();
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  string(): string {
    const bytes = this.bytes();
    try {
      return utf8.decode(bytes);
    } catch (cause) {
      throw new ProtobufError(`proto: field ${this.field} contains invalid UTF-8`, cause);
    }
  }

  skip(): void {
    if (this.wireType === 0) this.integer();
    else if (this.wireType === 1) this.#take(8);
    else if (this.wireType === 5) this.#take(4);
    else this.bytes();
  }

  #expect(wireType: WireType): void {
    if (this.wireType !== wireType) throw new ProtobufError(`proto: wrong wireType = ${this.wireType} for field ${this.field}`);
  }

  /** A tag or a length: at most 32 bits. */
  #smallVarint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte >= 0x80) continue;
      if (value > 0x7fffffff) break;
      return value;
    }
    throw new ProtobufError('proto: integer overflow');
  }

  #byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw new ProtobufError('unexpected EOF');
    this.#at += 1;
    return byte;
  }

  #take(length: number): number {
    const start = this.#at;
    if (length > this.#bytes.length - start) throw new ProtobufError('unexpected EOF');
    this.#at = start + length;
    return start;
  }
}
