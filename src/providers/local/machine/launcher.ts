import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { getSystemErrorName } from 'node:util';
import { launcherExecutable } from '#providers/local/machine/elf.ts';
import type { Architecture } from '#providers/local/machine/numbers.ts';
import { baseAddress, type Program, type ProgramFailure } from '#providers/local/machine/program.ts';

/** File descriptor on which a program reports: 8-byte messages, a failure (see Program.failureBlock) or a note. */
export const reportFd = 3;
const messageBytes = 8;

/** A step of a program was refused by the kernel. */
export class LaunchError extends Error {
  readonly step: string;
  readonly errno: number;
  /** `ENOENT`, or `exit 1` for a failed command. */
  readonly code: string;

  constructor(failure: ProgramFailure, detail = '') {
    const code = failure.errno > 0 && failure.errno < 4096 ? getSystemErrorName(-failure.errno) : `${failure.errno}`;
    super(`${failure.what}: ${code}${detail === '' ? '' : `: ${detail}`}`);
    this.name = 'LaunchError';
    this.step = failure.what;
    this.errno = failure.errno;
    this.code = code;
  }
}

export interface Launched {
  /** Process that the launcher was spawned as. */
  readonly pid: number;
  /** Notes the program sent before everybody closed the report, by tag. */
  readonly notes: ReadonlyMap<number, number>;
}

export interface Started {
  readonly child: ChildProcess;
  readonly ready: Promise<ReadonlyMap<number, number>>;
}

/** Writes the launcher executable once and starts programs with it. */
export class Launcher {
  readonly path: string;
  readonly architecture: Architecture;

  constructor(path: string, architecture: Architecture) {
    this.path = path;
    this.architecture = architecture;
    const content = launcherExecutable(architecture);
    if (existsSync(path) && readFileSync(path).equals(content)) return;
    writeFileSync(`${path}.new`, content);
    chmodSync(`${path}.new`, 0o755);
    renameSync(`${path}.new`, path);
  }

  /**
   * Starts a program from the file `path`. Resolves when every process of the program has closed the report descriptor (by closing it,
   * replacing itself or ending); rejects with a LaunchError when a step failed. The process is in a session of its own and outlives us.
   */
  async run(program: Program, path: string): Promise<Launched> {
    const { child, ready } = await this.start(program, path, ['ignore', 'ignore', 'ignore', 'pipe']);
    child.unref();
    return { pid: child.pid ?? 0, notes: await ready };
  }

  /** Starts a program with the given standard streams; descriptor 3 has to be a pipe. `ready` settles as `run` does. */
  async start(program: Program, path: string, stdio: readonly ('ignore' | 'pipe')[]): Promise<Started> {
    await writeFile(path, program.build());
    const child = spawn(this.path, [path], { detached: true, stdio: [...stdio], env: {}, cwd: '/' });
    const ready = readReport(child).then((report) => notesOf(program, report));
    ready.catch(() => {});
    return { child, ready };
  }
}

/** Adds a note to a program: `tag` (a small number) and the value of a slot. */
export function reportNote(program: Program, tag: number, slot: number): void {
  const message = program.room(messageBytes);
  program.add(message, tag, 0);
  program.add(message + 4, { load: slot }, 0);
  program.call('write', [reportFd, message, messageBytes], { what: 'report' });
}

function readReport(child: ChildProcess): Promise<Buffer> {
  const report = child.stdio[reportFd];
  const chunks: Buffer[] = [];
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    if (report === null || report === undefined || !('read' in report)) return reject(new Error('launcher: no report descriptor'));
    report.on('data', (chunk: Buffer) => chunks.push(chunk));
    report.once('error', reject);
    report.once('close', () => resolve(Buffer.concat(chunks)));
  });
}

function notesOf(program: Program, report: Buffer): ReadonlyMap<number, number> {
  const notes = new Map<number, number>();
  for (let at = 0; at + messageBytes <= report.length; at += messageBytes) {
    const message = report.subarray(at, at + messageBytes);
    if (message.readUInt32LE(0) >= baseAddress) throw new LaunchError(program.explain(message));
    notes.set(message.readUInt32LE(0), message.readInt32LE(4));
  }
  return notes;
}
