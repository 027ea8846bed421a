import { open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * A small JSON document that is either the old or the new one after a crash at any point. Writes that are asked for while one is under
 * way are done as one; each caller's promise resolves once its state is on disk.
 */
export class JsonFile<T> {
  readonly #path: string;
  readonly #snapshot: () => T;
  readonly #durable: boolean;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  /** `snapshot` gives what to write. `durable`: survives a power failure too, at the cost of an fsync. */
  constructor(path: string, snapshot: () => T, options: { durable: boolean }) {
    this.#path = path;
    this.#snapshot = snapshot;
    this.#durable = options.durable;
  }

  /** Writes the state of now or newer. */
  write(): Promise<void> {
    if (this.#running === undefined) {
      this.#running = this.#store().finally(() => {
        this.#running = undefined;
      });
      return this.#running;
    }
    this.#next ??= this.#running
      .catch(() => {})
      .then(() => {
        this.#next = undefined;
        return this.write();
      });
    return this.#next;
  }

  async #store(): Promise<void> {
    const temporary = `${this.#path}.new`;
    const file = await open(temporary, 'w', 0o600);
    try {
      await file.writeFile(JSON.stringify(this.#snapshot()));
      if (this.#durable) await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, this.#path);
    if (this.#durable) await syncDirectory(dirname(this.#path));
  }
}

/** The document, or undefined where there is none. A broken one is an error that names the file. */
export async function readJsonFile<T>(path: string): Promise<T | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return JSON.parse(text) as T;
  } catch (error) {
    throw new Error(`${path} is not JSON`, { cause: error });
  }
}

/** Makes renames and new files of a directory survive a power failure. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
