import type { DatabaseSync, SQLOutputValue, StatementSync } from 'node:sqlite';
import { compareKeys, prefixEnd } from './keys.ts';
import { openForReading } from './sqlite-file.ts';
import { CompactedError, FutureRevisionError } from './storage.ts';
import type { Entry, KeyRevision, StorageEvent } from './storage.ts';

/** Compares above every key: in SQLite any BLOB is above any TEXT. */
const aboveAllKeys = new Uint8Array(0);

/**
 * The reading side of a data file: synchronous, microseconds for an entry, about 1.5 ms for 1000. Every call sees one
 * committed state, at least as new as any write whose commit has returned.
 */
export class SqliteReader implements Disposable {
  readonly #db: DatabaseSync;
  readonly #statements: ReturnType<typeof prepareStatements>;

  constructor(file: string) {
    this.#db = openForReading(file);
    this.#statements = prepareStatements(this.#db);
  }

  get(key: string): Entry | undefined {
    const row = this.#statements.get.get(key);
    return row === undefined ? undefined : toEntry(row);
  }

  list(
    prefix: string,
    { after, limit, revision }: { after?: string | undefined; limit?: number | undefined; revision?: number | undefined },
  ): { entries: Entry[]; revision: number; more: boolean } {
    // No key holds a NUL, so the smallest string after `after` is `after` with one.
    const from = after === undefined || compareKeys(after, prefix) < 0 ? prefix : `${after}\0`;
    const end = prefixEnd(prefix) ?? aboveAllKeys;
    // One more than asked for tells whether there are more. SQLite takes -1 as no limit.
    const rows = limit === undefined ? -1 : limit + 1;
    return this.#snapshot((head) => {
      const at = revision ?? head;
      this.#checkRetained(at, head);
      const found = at === head ? this.#statements.list.all(from, end, rows).map(toEntry) : this.#listEarlier(from, end, rows, at);
      const entries = limit === undefined ? found : found.slice(0, limit);
      return { entries, revision: at, more: found.length > entries.length };
    });
  }

  /**
   * The changes of up to `maxRevisions` revisions after `after` that are under `prefix`; `end` is the revision the answer
   * reaches to, `head` the newest one.
   */
  history(prefix: string, after: number, maxRevisions: number): { events: StorageEvent[]; end: number; head: number } {
    return this.#snapshot((head) => {
      this.#checkRetained(after, head);
      const end = Math.min(head, after + maxRevisions);
      const rows = this.#statements.history.all(after, end, prefix, prefixEnd(prefix) ?? aboveAllKeys);
      return { events: rows.map(toEvent), end, head };
    });
  }

  /** The value the change `revision` wrote; CompactedError when it is gone, or was a deletion. */
  valueOf(revision: number): string {
    const value = this.#statements.value.get(revision)?.value;
    if (typeof value !== 'string') throw new CompactedError(Number(this.#statements.compacted.get()?.compacted));
    return value;
  }

  valuesOf(revisions: readonly number[]): string[] {
    return this.#snapshot(() => revisions.map((revision) => this.valueOf(revision)));
  }

  index(): { entries: KeyRevision[]; revision: number } {
    return this.#snapshot((revision) => ({
      entries: this.#statements.index.all().map((row) => ({ key: String(row.key), modRevision: Number(row.revision) })),
      revision,
    }));
  }

  /** The newest revision on disk. */
  head(): number {
    return Number(this.#statements.head.get()?.revision ?? 0);
  }

  countKeys(): number {
    return Number(this.#statements.count.get()?.keys);
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }

  /**
   * A key's change as of `revision` is its current one if that is not later; else what the first later change replaced.
   */
  #listEarlier(from: string, end: string | Uint8Array, rows: number, revision: number): Entry[] {
    const { listEarlier, change } = this.#statements;
    return listEarlier
      .all({ from, end, rows, revision })
      .map((row) => change.get(Number(row.revision)))
      .filter((row) => row !== undefined)
      .map(toEntry);
  }

  #checkRetained(revision: number, head: number): void {
    if (revision > head) throw new FutureRevisionError(revision, head);
    if (revision === head) return;
    const compacted = Number(this.#statements.compacted.get()?.compacted);
    if (revision < compacted) throw new CompactedError(compacted);
  }

  /** One transaction: one state, and the file's locks are taken once. */
  #snapshot<T>(read: (head: number) => T): T {
    this.#statements.begin.run();
    try {
      return read(this.head());
    } finally {
      this.#statements.end.run();
    }
  }
}

type Row = Record<string, SQLOutputValue>;

function toEntry(row: Row): Entry {
  return {
    key: String(row.key),
    value: String(row.value),
    createRevision: Number(row.create_revision),
    modRevision: Number(row.revision),
  };
}

function toEvent(row: Row): StorageEvent {
  const previous = row.previous === null ? undefined : String(row.previous);
  return {
    type: row.value === null ? 'delete' : 'put',
    key: String(row.key),
    revision: Number(row.revision),
    value: row.value === null ? (previous ?? '') : String(row.value),
    previous,
    createRevision: Number(row.create_revision),
  };
}

function prepareStatements(db: DatabaseSync) {
  const prepare = (sql: string): StatementSync => db.prepare(sql);
  const columns = 'log.key, log.value, log.create_revision, log.revision';
  return {
    begin: prepare('BEGIN'),
    end: prepare('COMMIT'),
    head: prepare('SELECT max(revision) AS revision FROM log'),
    compacted: prepare('SELECT compacted FROM horizon'),
    count: prepare('SELECT count(*) AS keys FROM current'),
    change: prepare(`SELECT ${columns} FROM log WHERE revision = ?`),
    value: prepare('SELECT value FROM log WHERE revision = ?'),
    index: prepare('SELECT key, revision FROM current ORDER BY key'),
    get: prepare(`SELECT ${columns} FROM current CROSS JOIN log USING (revision) WHERE current.key = ?`),
    list: prepare(`
      SELECT ${columns} FROM current CROSS JOIN log USING (revision)
      WHERE current.key >= ? AND current.key < ? ORDER BY current.key LIMIT ?`),
    listEarlier: prepare(`
      SELECT key, revision FROM current WHERE key >= :from AND key < :end AND revision <= :revision
      UNION ALL
      SELECT key, previous_revision FROM (
        SELECT key, min(revision), previous_revision FROM log
        WHERE revision > :revision AND key >= :from AND key < :end GROUP BY key
      ) WHERE previous_revision > 0
      ORDER BY key LIMIT :rows`),
    history: prepare(`
      SELECT log.key, log.value, log.create_revision, log.revision, before.value AS previous
      FROM log LEFT JOIN log AS before ON before.revision = log.previous_revision
      WHERE log.revision > ? AND log.revision <= ? AND log.key >= ? AND log.key < ? ORDER BY log.revision`),
  };
}
