import { randomUUID } from 'node:crypto';
import type { Clock } from '#core/clock.ts';
import { imageFault } from '../errors.ts';
import type { BlobStore, Ingest } from '../store/blob-store.ts';

/** One blob being sent, maybe over several requests. */
export interface Upload {
  readonly id: string;
  readonly repository: string;
  readonly ingest: Ingest;
}

const maxUploads = 256;
const idleMs = 3_600_000;
const maxBlobBytes = 32 * 2 ** 30;

/** Uploads under way. They end with `finish`, `cancel`, after an hour without a byte, or with the process. */
export class Uploads {
  readonly #blobs: BlobStore;
  readonly #clock: Clock;
  readonly #uploads = new Map<string, Upload & { busy: boolean; stopTimer: () => void }>();

  constructor(blobs: BlobStore, clock: Clock) {
    this.#blobs = blobs;
    this.#clock = clock;
  }

  get count(): number {
    return this.#uploads.size;
  }

  async start(repository: string): Promise<Upload> {
    if (this.#uploads.size >= maxUploads) throw imageFault('TOOMANYREQUESTS', `more than ${maxUploads} uploads at a time`);
    const id = randomUUID();
    const upload = { id, repository, ingest: await this.#blobs.ingest(maxBlobBytes), busy: false, stopTimer: () => {} };
    this.#uploads.set(id, upload);
    this.#expireLater(id);
    return upload;
  }

  get(repository: string, id: string): Upload {
    const upload = this.#uploads.get(id);
    if (upload?.repository !== repository) throw imageFault('BLOB_UPLOAD_UNKNOWN', `no upload ${id} in ${repository}`);
    return upload;
  }

  /** Adds to an upload; a second writer at the same time is refused. A piece that breaks off half-way stays as far as it came. */
  async append(upload: Upload, pieces: AsyncIterable<Buffer>): Promise<void> {
    const state = this.#uploads.get(upload.id);
    if (state === undefined || state.busy) throw imageFault('BLOB_UPLOAD_INVALID', 'another request writes to this upload');
    state.busy = true;
    state.stopTimer();
    try {
      for await (const piece of pieces) await upload.ingest.write(piece);
    } finally {
      state.busy = false;
      this.#expireLater(upload.id);
    }
  }

  async finish(upload: Upload, digest: string): Promise<void> {
    this.#forget(upload.id);
    await upload.ingest.commit(digest);
  }

  async cancel(upload: Upload): Promise<void> {
    this.#forget(upload.id);
    await upload.ingest.abort();
  }

  async cancelAll(): Promise<void> {
    for (const upload of this.#uploads.values()) await this.cancel(upload);
  }

  #forget(id: string): void {
    this.#uploads.get(id)?.stopTimer();
    this.#uploads.delete(id);
  }

  #expireLater(id: string): void {
    const upload = this.#uploads.get(id);
    if (upload === undefined) return;
    upload.stopTimer = this.#clock.after(idleMs, () => {
      this.cancel(upload).catch(() => {});
    });
  }
}
