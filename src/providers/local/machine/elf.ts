import { arm64Listing, assembled, x64Listing } from '#providers/local/machine/interpreter.ts';
import type { Architecture } from '#providers/local/machine/numbers.ts';

const loadAddress = 0x40_0000;
const headerBytes = 64;
const segmentBytes = 56;

/**
 * The launcher: a static ELF executable of a few hundred bytes without dependencies, so that it runs inside any image.
 * Layout: ELF64 header, one PT_LOAD segment (readable, executable), a PT_GNU_STACK that keeps the stack not executable, the code.
 */
export function launcherExecutable(architecture: Architecture): Buffer {
  const code = assembled(architecture === 'x64' ? x64Listing : arm64Listing);
  const start = headerBytes + 2 * segmentBytes;
  const file = Buffer.alloc(start + code.length);
  code.copy(file, start);
  Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]).copy(file);
  file.writeUInt16LE(2, 16); // ET_EXEC
  file.writeUInt16LE(architecture === 'x64' ? 62 : 183, 18); // EM_X86_64, EM_AARCH64
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(BigInt(loadAddress + start), 24); // entry
  file.writeBigUInt64LE(BigInt(headerBytes), 32); // program headers
  file.writeUInt16LE(headerBytes, 52);
  file.writeUInt16LE(segmentBytes, 54);
  file.writeUInt16LE(2, 56);
  const load = headerBytes;
  file.writeUInt32LE(1, load); // PT_LOAD
  file.writeUInt32LE(5, load + 4); // R + X
  for (const at of [load + 16, load + 24]) file.writeBigUInt64LE(BigInt(loadAddress), at);
  for (const at of [load + 32, load + 40]) file.writeBigUInt64LE(BigInt(file.length), at);
  file.writeBigUInt64LE(0x10000n, load + 48); // 64 KiB: the largest page size of arm64
  const stack = headerBytes + segmentBytes;
  file.writeUInt32LE(0x6474_e551, stack); // PT_GNU_STACK
  file.writeUInt32LE(6, stack + 4); // R + W
  return file;
}
