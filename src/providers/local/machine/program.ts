import { systemCallNumber, type Architecture, type SystemCall } from '#providers/local/machine/numbers.ts';

/** Where the launcher maps the program: far from its own code at 4 MiB and from everything the kernel places. */
export const baseAddress = 0x2000_0000;
const headerBytes = 16;
const recordBytes = 72;
const failedRecordOffset = 4;
const entryOffset = 12;
/** Added to the failed record's address by a program that another program starts, so that one report tells them apart. */
const nestedMark = 0x1000_0000;

/** An argument: a number, or the 32-bit integer that lies at an address when the step is executed. */
export type Argument = number | bigint | Loaded;
export interface Loaded {
  readonly load: number;
}
export function load(address: number): Loaded {
  return { load: address };
}

/** A place in the program that steps can jump to. */
export interface Label {
  record: number | undefined;
}

type Condition = 'never' | 'always' | 'negative' | 'equals' | 'equalsLoaded';
const conditionCodes: Readonly<Record<Condition, number>> = { never: 0, always: 1, negative: 2, equals: 3, equalsLoaded: 4 };

interface Step {
  readonly number: number;
  readonly arguments: readonly Argument[];
  readonly store: number;
  readonly condition: Condition;
  readonly operand: number;
  readonly target: Label | undefined;
  readonly what: string;
}

export interface StepOptions {
  /** Address of a slot that receives the (32-bit) result. */
  readonly store?: number;
  /** What a negative result does: end in the failure block (default), be ignored, or jump. */
  readonly onError?: 'fail' | 'ignore' | Label;
  /** What the step does, for the error message; default: the system call's name. */
  readonly what?: string;
}

/** A failed step, as the failure block reports it: which, and the kernel's error number. */
export interface ProgramFailure {
  readonly what: string;
  readonly errno: number;
}

/**
 * Builds a program for the launcher: a list of system calls with their arguments, executed in order, with conditional jumps. So the
 * set-up of a container is data made in TypeScript; no compiler and no external command takes part in it.
 *
 * File layout (little endian; addresses absolute, the file is mapped at `baseAddress`):
 * header: 0 reserved, 4 address of the record that failed, 8 its result, 12 address of the first record; data; records.
 * Record of 72 bytes: 0 i32 system call, or −1: add the first two arguments; 4 u8 bit per argument to be loaded from memory;
 * 5 u8 condition; 8 u32 address to jump to; 12 u32 address where the result is stored, or 0; 16 i64 × 6 arguments; 64 i32 operand.
 */
export class Program {
  readonly architecture: Architecture;
  /** A program that this one starts in another process, whose failures come in the same report. */
  nested: Program | undefined;
  readonly #steps: Step[] = [];
  readonly #data: Buffer[] = [];
  readonly #texts = new Map<string, number>();
  readonly #failure: Label = { record: undefined };
  #dataBytes = 0;

  constructor(architecture: Architecture) {
    this.architecture = architecture;
  }

  /** Places bytes, 8-byte aligned, and returns their address. */
  bytes(content: Uint8Array): number {
    const address = baseAddress + headerBytes + this.#dataBytes;
    const padded = Buffer.alloc(Math.ceil(content.length / 8) * 8);
    padded.set(content);
    this.#data.push(padded);
    this.#dataBytes += padded.length;
    return address;
  }

  /** Address of a NUL-terminated string; equal strings share one. */
  text(value: string): number {
    const known = this.#texts.get(value);
    if (known !== undefined) return known;
    const address = this.bytes(Buffer.from(`${value}\0`));
    this.#texts.set(value, address);
    return address;
  }

  /** Room for a buffer. */
  room(sizeBytes: number): number {
    return this.bytes(Buffer.alloc(sizeBytes));
  }

  /** A 32-bit variable. */
  slot(initial = 0): number {
    const content = Buffer.alloc(4);
    content.writeInt32LE(initial);
    return this.bytes(content);
  }

  /** Address of a NULL-terminated array of string pointers, as execve takes it. */
  vector(values: readonly string[]): number {
    const pointers = Buffer.alloc((values.length + 1) * 8);
    for (const [index, value] of values.entries()) pointers.writeBigUInt64LE(BigInt(this.text(value)), index * 8);
    return this.bytes(pointers);
  }

  label(): Label {
    return { record: undefined };
  }

  /** The next step is where `label` is. */
  place(label: Label): void {
    label.record = this.#steps.length;
  }

  call(name: SystemCall, args: readonly Argument[], options: StepOptions = {}): void {
    const { onError = 'fail' } = options;
    this.#steps.push({
      number: systemCallNumber(name, this.architecture),
      arguments: args,
      store: options.store ?? 0,
      condition: onError === 'ignore' ? 'never' : 'negative',
      operand: 0,
      target: onError === 'ignore' ? undefined : onError === 'fail' ? this.#failure : onError,
      what: options.what ?? name,
    });
  }

  jump(target: Label): void {
    this.#branch([0, 0], 'always', 0, target);
  }

  /** Jumps when the variable at `slot` equals `value` (a number, or another variable). */
  jumpIfEqual(slot: number, value: number | Loaded, target: Label): void {
    if (typeof value === 'number') this.#branch([load(slot), 0], 'equals', value, target);
    else this.#branch([load(slot), 0], 'equalsLoaded', value.load, target);
  }

  /** Jumps when the variable is below zero; with `what`, counts as that step's failure with the variable as the error number. */
  jumpIfNegative(slot: number, target: Label | 'fail', what = 'check'): void {
    this.#branch([load(slot), 0], 'negative', 0, target === 'fail' ? this.#failure : target, what);
  }

  /** Stores the sum of two values. */
  add(store: number, left: Argument, right: Argument): void {
    this.#steps.push({ number: -1, arguments: [left, right], store, condition: 'never', operand: 0, target: undefined, what: 'add' });
  }

  /**
   * The block in which failed steps end: writes the failed record's address and result (8 bytes) to `reportFd` and exits with 126.
   * Belongs at the end of every program.
   */
  failureBlock(reportFd: number, nested = false): void {
    this.place(this.#failure);
    const failed = baseAddress + failedRecordOffset;
    if (nested) this.add(failed, load(failed), nestedMark);
    this.call('write', [reportFd, failed, 8], { onError: 'ignore' });
    this.exit(126);
  }

  exit(code: Argument): void {
    this.call('exit_group', [code], { onError: 'ignore' });
  }

  /** The bytes of the program file. */
  build(): Buffer {
    const first = baseAddress + headerBytes + this.#dataBytes;
    const file = Buffer.alloc(headerBytes + this.#dataBytes + this.#steps.length * recordBytes);
    file.writeUInt32LE(first, entryOffset);
    Buffer.concat(this.#data).copy(file, headerBytes);
    for (const [index, step] of this.#steps.entries()) encode(file, first, index, step);
    return file;
  }

  /** What the report of a failure block means. */
  explain(report: Buffer): ProgramFailure {
    const address = report.readUInt32LE(0);
    if (address >= baseAddress + nestedMark) {
      const unmarked = Buffer.from(report);
      unmarked.writeUInt32LE(address - nestedMark);
      return this.nested?.explain(unmarked) ?? { what: 'unknown program', errno: -report.readInt32LE(4) };
    }
    const index = (address - baseAddress - headerBytes - this.#dataBytes) / recordBytes;
    return { what: this.#steps[index]?.what ?? `step ${index}`, errno: -report.readInt32LE(4) };
  }

  #branch(args: readonly Argument[], condition: Condition, operand: number, target: Label, what = 'jump'): void {
    this.#steps.push({ number: -1, arguments: args, store: 0, condition, operand, target, what });
  }
}

function encode(file: Buffer, first: number, index: number, step: Step): void {
  const at = first - baseAddress + index * recordBytes;
  let loads = 0;
  file.writeInt32LE(step.number, at);
  for (const [position, argument] of step.arguments.entries()) {
    const value = typeof argument === 'object' ? argument.load : argument;
    if (typeof argument === 'object') loads |= 1 << position;
    file.writeBigInt64LE(BigInt.asIntN(64, BigInt(value)), at + 16 + position * 8);
  }
  file.writeUInt8(loads, at + 4);
  file.writeUInt8(conditionCodes[step.condition], at + 5);
  if (step.target !== undefined) {
    if (step.target.record === undefined) throw new Error(`program: step ${index} (${step.what}) jumps to a label that has no place`);
    file.writeUInt32LE(first + step.target.record * recordBytes, at + 8);
  }
  file.writeUInt32LE(step.store, at + 12);
  file.writeInt32LE(step.operand > 0x7fff_ffff ? step.operand - 2 ** 32 : step.operand, at + 64);
}
