import { execFile } from 'node:child_process';
import { readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const prefix = '.unsynced-';

/**
 * Remembers which directories the disk may not have in full yet. Waiting for the disk would hold up a pod for seconds, so the file system is
 * synced behind its back; what was not synced when the machine went down is removed at the next start, because its files may be empty.
 */
export class Unsynced {
  readonly #directory: string;
  readonly #bootId: string;
  #syncing: Promise<void> = Promise.resolve();

  private constructor(directory: string, bootId: string) {
    this.#directory = directory;
    this.#bootId = bootId;
  }

  /** Removes what a power failure may have spoiled. */
  static async open(directory: string): Promise<Unsynced> {
    const bootId = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => 'unknown');
    const unsynced = new Unsynced(directory, bootId);
    const pending: string[] = [];
    for (const file of await readdir(directory)) {
      if (!file.startsWith(prefix)) continue;
      const name = file.slice(prefix.length);
      if ((await readFile(join(directory, file), 'utf8')) === bootId) pending.push(name);
      else {
        await rm(join(directory, name), { recursive: true, force: true });
        await rm(join(directory, file), { force: true });
      }
    }
    if (pending.length > 0) unsynced.#sync(pending);
    return unsynced;
  }

  /** To be called before `name` appears in the directory: the mark reaches the disk no later than the name. */
  mark(name: string): Promise<void> {
    return writeFile(join(this.#directory, `${prefix}${name}`), this.#bootId);
  }

  /** To be called once `name` is there. */
  written(name: string): void {
    this.#sync([name]);
  }

  #sync(names: readonly string[]): void {
    this.#syncing = this.#syncing
      .then(() => run('sync', ['-f', this.#directory]))
      .then(() => Promise.all(names.map((name) => rm(join(this.#directory, `${prefix}${name}`), { force: true }))))
      // Without a sync command the marks stay, and a reboot costs unpacking anew.
      .then(
        () => {},
        () => {},
      );
  }
}
