import { existsSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { UserError } from '#core/errors.ts';

/** Less than this and the processes cannot even write their first log lines. */
const leastBytes = 16 * 2 ** 20;

/** Bytes that can be written into a directory (or where it will be made). */
export function freeBytes(directory: string): number {
  let present = directory;
  while (!existsSync(present) && dirname(present) !== present) present = dirname(present);
  const { bavail, bsize } = statfsSync(present);
  return bavail * bsize;
}

/** Throws a UserError where the disk is too full for a platform to start. Asked before its logs, which need that disk too. */
export function requireDiskSpace(dataDir: string): void {
  const free = freeBytes(dataDir);
  if (free >= leastBytes) return;
  throw new UserError(`no space left on the disk of ${dataDir} (${(free / 2 ** 20).toFixed(1)} MB free)`, {
    hint: `Free some space, or give another --data-dir. Nothing is lost: what is there is found again.`,
  });
}
