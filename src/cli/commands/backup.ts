import { createWriteStream, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { UserError } from '#core/errors.ts';
import { silentLogger } from '#core/logger.ts';
import { SqliteStorage } from '#storage/sqlite-storage.ts';
import { connect } from '#cli/api.ts';
import { flagOption, type Invocation } from '#cli/command.ts';
import { layoutFor, runningStatus } from '#cli/platform.ts';
import { restoreBackup, writeBackup } from '#platform/backup.ts';
import { backupPath } from '#platform/control/routes.ts';
import type { Layout } from '#platform/layout.ts';

/** `dormouse backup FILE`: also while the platform runs; its image store only when it does not, because that changes under the copy. */
export async function backup(invocation: Invocation): Promise<number> {
  const layout = await layoutFor(invocation);
  const file = resolve(invocation.positionals[0] ?? '');
  if (!existsSync(layout.versionFile))
    throw new UserError(`there is no platform's data in ${layout.dataDir}`, { hint: "Give the platform's --data-dir." });
  if (!existsSync(dirname(file))) throw new UserError(`there is no directory ${dirname(file)}`);
  const images = flagOption(invocation, 'images');
  const running = (await runningStatus(layout)) !== undefined;
  if (running && images)
    throw new UserError('images are backed up only while the platform is stopped', { hint: 'Run "dormouse down" first.' });
  // Beside the data: the same disk, and readable by nobody else.
  const directory = mkdtempSync(join(layout.dataDir, 'backup-'));
  try {
    const database = join(directory, 'state.db');
    await (running ? fetchDatabase(invocation, database) : copyDatabase(layout, database));
    await writeBackup(layout, database, file, { images, now: new Date() });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  invocation.stdout.write(`Wrote ${file}. It holds the platform's keys and Secrets: keep it safe.\n`);
  if (!images) invocation.stdout.write('Images built or loaded here are not in it; with the platform stopped, --images adds them.\n');
  return 0;
}

async function fetchDatabase(invocation: Invocation, file: string): Promise<void> {
  const { client } = await connect(invocation);
  const { status, chunks } = await client.stream({ method: 'POST', path: backupPath, signal: invocation.signal });
  if (status !== 200)
    throw new UserError(`the platform did not give its database (${status})`, { hint: 'See "dormouse status" and its logs.' });
  await pipeline(chunks, createWriteStream(file, { mode: 0o600, flags: 'wx' }));
}

async function copyDatabase({ database }: Layout, file: string): Promise<void> {
  await using storage = await SqliteStorage.open({ file: database, logger: silentLogger });
  await storage.backup(file);
}

/** `dormouse restore FILE`: into a data directory that is missing or empty. */
export async function restore(invocation: Invocation): Promise<number> {
  const layout = await layoutFor(invocation);
  if ((await runningStatus(layout)) !== undefined) {
    throw new UserError(`a platform is running on ${layout.dataDir}`, {
      hint: 'Restore into a directory that is reset, or give another --data-dir.',
    });
  }
  const file = resolve(invocation.positionals[0] ?? '');
  const { createdAt, images } = await restoreBackup(layout, file);
  invocation.stdout.write(
    `Restored ${layout.dataDir} as of ${createdAt}${images ? ', images included' : '; images are fetched or built again'}. Start it with "dormouse up".\n`,
  );
  return 0;
}
