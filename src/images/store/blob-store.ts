import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, readFileSync, statSync, utimesSync } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { imageFault } from '../errors.ts';
import { syncDirectory } from './json-file.ts';

export interface BlobInfo {
  readonly digest: string;
  readonly sizeBytes: number;
}

export interface WriteOptions {
  /** The content must have this digest. */
  readonly digest?: string;
  readonly sizeBytes?: number;
  readonly maxBytes?: number;
  readonly onProgress?: (bytes: number) => void;
}

/**
 * Files named by the SHA-256 of their content. A file under its name is complete and was verified; what is being written lies under
 * `ingest/` and is thrown away at the next start. Guarantees nothing about who needs a blob: see collect.ts.
 */
export class BlobStore {
  readonly #blobs: string;
  readonly #ingest: string;
  readonly #writing = new Map<string, Promise<BlobInfo>>();

  private constructor(directory: string) {
    this.#blobs = join(directory, 'blobs', 'sha256');
    this.#ingest = join(directory, 'ingest');
  }

  static async open(directory: string): Promise<BlobStore> {
    const store = new BlobStore(directory);
    await rm(store.#ingest, { recursive: true, force: true });
    await mkdir(store.#blobs, { recursive: true, mode: 0o700 });
    await mkdir(store.#ingest, { recursive: true, mode: 0o700 });
    return store;
  }

  path(digest: string): string {
    return join(this.#blobs, digest.slice('sha256:'.length));
  }

  /** Size of a blob, or undefined. Marks it as recently used, so that collection leaves it to whoever asked. */
  async size(digest: string): Promise<number | undefined> {
    try {
      const { size } = statSync(this.path(digest));
      const now = new Date();
      utimesSync(this.path(digest), now, now);
      return size;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** The whole content; for manifests and configurations, which are small: a turn of the thread pool would cost more than reading them. */
  async read(digest: string): Promise<Buffer | undefined> {
    try {
      return readFileSync(this.path(digest));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  stream(digest: string, range?: { start: number; end: number }): Readable {
    return createReadStream(this.path(digest), { highWaterMark: 1 << 18, ...range });
  }

  async writeBytes(bytes: Buffer): Promise<BlobInfo> {
    const digest = digestOf(bytes);
    if ((await this.size(digest)) === undefined) await this.write([bytes], { digest });
    return { digest, sizeBytes: bytes.length };
  }

  /** Stores a stream. Rejects, leaving nothing behind, when it ends early or its digest or size is another. */
  async write(source: AsyncIterable<Buffer> | Iterable<Buffer>, options: WriteOptions = {}): Promise<BlobInfo> {
    const ingest = await this.ingest(options.maxBytes);
    try {
      for await (const chunk of source) {
        await ingest.write(chunk);
        options.onProgress?.(ingest.sizeBytes);
      }
      if (options.sizeBytes !== undefined && ingest.sizeBytes !== options.sizeBytes) {
        throw imageFault('SIZE_INVALID', `content has ${ingest.sizeBytes} bytes, expected ${options.sizeBytes}`);
      }
      return await ingest.commit(options.digest);
    } catch (error) {
      await ingest.abort();
      throw error;
    }
  }

  /** Runs `fetch` unless the blob is here; of several callers for one digest only the first fetches. */
  async once(digest: string, fetch: () => Promise<BlobInfo>): Promise<BlobInfo> {
    const sizeBytes = await this.size(digest);
    if (sizeBytes !== undefined) return { digest, sizeBytes };
    const underWay = this.#writing.get(digest);
    if (underWay !== undefined) {
      try {
        return await underWay;
      } catch {
        // The other caller may have been cancelled; that is no reason for this one to fail.
        return this.once(digest, fetch);
      }
    }
    const writing = fetch();
    this.#writing.set(digest, writing);
    try {
      return await writing;
    } finally {
      this.#writing.delete(digest);
    }
  }

  /** A blob that grows piece by piece, for uploads. */
  async ingest(maxBytes = Number.POSITIVE_INFINITY): Promise<Ingest> {
    const path = join(this.#ingest, randomUUID());
    const file = await open(path, 'wx', 0o600);
    return new Ingest({ file, path, maxBytes, target: (digest) => this.path(digest), directory: this.#blobs });
  }

  async remove(digest: string): Promise<void> {
    await rm(this.path(digest), { force: true });
  }

  /** Every blob with its size and time of last use. */
  async *all(): AsyncGenerator<BlobInfo & { readonly usedAt: number }> {
    for (const name of await readdir(this.#blobs)) {
      const info = await stat(join(this.#blobs, name)).catch(() => undefined);
      if (info !== undefined) yield { digest: `sha256:${name}`, sizeBytes: info.size, usedAt: info.mtimeMs };
    }
  }
}

interface IngestOptions {
  readonly file: FileHandle;
  readonly path: string;
  readonly maxBytes: number;
  readonly target: (digest: string) => string;
  readonly directory: string;
}

/** Content on its way into the store: ends with either `commit` or `abort`. */
export class Ingest {
  readonly #options: IngestOptions;
  readonly #hash = createHash('sha256');
  #sizeBytes = 0;

  constructor(options: IngestOptions) {
    this.#options = options;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  async write(chunk: Buffer): Promise<void> {
    if (this.#sizeBytes + chunk.length > this.#options.maxBytes) {
      throw imageFault('SIZE_INVALID', `content is larger than ${this.#options.maxBytes} bytes`);
    }
    this.#hash.update(chunk);
    for (let offset = 0; offset < chunk.length;) {
      offset += (await this.#options.file.write(chunk, offset)).bytesWritten;
    }
    this.#sizeBytes += chunk.length;
  }

  /** Verifies, syncs and names the content. */
  async commit(expected?: string): Promise<BlobInfo> {
    const digest = `sha256:${this.#hash.digest('hex')}`;
    if (expected !== undefined && expected !== digest) {
      await this.abort();
      throw imageFault('DIGEST_INVALID', `content has digest ${digest}, expected ${expected}`);
    }
    await this.#options.file.sync();
    await this.#options.file.close();
    await rename(this.#options.path, this.#options.target(digest));
    await syncDirectory(this.#options.directory);
    return { digest, sizeBytes: this.#sizeBytes };
  }

  async abort(): Promise<void> {
    await this.#options.file.close().catch(() => {});
    await unlink(this.#options.path).catch(() => {});
  }
}

export function digestOf(bytes: Buffer | string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
