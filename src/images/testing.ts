import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/**
 * skopeo and buildah for a test, with storage and logins of their own under `directory`, so that they neither need nor change what the user
 * has. Disposing of it removes buildah's files, which as an ordinary user belong to the user's subordinate ids.
 */
export class ImageTools implements AsyncDisposable {
  readonly #directory: string;
  #stored = false;

  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, 'auth.json'), '{}');
  }

  /** Resolves with what it printed; rejects with what it said when it fails. */
  skopeo(...words: readonly string[]): Promise<string> {
    return this.#run('skopeo', words);
  }

  buildah(...words: readonly string[]): Promise<string> {
    this.#stored = true;
    const storage = [`--root=${join(this.#directory, 'storage')}`, `--runroot=${join(this.#directory, 'run')}`, '--storage-driver=vfs'];
    return this.#run('buildah', [...storage, ...words]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#stored) return;
    const files = [join(this.#directory, 'storage'), join(this.#directory, 'run')];
    await (process.getuid?.() === 0 ? execute('rm', ['-rf', ...files]) : this.#run('buildah', ['unshare', 'rm', '-rf', ...files]));
  }

  /** Without a runtime directory of the user's own these programs look under /run/containers, which may be root's. */
  async #run(program: string, words: readonly string[]): Promise<string> {
    const own = { REGISTRY_AUTH_FILE: join(this.#directory, 'auth.json'), XDG_RUNTIME_DIR: this.#directory };
    return (await execute(program, words, { env: { ...process.env, ...own }, maxBuffer: 1 << 24 })).stdout;
  }
}
