import { readFileSync } from 'node:fs';
import type { Host } from '#providers/local/host.ts';
import { parseExitRecord, exitRecordBytes, type ContainerFiles } from '#providers/local/container/files.ts';
import type { ContainerRecord } from '#providers/local/container/record.ts';
import { isLaunched, send } from '#providers/local/processes.ts';
import { LogFile, type OutputName } from '#providers/local/streams/log-file.ts';
import { PipeReader } from '#providers/local/streams/pipe-reader.ts';

export type OutputListener = (stream: OutputName, chunk: Buffer) => void;

/** One run of a container as this process follows it: its output goes to the log, its end is noticed. */
export class ContainerRun {
  readonly files: ContainerFiles;
  /** Resolves when the container has ended and its output is complete. */
  readonly ended: Promise<void>;
  readonly #host: Host;
  readonly #ended = Promise.withResolvers<void>();
  readonly #listeners = new Set<OutputListener>();
  readonly #readers: PipeReader[] = [];
  #log: LogFile | undefined;
  #record: ContainerRecord;

  constructor(host: Host, record: ContainerRecord, files: ContainerFiles) {
    this.#host = host;
    this.#record = record;
    this.files = files;
    this.ended = this.#ended.promise;
    if (record.ended !== undefined) this.#ended.resolve();
  }

  get record(): ContainerRecord {
    return this.#record;
  }

  /** Begins to read the container's output into its log. */
  follow(): void {
    const log = new LogFile(this.#record.logPath, () => this.#host.clock.now());
    this.#log = log;
    for (const stream of ['stdout', 'stderr'] as const) {
      const consume = (chunk: Buffer) => {
        log.append(stream, chunk);
        for (const listener of this.#listeners) listener(stream, chunk);
      };
      this.#readers.push(new PipeReader(this.files[stream], consume));
    }
  }

  /** Calls back with the output from now on. */
  onOutput(listener: OutputListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  isRunning(): boolean {
    return this.#record.ended === undefined && isLaunched(this.#record.initPid, this.#record.initProgram);
  }

  /** While there is a monitor it will record the end; only when it is gone too there is nothing to wait for. */
  #isMonitored(): boolean {
    return isLaunched(this.#record.monitorPid, this.files.program);
  }

  /** Sends a signal to the container's init, which hands it on; SIGKILL ends all of its processes. */
  signal(signal: NodeJS.Signals | number): void {
    if (this.isRunning()) send(this.#record.initPid, signal);
  }

  /** Kills one process of the container. */
  killProcess(pid: number): void {
    send(pid, 'SIGKILL');
  }

  /**
   * Takes note of the end: what the monitor recorded, or, when even the monitor was killed, a kill without a known time. Completes the log, then
   * lets the monitor go. Returns the record, or undefined when the container still runs or its end is known already.
   */
  finish(oomKilled: () => boolean): ContainerRecord | undefined {
    if (this.#record.ended !== undefined) return undefined;
    const end = readExit(this.files.exit);
    if (end === undefined && (this.isRunning() || this.#isMonitored())) return undefined;
    for (const reader of this.#readers.splice(0)) reader.drain();
    this.#log?.close();
    const ended = end ?? { exitCode: 137, signal: 9, finishedAtMs: this.#host.clock.now() };
    this.#record = { ...this.#record, ended: { ...ended, oomKilled: ended.exitCode !== 0 && oomKilled() } };
    this.releaseMonitor();
    this.#ended.resolve();
    return this.#record;
  }

  /** Ends the processes that keep the pipes open. */
  releaseMonitor(): void {
    for (const pid of [this.#record.monitorPid, this.#record.stdinHolderPid ?? 0]) {
      if (isLaunched(pid, this.files.program)) send(pid, 'SIGKILL');
    }
  }

  /** Stops reading; the container goes on and its output waits in the pipes. */
  detach(): void {
    for (const reader of this.#readers.splice(0)) reader.close();
    this.#log?.close();
  }
}

function readExit(path: string): ReturnType<typeof parseExitRecord> | undefined {
  try {
    const content = readFileSync(path);
    return content.length === exitRecordBytes ? parseExitRecord(content) : undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
