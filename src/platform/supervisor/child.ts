import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { backoffMs } from '#core/async.ts';
import type { Clock } from '#core/clock.ts';
import { UserError } from '#core/errors.ts';
import type { Logger } from '#core/logger.ts';
import { readTail } from '#core/read-tail.ts';
import { cLibraryHabits } from '#platform/supervisor/c-library.ts';
import { onLines } from '#platform/supervisor/socket.ts';
import { configVariable, type FromProcess, type ProcessConfig, type ToProcess } from '#platform/process-config.ts';

export interface ChildStatus {
  readonly role: string;
  readonly pid: number | undefined;
  readonly state: 'starting' | 'ready' | 'waiting' | 'stopped';
  readonly restarts: number;
  readonly details: Readonly<Record<string, unknown>>;
}

export interface ChildOptions {
  readonly config: ProcessConfig;
  readonly entry: URL;
  readonly logFile: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Inherited as 3, 4, …: sockets that stay open while the process is replaced. */
  readonly descriptors?: readonly number[];
}

const stableAfterMs = 30_000;
/** How often a process may end before it was ever ready until its start counts as failed. */
const firstStarts = 3;
const lastLogBytes = 4096;
const lastLogLines = 8;
const killAfterMs = 45_000;

/** One process of the platform: started, restarted with back-off (200 ms to 10 s) when it ends on its own, stopped on request. */
export class Child {
  readonly #config: ProcessConfig;
  readonly #entry: URL;
  readonly #logFile: string;
  readonly #descriptors: readonly number[];
  readonly #clock: Clock;
  readonly #logger: Logger;
  #ready = Promise.withResolvers<void>();
  #process: ChildProcess | undefined;
  #socket: Socket | undefined;
  #state: ChildStatus['state'] = 'waiting';
  #details: Readonly<Record<string, unknown>> = {};
  #restarts = 0;
  #failures = 0;
  #wasReady = false;
  #stopping = false;
  #cancelRestart = () => {};
  /** Processes that have not ended, each with the promise of its end: two while one replaces another. */
  readonly #living = new Map<ChildProcess, Promise<void>>();
  #replacing = false;

  constructor(options: ChildOptions) {
    this.#config = options.config;
    this.#entry = options.entry;
    this.#logFile = options.logFile;
    this.#descriptors = options.descriptors ?? [];
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#ready.promise.catch(() => {});
  }

  /** Starts it; resolves when it is ready for the first time. Rejects with a UserError when it says that it cannot be, or keeps ending before. */
  start(): Promise<void> {
    this.#launch();
    return this.#ready.promise;
  }

  status(): ChildStatus {
    return { role: this.#config.role, pid: this.#process?.pid, state: this.#state, restarts: this.#restarts, details: this.#details };
  }

  /** From now on its end is no accident: it is not started again, and a SIGTERM to the whole process group does not end it out of turn. */
  expectStop(): void {
    this.#stopping = true;
    this.#cancelRestart();
    this.#say({ type: 'stopping' });
  }

  /** Asks it to end; killed when it does not within 45 s. Resolves when it, and a predecessor still there, has ended. */
  async stop(cleanUp: boolean): Promise<void> {
    this.expectStop();
    const cancel = this.#clock.after(killAfterMs, () => {
      for (const process of this.#living.keys()) process.kill('SIGKILL');
    });
    for (const process of this.#living.keys()) {
      if (process !== this.#process || !this.#say({ type: 'stop', cleanUp })) process.kill('SIGTERM');
    }
    await Promise.all(this.#living.values());
    cancel();
    this.#state = 'stopped';
  }

  #say(message: ToProcess): boolean {
    this.#socket?.write(`${JSON.stringify(message)}\n`);
    return this.#socket !== undefined;
  }

  /**
   * Starts a successor, and ends the present process when that one is ready: inherited sockets are served without a gap.
   * When the successor does not come up the present process stays, and the promise rejects.
   */
  async replace(): Promise<void> {
    const [old, oldSocket] = [this.#process, this.#socket];
    this.#ready = Promise.withResolvers<void>();
    this.#replacing = true;
    this.#launch();
    try {
      await this.#ready.promise;
    } catch (error) {
      [this.#process, this.#socket, this.#state] = [old, oldSocket, 'ready'];
      throw error;
    } finally {
      this.#replacing = false;
    }
    const message: ToProcess = { type: 'stop', cleanUp: false };
    if (oldSocket === undefined) old?.kill('SIGTERM');
    else oldSocket.write(`${JSON.stringify(message)}\n`);
  }

  #launch(): void {
    const startedAt = this.#clock.monotonic();
    const log = openSync(this.#logFile, 'a', 0o600);
    this.#state = 'starting';
    const child = spawn(process.execPath, [fileURLToPath(this.#entry)], {
      stdio: ['ignore', log, log, ...this.#descriptors],
      env: { ...cLibraryHabits, ...process.env, [configVariable]: JSON.stringify(this.#config) },
    });
    closeSync(log);
    this.#process = child;
    const gone = Promise.withResolvers<void>();
    this.#living.set(child, gone.promise);
    const end = () => {
      this.#living.delete(child);
      gone.resolve();
    };
    child.on('error', (error) => {
      this.#logger.error('process could not be started', { role: this.#config.role, error });
      // A process that never was does not exit.
      if (child.pid !== undefined) return;
      end();
      if (child === this.#process) this.#ended(null, null, 0);
    });
    child.on('exit', (code, signal) => {
      end();
      if (child === this.#process) this.#ended(code, signal, this.#clock.monotonic() - startedAt);
    });
  }

  /** The process has connected. Another one's late connection is refused. */
  attach(pid: number, socket: Socket): void {
    if (pid !== this.#process?.pid) {
      socket.destroy();
      return;
    }
    this.#socket = socket;
    socket.on('close', () => {
      if (this.#socket === socket) this.#socket = undefined;
    });
    onLines(socket, (line) => this.#hear(JSON.parse(line) as FromProcess));
  }

  #hear(message: FromProcess): void {
    if (message.type === 'failed') {
      const { hint, portTaken } = message;
      const cause = portTaken ? Object.assign(new Error(message.message), { code: 'EADDRINUSE' }) : undefined;
      this.#ready.reject(new UserError(`${this.#config.role}: ${message.message}`, { cause, ...(hint === undefined ? {} : { hint }) }));
      return;
    }
    this.#state = 'ready';
    this.#wasReady = true;
    this.#details = message.details;
    this.#ready.resolve();
  }

  #ended(code: number | null, signal: NodeJS.Signals | null, livedMs: number): void {
    if (this.#replacing) {
      this.#ready.reject(new Error(`the new ${this.#config.role} process ended (${signal ?? code})`));
      return;
    }
    if (this.#stopping) return;
    this.#failures = livedMs > stableAfterMs ? 0 : this.#failures + 1;
    this.#state = 'waiting';
    if (!this.#wasReady && this.#failures >= firstStarts) this.#ready.reject(this.#neverReady(code, signal));
    const delayMs = backoffMs(Math.max(0, this.#failures - 1), 200, 10_000);
    this.#logger.warn('process ended and will be started again', { role: this.#config.role, code, signal, delayMs });
    this.#cancelRestart = this.#clock.after(delayMs, () => {
      this.#restarts += 1;
      this.#launch();
    });
  }

  #neverReady(code: number | null, signal: NodeJS.Signals | null): UserError {
    const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
    return new UserError(`${this.#config.role}: its process ended ${firstStarts} times before it was ready (${how})`, {
      hint: `The end of ${this.#logFile}:\n    ${lastLines(this.#logFile).join('\n    ')}`,
    });
  }
}

function lastLines(file: string): string[] {
  const text = readTail(file, lastLogBytes).trimEnd();
  return text.split('\n').slice(-lastLogLines);
}
