import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { systemClock } from '#core/clock.ts';
import { silentLogger } from '#core/logger.ts';
import { type ImageStore, type ImageStoreOptions, openImageStore } from './image-store.ts';
import { hostPlatform, mediaTypes } from './oci.ts';
import { startRegistry } from './registry/server.ts';
import { ImageClient } from './remote.ts';
import { digestOf } from './store/blob-store.ts';

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

/** An image store with its registry on a free port. */
export interface TestMachine extends AsyncDisposable {
  readonly store: ImageStore;
  readonly images: ImageClient;
  readonly port: number;
  readonly url: string;
  /** `localhost:PORT`. */
  readonly host: string;
}

export async function openMachine(directory: string, more: Partial<ImageStoreOptions> = {}): Promise<TestMachine> {
  // The store must know its registry's port: take a free one first.
  const port = await freePort();
  const options = { rootless: process.getuid?.() !== 0, clock: systemClock, logger: silentLogger };
  const store = await openImageStore({ ...options, directory, registryPorts: [port], ...more });
  const registry = await startRegistry({ ...options, store, host: '127.0.0.1', port, token: 'secret' });
  const url = `http://127.0.0.1:${port}`;
  return {
    store,
    images: new ImageClient({ url, token: () => 'secret' }),
    port,
    url,
    host: `localhost:${port}`,
    async [Symbol.asyncDispose]() {
      await registry[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}

/** Puts an image for this machine with one layer of these bytes into the store; resolves with its digest. */
export async function putImage(store: ImageStore, name: string, layer: Buffer): Promise<string> {
  const config = { ...hostPlatform, config: {}, rootfs: { type: 'layers', diff_ids: [digestOf(layer)] } };
  const part = async (mediaType: string, bytes: Buffer) => ({
    mediaType,
    digest: (await store.blobs.writeBytes(bytes)).digest,
    size: bytes.length,
  });
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: await part(mediaTypes.ociConfig, Buffer.from(JSON.stringify(config))),
    layers: [await part(mediaTypes.ociLayer, layer)],
  };
  const { digest } = await store.blobs.writeBytes(Buffer.from(JSON.stringify(manifest)));
  await store.setTag(name, digest);
  return digest;
}

/** For `it(…, { skip })`: false, or which of the programs is not here. */
export function missingProgram(...programs: readonly string[]): string | false {
  const absent = programs.find((name) => !['/usr/bin', '/usr/sbin', '/usr/local/bin', '/bin'].some((path) => existsSync(join(path, name))));
  return absent === undefined ? false : `${absent} is not installed`;
}

/** A port of loopback that was free just now. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => probe.once('listening', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** Starts a program of the machine and waits until it answers; a text says why it does not run here. */
export async function startDaemon(
  program: string,
  args: readonly string[],
  options: { readonly log: string; readonly answers: () => Promise<unknown> },
): Promise<AsyncDisposable | string> {
  const file = openSync(options.log, 'a');
  const child = spawn(program, args, { stdio: ['ignore', file, file] });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()).once('error', () => resolve()));
  const answers = () =>
    options.answers().then(
      () => true,
      () => false,
    );
  const deadline = Date.now() + 30_000;
  while (Date.now() < deadline && child.exitCode === null && child.pid !== undefined) {
    if (await answers()) {
      return {
        async [Symbol.asyncDispose]() {
          child.kill('SIGTERM');
          await ended;
        },
      };
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  child.kill('SIGKILL');
  return `${program} does not run here: ${readFileSync(options.log, 'utf8').trim().split('\n').at(-1) ?? ''}`;
}
