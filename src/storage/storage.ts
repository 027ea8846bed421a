/**
 * A revisioned key-value log with watch: what the API server stands on. Values are opaque text (encoded JSON objects).
 * One revision counter for the whole store; every successful write gets the next one.
 */
export interface Storage extends AsyncDisposable {
  /** The last committed revision. */
  readonly revision: number;
  /** The oldest revision a watch may still start after; earlier ones fail with CompactedError. */
  readonly compactedRevision: number;

  get(key: string): Promise<Entry | undefined>;
  /**
   * Entries whose key starts with `prefix`, in key order (bytes), as of one revision.
   * `after` continues behind that key; `revision` reads an earlier retained state (CompactedError when it is gone).
   */
  list(
    prefix: string,
    options?: { after?: string; limit?: number; revision?: number },
  ): Promise<{ entries: Entry[]; revision: number; more: boolean }>;
  /**
   * Writes one key. Resolves only when the change is durable (fdatasync of the log has returned).
   * `expected` 0 means the key must not exist; a positive one must equal its modRevision. A mismatch resolves
   * `{ ok: false, current }` and writes nothing. `value` null deletes.
   */
  write(write: Write): Promise<WriteResult>;
  /**
   * Every committed change after `afterRevision` under `prefix`, in revision order, old ones from the log first.
   * Events of one transaction are delivered in one call. Throws CompactedError when history no longer reaches back.
   */
  watch(prefix: string, afterRevision: number, listener: (events: readonly StorageEvent[]) => void): Promise<Watch>;
  /** Forgets history up to `revision` (current values stay). */
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
  /** The value before this change; undefined when the key is new. */
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

/** The data directory cannot be used: damaged, full, locked, or of a newer version. The message says what to do. */
export class StorageFailure extends Error {
  readonly code: 'damaged' | 'full' | 'locked' | 'newer' | 'closed' | 'io';
  constructor(code: StorageFailure['code'], message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'StorageFailure';
    this.code = code;
  }
}
