import { join } from 'node:path';

/** Where the files of one container's one run lie; every process of it is found through them. */
export interface ContainerFiles {
  readonly directory: string;
  readonly program: string;
  /** Named pipes of the standard streams. */
  readonly stdin: string;
  readonly stdout: string;
  readonly stderr: string;
  /** Written by an OCI runtime: process id of the container's init, as text. */
  readonly pid: string;
  /** Written by the monitor when the container has ended: i32 wait status, padding, timespec. */
  readonly exit: string;
  /** Named pipe of terminal sizes (struct winsize). */
  readonly resize: string;
}

export function containerFiles(slotDirectory: string, exitsDirectory: string, slot: string, name: string, attempt: number): ContainerFiles {
  const directory = join(slotDirectory, `${name}.${attempt}`);
  const inside = (file: string) => join(directory, file);
  return {
    directory,
    program: inside('program'),
    stdin: inside('in'),
    stdout: inside('out'),
    stderr: inside('err'),
    pid: inside('pid'),
    resize: inside('resize'),
    exit: join(exitsDirectory, `${slot}.${name}.${attempt}`),
  };
}

/** What an exit file says. */
export interface ExitRecord {
  readonly exitCode: number;
  readonly signal?: number;
  readonly finishedAtMs: number;
}

export const exitRecordBytes = 24;

/** Codes follow the shells: 128 + signal for a killed process, which is also what init exits with for an application that was killed. */
export function parseExitRecord(content: Buffer): ExitRecord {
  const status = content.readInt32LE(0);
  const finishedAtMs = Number(content.readBigInt64LE(8)) * 1000 + Math.floor(Number(content.readBigInt64LE(16)) / 1e6);
  const signal = status & 0x7f;
  if (signal !== 0) return { exitCode: 128 + signal, signal, finishedAtMs };
  const exitCode = (status >> 8) & 0xff;
  return exitCode > 128 && exitCode < 128 + 65 ? { exitCode, signal: exitCode - 128, finishedAtMs } : { exitCode, finishedAtMs };
}
