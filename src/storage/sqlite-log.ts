import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { openForWriting, pragma } from './sqlite-file.ts';
import type { Entry, Write } from './storage.ts';

/** What became of one write. */
export type Outcome =
  | {
      readonly ok: true;
      readonly revision: number;
      readonly createRevision: number;
      /** The change it replaced, 0 when the key was new. */
      readonly previousRevision: number;
      /** Of a deletion: the value it removed. */
      readonly removed?: string;
    }
  | { readonly ok: false; readonly current: Entry | undefined };

/** Freed pages are given back to the file system beyond this many, and beyond a quarter of the file. */
const spareFreePages = 2000;

/**
 * The writing side of a data file, synchronous: it belongs into a thread of its own. After an error that is not `full`
 * the object must not be used any more: whether the failed commit reached the disk is unknown then.
 */
export class SqliteLog implements Disposable {
  readonly #db: DatabaseSync;
  readonly #statements: ReturnType<typeof prepareStatements>;
  #revision: number;
  #compacted: number;
  #swept: number;

  constructor(file: string) {
    this.#db = openForWriting(file);
    this.#statements = prepareStatements(this.#db);
    this.#revision = Number(this.#db.prepare('SELECT max(revision) AS revision FROM log').get()?.revision ?? 0);
    const horizon = this.#db.prepare('SELECT compacted, swept FROM horizon').get();
    this.#compacted = Number(horizon?.compacted);
    this.#swept = Number(horizon?.swept);
  }

  get revision(): number {
    return this.#revision;
  }

  get compacted(): number {
    return this.#compacted;
  }

  /** Applies the writes in order in one transaction. When it returns they are on the disk; when it throws none of them is. */
  commit(writes: readonly Write[]): Outcome[] {
    const before = this.#revision;
    return this.#transaction(
      () => writes.map((write) => this.#apply(write)),
      () => (this.#revision = before),
    );
  }

  /** Forgets history before `revision`; the space is freed by `sweep`. */
  compact(revision: number): void {
    if (revision <= this.#compacted) return;
    this.#transaction(() => this.#statements.setCompacted.run(revision));
    this.#compacted = revision;
  }

  /**
   * Frees forgotten history, a bounded bit per call; false when there is nothing left to do. A change is unreadable once
   * its successor is at or before `compacted`; a deletion once it is itself. The newest change always stays: it says
   * which revision comes next.
   */
  sweep(maxRows: number): boolean {
    const end = Math.min(this.#compacted, this.#revision - 1, this.#swept + maxRows);
    if (end <= this.#swept) return false;
    const { supersededBetween, deletionsBetween, removeChange, setSwept } = this.#statements;
    this.#transaction(() => {
      for (const select of [supersededBetween, deletionsBetween])
        for (const { revision } of select.all(this.#swept, end)) removeChange.run(Number(revision));
      setSwept.run(end);
    });
    this.#swept = end;
    return true;
  }

  /** Returns some free pages to the file system; false when there are few. */
  vacuum(maxPages: number): boolean {
    const free = pragma(this.#db, 'freelist_count');
    if (free < Math.max(spareFreePages, pragma(this.#db, 'page_count') / 4)) return false;
    this.#db.exec(`PRAGMA incremental_vacuum(${maxPages})`);
    return true;
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }

  #apply({ key, value, expected }: Write): Outcome {
    const { currentOf, append, setCurrent, insertCurrent, deleteCurrent } = this.#statements;
    const found = currentOf.get(key);
    const at = Number(found?.revision ?? 0);
    if ((expected !== undefined && expected !== at) || (value === null && at === 0)) {
      return { ok: false, current: at === 0 ? undefined : this.#entryAt(key, at) };
    }
    const removed = value === null ? { removed: this.#entryAt(key, at).value } : {};
    const revision = ++this.#revision;
    const createRevision = Number(found?.create_revision ?? revision);
    append.run(revision, key, createRevision, at, value);
    if (value === null) deleteCurrent.run(key);
    else if (at === 0) insertCurrent.run(key, revision);
    else setCurrent.run(revision, key);
    return { ok: true, revision, createRevision, previousRevision: at, ...removed };
  }

  #entryAt(key: string, modRevision: number): Entry {
    const row = this.#statements.change.get(modRevision);
    return { key, value: String(row?.value), createRevision: Number(row?.create_revision), modRevision };
  }

  #transaction<T>(body: () => T, onFailure: () => void = () => {}): T {
    try {
      this.#statements.begin.run();
      const result = body();
      this.#statements.commit.run();
      return result;
    } catch (error) {
      onFailure();
      // SQLite rolls back by itself on some errors (full, out of memory, I/O).
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }
}

function prepareStatements(db: DatabaseSync) {
  const prepare = (sql: string): StatementSync => db.prepare(sql);
  return {
    begin: prepare('BEGIN IMMEDIATE'),
    commit: prepare('COMMIT'),
    // The value is the last column: reading the ones before it touches no overflow page.
    currentOf: prepare('SELECT current.revision, log.create_revision FROM current CROSS JOIN log USING (revision) WHERE current.key = ?'),
    change: prepare('SELECT create_revision, value FROM log WHERE revision = ?'),
    append: prepare('INSERT INTO log (revision, key, create_revision, previous_revision, value) VALUES (?, ?, ?, ?, ?)'),
    insertCurrent: prepare('INSERT INTO current (key, revision) VALUES (?, ?)'),
    setCurrent: prepare('UPDATE current SET revision = ? WHERE key = ?'),
    deleteCurrent: prepare('DELETE FROM current WHERE key = ?'),
    supersededBetween: prepare(
      'SELECT previous_revision AS revision FROM log WHERE revision > ? AND revision <= ? AND previous_revision > 0',
    ),
    deletionsBetween: prepare('SELECT revision FROM log WHERE revision > ? AND revision <= ? AND value IS NULL'),
    removeChange: prepare('DELETE FROM log WHERE revision = ?'),
    setCompacted: prepare('UPDATE horizon SET compacted = ?'),
    setSwept: prepare('UPDATE horizon SET swept = ?'),
  };
}
