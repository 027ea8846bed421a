import { StorageFailure } from './storage.ts';

/** Primary SQLite result codes (sqlite.org/rescode.html) that mean something particular to us. */
const primary = { busy: 5, corrupt: 11, full: 13, cantOpen: 14, notADatabase: 26 } as const;
/** Growing the shared-memory index failed, which happens on a full disk only. */
const sharedMemorySize = 4874;

/** What each failure says about `file`. The text ends with what to do. */
const messages = {
  damaged: (file: string, detail: string) =>
    `the data file ${file} is damaged (${detail}). Restore a backup: copy it to ${file} and delete ${file}-wal and ${file}-shm; or start empty with "dormouse reset"`,
  full: (file: string) =>
    `no space left for the data file ${file}; the change was not made. Free some space and try again: nothing else is needed`,
  locked: (file: string) =>
    `the data file ${file} is in use by another process. Stop it ("dormouse down"), or choose another directory with --data-dir`,
  newer: (file: string, detail: string) =>
    `the data file ${file} was written by a newer version (${detail}). Run that version, or restore a backup made by this one`,
  busy: () => 'too many writes are waiting for the disk; nothing was written. Try again shortly',
  closed: () => 'the storage has been closed',
  io: (file: string, detail: string) =>
    `the data file ${file} cannot be read or written (${detail}). Check the disk and the directory's permissions, then restart`,
} satisfies Record<StorageFailure['code'], (file: string, detail: string) => string>;

export function storageFailure(code: StorageFailure['code'], file: string, detail = '', cause?: unknown): StorageFailure {
  return new StorageFailure(code, messages[code](file, detail.replaceAll(/\s+/g, ' ')), cause);
}

/** The failure an error thrown by `node:sqlite` (or by a file call around it) stands for. */
export function toStorageFailure(error: unknown, file: string): StorageFailure {
  if (error instanceof StorageFailure) return error;
  const { code, detail } = classify(error);
  return storageFailure(code, file, detail, error);
}

function classify(error: unknown): { code: StorageFailure['code']; detail: string } {
  const { errcode, code, message } = error as { errcode?: number; code?: string; message?: string };
  const detail = message ?? String(error);
  if (errcode === undefined) return { code: code === 'ENOSPC' || code === 'EDQUOT' ? 'full' : 'io', detail };
  if (errcode === sharedMemorySize) return { code: 'full', detail };
  switch (errcode & 0xff) {
    case primary.full:
      return { code: 'full', detail };
    case primary.corrupt:
    case primary.notADatabase:
      return { code: 'damaged', detail };
    case primary.busy:
      return { code: 'locked', detail };
    default:
      return { code: 'io', detail: `${detail}, SQLite code ${errcode}` };
  }
}
