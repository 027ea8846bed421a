import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { storageFailure, toStorageFailure } from './sqlite-errors.ts';
import type { StorageFailure } from './storage.ts';

/** "DORM": tells our files from other SQLite databases. */
const applicationId = 0x444f524d;
/** A whole-file check costs about 1 ms a megabyte; bigger files are checked in their index only. */
const fullCheckBytes = 64 * 2 ** 20;

/** One step of the schema's history. Steps are only ever added; each runs once, in the transaction that records it. */
export interface Migration {
  readonly version: number;
  readonly sql: string;
}

/**
 * `log` holds every change; a row's rowid is its revision. `value` is NULL for a deletion, and the last column, so that
 * scans of the others do not read its overflow pages. `previous_revision` is the change it replaced, 0 when the key was
 * new. `current` says which change is a key's present one: two small columns, hence WITHOUT ROWID (for rows as large as
 * the values it would be slow). `horizon`: history before `compacted` is forgotten; up to `swept` it is also gone from disk.
 */
export const migrations: readonly Migration[] = [
  {
    version: 1,
    sql: `
      CREATE TABLE log (
        revision INTEGER PRIMARY KEY,
        key TEXT NOT NULL,
        create_revision INTEGER NOT NULL,
        previous_revision INTEGER NOT NULL,
        value TEXT
      ) STRICT;
      CREATE TABLE current (key TEXT PRIMARY KEY, revision INTEGER NOT NULL) STRICT, WITHOUT ROWID;
      CREATE TABLE horizon (id INTEGER PRIMARY KEY CHECK (id = 1), compacted INTEGER NOT NULL, swept INTEGER NOT NULL) STRICT;
      INSERT INTO horizon VALUES (1, 0, 0);
      PRAGMA application_id = ${applicationId};
    `,
  },
];

/**
 * Takes the data file for this process alone until the returned connection is closed or the process ends, however it ends.
 * The lock is the kernel's (a POSIX lock held by SQLite on `<file>.lock`), so nothing stale stays behind. It cannot be on
 * the data file itself, which this process reads through a second connection. Neither file may be opened and closed with
 * `node:fs` while this is held: POSIX drops a process's locks when any of its descriptors is closed.
 */
export function lockFile(file: string): DatabaseSync {
  createPrivately(`${file}.lock`);
  const lock = new DatabaseSync(`${file}.lock`, { timeout: 0 });
  try {
    lock.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock.close();
    throw toStorageFailure(error, file);
  }
}

/** Opens (or creates) the data file for writing, durable on every commit, checked and brought to the newest schema. */
export function openForWriting(file: string, steps: readonly Migration[] = migrations): DatabaseSync {
  createPrivately(file);
  const sizeBytes = statSync(file).size;
  const db = new DatabaseSync(file, { timeout: 5000 });
  try {
    // Only possible before the first table, and a write each time it is said.
    if (sizeBytes === 0) db.exec('PRAGMA auto_vacuum = INCREMENTAL');
    db.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      PRAGMA fullfsync = ON;
      PRAGMA wal_autocheckpoint = 500;
      PRAGMA journal_size_limit = ${32 * 2 ** 20};
      PRAGMA cache_size = -4000;
      PRAGMA temp_store = MEMORY;
      PRAGMA cell_size_check = ON;
    `);
    migrate(db, file, steps);
    checkIntegrity(db, file, sizeBytes);
    return db;
  } catch (error) {
    db.close();
    throw toStorageFailure(error, file);
  }
}

/** Opens the data file, which a writer of this process holds open, for reading. */
export function openForReading(file: string): DatabaseSync {
  const db = new DatabaseSync(file, { readOnly: true, timeout: 5000 });
  db.exec('PRAGMA cache_size = -2000; PRAGMA temp_store = MEMORY; PRAGMA cell_size_check = ON');
  return db;
}

function migrate(db: DatabaseSync, file: string, steps: readonly Migration[]): void {
  const newest = steps.at(-1)?.version ?? 0;
  const version = pragma(db, 'user_version');
  if (version === 0 && pragma(db, 'schema_version') !== 0) throw notOurs(file);
  if (version !== 0 && pragma(db, 'application_id') !== applicationId) throw notOurs(file);
  if (version > newest) throw storageFailure('newer', file, `schema ${version}, this version knows up to ${newest}`);
  for (const step of steps.filter((step) => step.version > version)) {
    db.exec(`BEGIN IMMEDIATE; ${step.sql}; PRAGMA user_version = ${step.version}; COMMIT`);
  }
}

function notOurs(file: string): StorageFailure {
  return storageFailure('damaged', file, 'it is not a Dormouse data file');
}

function checkIntegrity(db: DatabaseSync, file: string, sizeBytes: number): void {
  const scope = sizeBytes <= fullCheckBytes ? '1' : 'current';
  const result = db.prepare(`PRAGMA quick_check(${scope})`).get()?.quick_check;
  if (result !== 'ok') throw storageFailure('damaged', file, String(result));
}

export function pragma(db: DatabaseSync, name: string): number {
  return Number(db.prepare(`PRAGMA ${name}`).get()?.[name]);
}

/** Creates an empty file only its owner may read (Secrets are in it), and makes its directory entry durable. */
function createPrivately(file: string): void {
  if (existsSync(file)) return;
  const directory = dirname(file);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  closeSync(openSync(file, 'a', 0o600));
  syncDirectory(directory);
}

export function syncDirectory(directory: string): void {
  const descriptor = openSync(directory, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
