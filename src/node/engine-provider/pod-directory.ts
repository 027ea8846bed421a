import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContainerStateTerminated, PodStatus } from '#apis/core/v1/pod-status.ts';
import type { Pod } from '#apis/core/v1/pod.ts';

/** What must outlive the agent and cannot be asked of the engine: how containers ended that may have been restarted since. */
export interface PodRecord {
  readonly containers: Readonly<Record<string, ContainerRecord>>;
  /** The status of a pod that has ended for good: it is never run again. */
  readonly final?: PodStatus;
}
export interface ContainerRecord {
  readonly attempt: number;
  readonly terminated?: ContainerStateTerminated;
  readonly lastTerminated?: ContainerStateTerminated;
}

/** The files of one pod: `pods/<uid>/` (volumes, last words, record) and `logs/<namespace>_<name>_<uid>/<container>/<n>.log`. */
export class PodDirectory {
  readonly path: string;
  readonly #logs: string;
  #writing: Promise<void> = Promise.resolve();
  #pending: PodRecord | undefined;

  constructor(dataDirectory: string, { namespace = '', name = '', uid = '' }: Pod['metadata']) {
    this.path = join(dataDirectory, 'pods', uid);
    this.#logs = join(dataDirectory, 'logs', `${namespace}_${name}_${uid}`);
  }

  get volumes(): string {
    return join(this.path, 'volumes');
  }

  logsOf(container: string): string {
    return join(this.#logs, container);
  }

  logPath(container: string, attempt: number): string {
    return join(this.logsOf(container), `${attempt}.log`);
  }

  terminationPath(container: string, attempt: number): string {
    return join(this.path, 'termination', `${container}-${attempt}`);
  }

  /** Makes what a container's start needs: the log's directory and an empty file for its last words that any user may write. */
  prepareContainer(container: string, attempt: number): void {
    mkdirSync(join(this.#logs, container), { recursive: true });
    mkdirSync(join(this.path, 'termination'), { recursive: true });
    // The mode of a new file is cut by the umask.
    const file = this.terminationPath(container, attempt);
    writeFileSync(file, '', { mode: 0o666 });
    chmodSync(file, 0o666);
  }

  /** The record an earlier agent left; undefined when there is none or it cannot be read. */
  async load(): Promise<PodRecord | undefined> {
    try {
      return JSON.parse(await readFile(join(this.path, 'record.json'), 'utf8')) as PodRecord;
    } catch {
      return undefined;
    }
  }

  /** Writes the record, whole or not at all; calls while one is being written are joined into one more write. */
  save(record: PodRecord): Promise<void> {
    const isQueued = this.#pending !== undefined;
    this.#pending = record;
    if (isQueued) return this.#writing;
    // One that failed, for a full disk, is no reason for the next to fail.
    this.#writing = this.#writing
      .catch(() => {})
      .then(async () => {
        const latest = this.#pending;
        this.#pending = undefined;
        const file = join(this.path, 'record.json');
        await mkdir(this.path, { recursive: true });
        await writeFile(`${file}.new`, JSON.stringify(latest));
        await rename(`${file}.new`, file);
      });
    return this.#writing;
  }

  /** Removes everything, logs included. */
  async remove(): Promise<void> {
    await this.#writing.catch(() => {});
    await Promise.all([rm(this.path, { recursive: true, force: true }), rm(this.#logs, { recursive: true, force: true })]);
  }
}
