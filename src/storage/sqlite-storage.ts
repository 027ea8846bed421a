import { existsSync, statSync } from 'node:fs';
import type { Logger } from '#core/logger.ts';
import { silentLogger } from '#core/logger.ts';
import { checkLimit, checkRevision, checkWrite } from './keys.ts';
import { defaultRetention } from './retention.ts';
import type { Retention } from './retention.ts';
import { storageFailure, toStorageFailure } from './sqlite-errors.ts';
import { SqliteReader } from './sqlite-reader.ts';
import { backupInThread, SqliteWriter } from './sqlite-writer.ts';
import type { Committed } from './sqlite-writer.ts';
import { CompactedError, FutureRevisionError } from './storage.ts';
import type { Entry, KeyRevision, Storage, StorageEvent, StorageFailure, Watch, Write, WriteResult } from './storage.ts';
import { WatchHub } from './watch-hub.ts';
import type { WatchListener } from './watch-hub.ts';

/** A watch reads its history in pieces of this many revisions, so that others get their turn. */
const historyRevisions = 256;

export interface SqliteOptions {
  /** The data file; its directory is created. `<file>-wal`, `-shm` and `.lock` belong to it. */
  readonly file: string;
  readonly retention?: Partial<Retention>;
  readonly logger?: Logger;
  /** Where the writer thread's code is, when not beside this module. */
  readonly threadEntry?: URL;
}

/**
 * The durable driver. Writes go to a thread that commits them in groups (`synchronous=FULL`: a commit returns when the
 * write-ahead log is on the disk); reads run here, on a connection of their own, and see every acknowledged write.
 */
export class SqliteStorage implements Storage {
  readonly #options: SqliteOptions;
  readonly #hub = new WatchHub();
  readonly #writer: SqliteWriter;
  #reader: SqliteReader | undefined;
  #revision = 0;
  #compacted = 0;
  #failure: StorageFailure | undefined;
  #closed: Promise<void> | undefined;

  /** Rejects with StorageFailure: `locked`, `damaged`, `newer`, `full`, `io`. */
  static async open(options: SqliteOptions): Promise<SqliteStorage> {
    const storage = new SqliteStorage(options);
    await storage.#open();
    return storage;
  }

  private constructor(options: SqliteOptions) {
    this.#options = options;
    const logger = options.logger ?? silentLogger;
    this.#writer = new SqliteWriter(
      { task: 'write', file: options.file, retention: { ...defaultRetention, ...options.retention } },
      {
        onCommitted: (group) => this.#publish(group),
        onCompacted: (compacted) => (this.#compacted = compacted),
        onWarning: (message, failure) => logger.warn(message, { ...failure }),
        onFailed: (failure) => this.#fail(failure, logger),
      },
      options.threadEntry,
    );
  }

  get revision(): number {
    return this.#revision;
  }

  get compactedRevision(): number {
    return this.#compacted;
  }

  async get(key: string): Promise<Entry | undefined> {
    return this.#read((reader) => reader.get(key));
  }

  valueOf(revision: number): string {
    checkRevision(revision);
    return this.#read((reader) => reader.valueOf(revision));
  }

  valuesOf(revisions: readonly number[]): string[] {
    return this.#read((reader) => reader.valuesOf(revisions));
  }

  async index(): Promise<{ entries: KeyRevision[]; revision: number }> {
    return this.#read((reader) => reader.index());
  }

  async list(
    prefix: string,
    options: { after?: string; limit?: number; revision?: number } = {},
  ): Promise<{ entries: Entry[]; revision: number; more: boolean }> {
    checkLimit(options.limit);
    if (options.revision !== undefined) checkRevision(options.revision);
    return this.#read((reader) => reader.list(prefix, options));
  }

  async write(write: Write): Promise<WriteResult> {
    this.#checkOpen();
    checkWrite(write);
    const outcome = await this.#writer.write(write);
    return outcome.ok ? { ok: true, revision: outcome.revision } : outcome;
  }

  async watch(prefix: string, afterRevision: number, listener: WatchListener): Promise<Watch> {
    checkRevision(afterRevision);
    const watch = this.#hub.open(prefix, afterRevision, listener);
    for (let position = afterRevision; ;) {
      const { events, end, head } = this.#read((reader) => reader.history(prefix, position, historyRevisions));
      watch.deliver(events);
      watch.skipTo(end);
      // No turn passes between reading up to the head and going live, and events up to the head will be skipped: no gap, no duplicate.
      if (end === head || watch.ended) break;
      position = end;
      await new Promise((resolve) => setImmediate(resolve));
    }
    watch.goLive();
    return watch;
  }

  async compact(revision: number): Promise<void> {
    checkRevision(revision);
    const head = this.#read((reader) => reader.head());
    if (revision > head) throw new FutureRevisionError(revision, head);
    await this.#writer.compact(revision);
  }

  async stats(): Promise<{ sizeBytes: number; keys: number }> {
    const { file } = this.#options;
    const sizeBytes = [file, `${file}-wal`].reduce((sum, name) => sum + (statSync(name, { throwIfNoEntry: false })?.size ?? 0), 0);
    return { sizeBytes, keys: this.#read((reader) => reader.countKeys()) };
  }

  /**
   * Copies one committed state to `toFile` while everything goes on; the copy is a data file like the original. `toFile`
   * must not exist; it appears complete and durable, or not at all.
   */
  async backup(toFile: string): Promise<void> {
    this.#checkOpen();
    if (existsSync(toFile)) throw storageFailure('io', toFile, 'it exists already, and a backup overwrites nothing');
    await backupInThread(this.#options.file, toFile, this.#options.threadEntry);
  }

  /** Answers the writes accepted before, then closes the file. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#close();
    await this.#closed;
  }

  async #open(): Promise<void> {
    const { revision, compacted } = await this.#writer.opened;
    this.#revision = revision;
    this.#compacted = compacted;
    try {
      this.#reader = new SqliteReader(this.#options.file);
    } catch (error) {
      await this.#writer.close();
      throw toStorageFailure(error, this.#options.file);
    }
  }

  async #close(): Promise<void> {
    // The writer closes last: only the last connection moves the write-ahead log into the file and removes it.
    this.#reader?.[Symbol.dispose]();
    this.#reader = undefined;
    await this.#writer.close();
  }

  #publish(group: readonly Committed[]): void {
    const events = group.flatMap(({ write, outcome }) => (outcome.ok ? [this.#event(write, outcome)] : []));
    const last = events.at(-1);
    if (last === undefined) return;
    this.#revision = last.revision;
    this.#hub.publish(events);
  }

  #event(write: Write, { revision, createRevision, previousRevision, removed }: Committed['outcome'] & { ok: true }): StorageEvent {
    if (removed !== undefined) return { type: 'delete', key: write.key, revision, value: removed, previous: removed, createRevision };
    const valueOf = (at: number) => this.valueOf(at);
    return {
      type: 'put',
      key: write.key,
      revision,
      value: write.value ?? '',
      // Nearly nobody wants it.
      get previous() {
        return previousRevision === 0 ? undefined : valueOf(previousRevision);
      },
      createRevision,
    };
  }

  #fail(failure: StorageFailure, logger: Logger): void {
    this.#failure ??= failure;
    if (failure.code !== 'closed') logger.error('storage failed', { code: failure.code, error: failure.message });
    this.#hub.endAll(failure);
  }

  #checkOpen(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#closed !== undefined || this.#reader === undefined) throw storageFailure('closed', this.#options.file);
  }

  #read<T>(read: (reader: SqliteReader) => T): T {
    this.#checkOpen();
    if (this.#reader === undefined) throw storageFailure('closed', this.#options.file);
    try {
      return read(this.#reader);
    } catch (error) {
      if (error instanceof CompactedError || error instanceof FutureRevisionError) throw error;
      throw toStorageFailure(error, this.#options.file);
    }
  }
}
