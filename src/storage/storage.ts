/**
 * A revisioned key-value log with watch: what the API server stands on. Values are opaque text (encoded JSON objects).
 * One revision counter for the whole store, starting at 0; every successful write gets the next one.
 *
 * A value never holds its own revision: the revision is known only once the write has its place in the log. What is
 * stored therefore carries no `metadata.resourceVersion`; who serves an object splices in `modRevision` (of an entry) or
 * `revision` (of an event, deletions included).
 */
export interface Storage extends AsyncDisposable {
  /** The last committed revision. */
  readonly revision: number;
  /** The oldest revision a watch may still start after; earlier ones fail with CompactedError. */
  readonly compactedRevision: number;

  get(key: string): Promise<Entry | undefined>;
  /**
   * The value that the change `revision` wrote, at once and in microseconds: for who keeps revisions instead of values. Current
   * values can always be read, replaced ones as long as history is kept; CompactedError for what is gone, or was never written.
   */
  valueOf(revision: number): string;
  /** The same for many, which costs half as much each. */
  valuesOf(revisions: readonly number[]): string[];
  /** Every key with the revision of its present value, in key order, and the revision of the store they belong to. */
  index(): Promise<{ entries: KeyRevision[]; revision: number }>;
  /**
   * Entries whose key starts with `prefix`, in key order (bytes), as of one revision.
   * `after` continues behind that key; `revision` reads an earlier retained state (CompactedError when it is gone,
   * FutureRevisionError when it has not happened yet). Without `limit` (at least 1) everything is returned.
   */
  list(
    prefix: string,
    options?: { after?: string; limit?: number; revision?: number },
  ): Promise<{ entries: Entry[]; revision: number; more: boolean }>;
  /**
   * Writes one key. Resolves only when the change is durable (fdatasync of the log has returned).
   * `expected` 0 means the key must not exist; a positive one must equal its modRevision. A mismatch resolves
   * `{ ok: false, current }` and writes nothing. `value` null deletes; deleting a missing key is a mismatch too.
   * Reads and live watches are ahead of the answer: `get` and `list` see the change, and its event has been delivered,
   * before the promise resolves. Rejects with StorageFailure `busy` when too many writes are waiting (nothing was
   * written: try again), `full` when the disk is (nothing was written; works again once there is space).
   */
  write(write: Write): Promise<WriteResult>;
  /**
   * Every committed change after `afterRevision` under `prefix`, each once, in revision order: history from the log
   * first (in several calls when long), then live (one call a group commit). Resolves when the watch is live, that is after
   * the history was delivered. Rejects with CompactedError when history no longer reaches back, with FutureRevisionError
   * when `afterRevision` has not happened yet. The listener runs synchronously inside the commit path: a slow one must
   * queue for itself, and one that throws ends its own watch.
   */
  watch(prefix: string, afterRevision: number, listener: (events: readonly StorageEvent[]) => void): Promise<Watch>;
  /** Forgets history before `revision` (the state at `revision` and everything after it stay readable). */
  compact(revision: number): Promise<void>;
  /** Size figures for metrics and `status`. */
  stats(): Promise<{ sizeBytes: number; keys: number }>;
}

export interface Entry {
  readonly key: string;
  readonly value: string;
  readonly createRevision: number;
  readonly modRevision: number;
}
export type KeyRevision = Pick<Entry, 'key' | 'modRevision'>;
export interface Write {
  readonly key: string;
  readonly value: string | null;
  readonly expected: number | undefined;
}
export type WriteResult = { readonly ok: true; readonly revision: number } | { readonly ok: false; readonly current: Entry | undefined };

export interface StorageEvent {
  readonly type: 'put' | 'delete';
  readonly key: string;
  readonly revision: number;
  /** The new value; on delete the last value before it. */
  readonly value: string;
  /** The value before this change; undefined when the key is new. May be read when asked for: at once, or never. */
  readonly previous: string | undefined;
  readonly createRevision: number;
}
export interface Watch extends Disposable {
  /** Settles when the watch ends: resolves on dispose, rejects with the cause otherwise. */
  readonly done: Promise<void>;
}

/** The asked-for revision has been compacted away (HTTP 410 Gone). */
export class CompactedError extends Error {
  readonly compactedRevision: number;
  constructor(compactedRevision: number) {
    super(`revision has been compacted (oldest available: ${compactedRevision})`);
    this.name = 'CompactedError';
    this.compactedRevision = compactedRevision;
  }
}

/** The asked-for revision is newer than the last committed one (a client that followed another, or a restored, store). */
export class FutureRevisionError extends Error {
  readonly currentRevision: number;
  constructor(asked: number, currentRevision: number) {
    super(`revision ${asked} has not happened yet (current: ${currentRevision})`);
    this.name = 'FutureRevisionError';
    this.currentRevision = currentRevision;
  }
}

/** The store cannot do what was asked: damaged, full, locked, of a newer version, overloaded. The message says what to do. */
export class StorageFailure extends Error {
  readonly code: 'damaged' | 'full' | 'locked' | 'newer' | 'busy' | 'closed' | 'io';
  constructor(code: StorageFailure['code'], message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'StorageFailure';
    this.code = code;
  }
}
