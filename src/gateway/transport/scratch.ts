import { readBufferBytes } from '#gateway/transport/transport.ts';

/** All wires without a private buffer read into this one: its content is valid only until the next read. */
export const sharedReadBuffer = Buffer.allocUnsafeSlow(readBufferBytes);

const smallBytes = 4 * 1024;
/** Room for a whole read behind a rewritten head. */
const largeBytes = readBufferBytes + 40 * 1024;

let small = Buffer.allocUnsafeSlow(smallBytes);
let large = Buffer.allocUnsafeSlow(largeBytes);

/**
 * Memory to put a message together in and hand to `Wire.write` at once; at least `bytes` long. It is reused by the next call, unless
 * a transport reported with `keepScratch` that a write still needs it.
 */
export function scratch(bytes: number): Buffer {
  if (bytes <= smallBytes) return small;
  return bytes <= largeBytes ? large : Buffer.allocUnsafeSlow(bytes);
}

/** A write that uses `bytes` has not finished: if they are scratch memory, the next caller gets other memory. */
export function keepScratch(bytes: Buffer): void {
  if (bytes.buffer === small.buffer) small = Buffer.allocUnsafeSlow(smallBytes);
  else if (bytes.buffer === large.buffer) large = Buffer.allocUnsafeSlow(largeBytes);
}

/** A copy of `bytes` in scratch memory. */
export function scratchCopy(bytes: Buffer): Buffer {
  const target = scratch(bytes.length);
  bytes.copy(target, 0);
  return target.subarray(0, bytes.length);
}
