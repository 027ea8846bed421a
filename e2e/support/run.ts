import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { withSystemDirectories } from '#core/system-path.ts';
import { until as askUntil } from '#core/testing.ts';

export interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Killed after this; 60 s unless told. */
  readonly timeoutMs?: number;
}

/** Runs a program to its end. Never rejects for an exit code. */
export async function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<Result> {
  const child = start(program, args, options);
  const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)];
  child.stdin.on('error', () => {});
  child.stdin.end(options.input ?? '');
  const late = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 60_000);
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.on('error', reject);
  child.on('close', (code) => resolve(code));
  const code = await promise.finally(() => clearTimeout(late));
  return { code, stdout: await stdout, stderr: await stderr };
}

/** Runs a program that has to succeed; resolves with what it printed. */
export async function mustRun(program: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await run(program, args, options);
  if (code !== 0) throw new Error(`${program} ${args.join(' ')}: exit code ${code}\n${stderr}${stdout}`);
  return stdout;
}

/** Starts a program and leaves it running; the caller ends it. */
export function start(
  program: string,
  args: readonly string[],
  { env, cwd }: RunOptions = {},
): ChildProcessByStdio<Writable, Readable, Readable> {
  return spawn(program, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
    ...(cwd === undefined ? {} : { cwd }),
  });
}

/** A program still running whose output can be waited for; disposing of it kills it. */
export class Running implements AsyncDisposable {
  readonly process: ChildProcessByStdio<Writable, Readable, Readable>;
  #output = '';
  readonly #ended: Promise<number | null>;

  constructor(program: string, args: readonly string[], options: RunOptions = {}) {
    this.process = start(program, args, options);
    this.process.stdin.on('error', () => {});
    for (const stream of [this.process.stdout, this.process.stderr]) stream.on('data', (chunk) => (this.#output += String(chunk)));
    const { promise, resolve } = Promise.withResolvers<number | null>();
    this.process.on('error', (error) => {
      this.#output += String(error);
      resolve(null);
    });
    this.process.on('close', (code) => resolve(code));
    this.#ended = promise;
  }

  /** What it has written to both outputs so far. */
  get output(): string {
    return this.#output;
  }

  get ended(): Promise<number | null> {
    return this.#ended;
  }

  /** Resolves with the match as soon as the output has it; rejects when the program ends or `timeoutMs` passes without it. */
  async waitFor(pattern: RegExp, timeoutMs = 30_000): Promise<RegExpExecArray> {
    let ended = false;
    void this.#ended.then(() => (ended = true));
    return until(
      `output like ${pattern}`,
      () => {
        const match = pattern.exec(this.#output);
        if (match === null && ended) throw new Error(`the program ended without printing ${pattern}:\n${this.#output}`);
        return match ?? undefined;
      },
      timeoutMs,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.process.kill('SIGKILL');
    await this.#ended;
  }
}

/** Asks again and again until there is an answer; rejects after `timeoutMs`, naming what was waited for. */
export function until<T>(what: string, ask: () => Promise<T> | T, timeoutMs = 60_000): Promise<Exclude<T, undefined | false>> {
  return askUntil(what, ask, { timeoutMs, everyMs: 50 });
}

/** The full path of a program on this machine, looked for where the platform does, or undefined. */
export function findProgram(name: string): string | undefined {
  return withSystemDirectories(process.env['PATH'])
    .split(delimiter)
    .map((directory) => join(directory, name))
    .find((file) => isExecutable(file));
}

export function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function collect(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
