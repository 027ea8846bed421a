const hexDigits = Buffer.from('0123456789abcdef');
const recent = Buffer.alloc(32);

/** Writes `words` random 32-bit words as lower-case hex. Unique enough to tell requests apart, not a secret. */
function writeRandomHex(target: Buffer, at: number, words: number): number {
  let position = at;
  for (let word = 0; word < words; word++) {
    let bits = (Math.random() * 0x1_0000_0000) >>> 0;
    for (let digit = 0; digit < 8; digit++) {
      target[position++] = hexDigits[bits & 15] as number;
      bits >>>= 4;
    }
  }
  return position;
}

/** Writes a new trace id (32 hex digits); `writeSameId` writes it again. */
export function writeTraceId(target: Buffer, at: number): number {
  writeRandomHex(recent, 0, 4);
  return writeSameId(target, at);
}

export function writeSameId(target: Buffer, at: number): number {
  for (let index = 0; index < 32; index++) target[at + index] = recent[index] as number;
  return at + 32;
}

export function writeSpanId(target: Buffer, at: number): number {
  return writeRandomHex(target, at, 2);
}
