import type { Architecture } from '#providers/local/machine/numbers.ts';
import { clone, clone3, highestKnownCall, numberOf, personality, refusedCalls, socket } from '#providers/local/seccomp/profile.ts';

/** Classic BPF: load a word of seccomp_data, compare, return. */
const loadWord = 0x20;
const jumpEqual = 0x15;
const jumpGreater = 0x25;
const jumpAnyBit = 0x45;
const answer = 0x06;
const allow = 0x7fff_0000;
const errno = (number: number) => 0x5_0000 + number;
const notPermitted = 1;
const familyNotSupported = 97;
const notImplemented = 38;
const auditArchitecture: Readonly<Record<Architecture, number>> = { x64: 0xc000_003e, arm64: 0xc000_00b7 };
const numberOffset = 0;
const architectureOffset = 4;
const firstArgumentOffset = 16;

type Instruction = readonly [code: number, yes: number, no: number, operand: number];

/**
 * The default profile as a BPF program for seccomp(2). Another architecture's calls and those younger than the profile answer ENOSYS, refused ones
 * EPERM. Everything but four calls is decided by the number alone, so the kernel remembers the decisions and the filter costs nothing.
 */
export function defaultFilter(architecture: Architecture, capabilities: readonly string[]): Buffer {
  const trusted = capabilities.includes('SYS_ADMIN');
  const program: Instruction[] = [
    [loadWord, 0, 0, architectureOffset],
    [jumpEqual, 1, 0, auditArchitecture[architecture]],
    [answer, 0, 0, errno(notImplemented)],
    [loadWord, 0, 0, numberOffset],
    [jumpGreater, 0, 1, highestKnownCall],
    [answer, 0, 0, errno(notImplemented)],
  ];
  const numbers = Object.values(refusedCalls(capabilities)).map((pair) => numberOf(pair, architecture));
  for (const number of numbers) {
    if (number >= 0) program.push([jumpEqual, 0, 1, number], [answer, 0, 0, errno(notPermitted)]);
  }
  if (!trusted) {
    program.push([jumpEqual, 0, 1, numberOf(clone3, architecture)], [answer, 0, 0, errno(notImplemented)]);
    program.push(...whenCalled(clone.numbers, architecture, [jumpAnyBit, 0, 1, clone.namespaceFlags], errno(notPermitted)));
  }
  program.push(...whenCalled(socket.numbers, architecture, [jumpEqual, 0, 1, socket.refusedFamily], errno(familyNotSupported)));
  program.push(...personalityRule(architecture));
  program.push([answer, 0, 0, allow]);
  return encode(program);
}

/** For one call: test its first argument, answer when the test holds, go on otherwise (with the number loaded again). */
function whenCalled(numbers: readonly [number, number], architecture: Architecture, test: Instruction, result: number): Instruction[] {
  return [
    [jumpEqual, 0, 4, numberOf(numbers, architecture)],
    [loadWord, 0, 0, firstArgumentOffset],
    test,
    [answer, 0, 0, result],
    [loadWord, 0, 0, numberOffset],
  ];
}

function personalityRule(architecture: Architecture): Instruction[] {
  const { allowed } = personality;
  const tests = allowed.map((value, index): Instruction => [jumpEqual, allowed.length - index, 0, value]);
  return [
    [jumpEqual, 0, allowed.length + 2, numberOf(personality.numbers, architecture)],
    [loadWord, 0, 0, firstArgumentOffset],
    ...tests,
    [answer, 0, 0, errno(notPermitted)],
  ];
}

function encode(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8);
  for (const [index, [code, yes, no, operand]] of program.entries()) {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(yes, index * 8 + 2);
    bytes.writeUInt8(no, index * 8 + 3);
    bytes.writeUInt32LE(operand >>> 0, index * 8 + 4);
  }
  return bytes;
}
