import { chmodSync, createReadStream, createWriteStream, existsSync, lstatSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { UserError } from '#core/errors.ts';
import type { Layout } from '#platform/layout.ts';
import { dataVersion, version } from '#platform/version.ts';

/** First entry of a backup. */
export interface BackupManifest {
  readonly format: 1;
  readonly dataVersion: number;
  readonly version: string;
  readonly createdAt: string;
  readonly images: boolean;
}

/** Of the image store only what nothing else can be made from: unpacked layers are made again from the blobs. */
const imageFiles = ['names.json', 'holds.json', 'blobs'];
const manifestName = 'dormouse-backup.json';
/** What a data directory is restored from; nothing else of an archive is written. */
const restorable = /^(state\.db|config\.yaml|ports\.json|version|pki\/.+|images\/(names\.json|holds\.json|blobs\/.+))$/;

/** Writes `file` (mode 0600, complete or not at all): the copied database, keys, configuration, and the image store when asked for. */
export async function writeBackup(
  layout: Layout,
  database: string,
  file: string,
  { images, now }: { images: boolean; now: Date },
): Promise<void> {
  if (existsSync(file)) throw new UserError(`${file} exists already`, { hint: 'A backup overwrites nothing; give another name.' });
  const { pack: newPack } = await import('tar-stream');
  const pack = newPack();
  const partial = `${file}.partial`;
  const manifest: BackupManifest = { format: 1, dataVersion, version, createdAt: now.toISOString(), images };
  const add = async () => {
    pack.entry({ name: manifestName, mode: 0o600 }, JSON.stringify(manifest));
    const files: (readonly [string, string])[] = [
      ['state.db', database],
      ...[
        layout.configFile,
        layout.stateFile,
        layout.versionFile,
        layout.pkiDir,
        ...(images ? imageFiles.map((name) => join(layout.imagesDir, name)) : []),
      ].flatMap((path) => filesUnder(path).map((one) => [relative(layout.dataDir, one), one] as const)),
    ];
    for (const [name, source] of files) {
      const { size, mode, mtime } = lstatSync(source);
      await pipeline(createReadStream(source), pack.entry({ name, size, mode: mode & 0o777, mtime }));
    }
    pack.finalize();
  };
  try {
    await Promise.all([
      add().catch((error: unknown) => pack.destroy(error as Error)),
      pipeline(pack, createWriteStream(partial, { mode: 0o600, flags: 'wx', flush: true })),
    ]);
    renameSync(partial, file);
  } catch (error) {
    rmSync(partial, { force: true });
    throw new UserError(`the backup ${file} cannot be written: ${(error as Error).message}`, { cause: error });
  }
}

function filesUnder(path: string): string[] {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found?.isFile() === true) return [path];
  if (found?.isDirectory() !== true) return [];
  return readdirSync(path).flatMap((name) => filesUnder(join(path, name)));
}

/** Fills a data directory that is missing or empty from a backup: all of it appears, or nothing. UserError says why not. */
export async function restoreBackup(layout: Layout, file: string): Promise<BackupManifest> {
  if (existsSync(layout.dataDir) && readdirSync(layout.dataDir).length > 0) {
    throw new UserError(`${layout.dataDir} is not empty`, {
      hint: 'Delete its data with "dormouse reset" first, or give another --data-dir.',
    });
  }
  if (!existsSync(file)) throw new UserError(`there is no file ${file}`);
  const partial = `${layout.dataDir}.restoring`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true, mode: 0o700 });
  try {
    const manifest = await unpack(file, partial);
    rmSync(layout.dataDir, { recursive: true, force: true });
    renameSync(partial, layout.dataDir);
    return manifest;
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    if (error instanceof UserError) throw error;
    throw new UserError(`${file} cannot be restored: ${(error as Error).message}`, { cause: error });
  }
}

async function unpack(file: string, directory: string): Promise<BackupManifest> {
  const { extract } = await import('tar-stream');
  const entries = extract();
  let manifest: BackupManifest | undefined;
  let database = false;
  const read = async () => {
    for await (const entry of entries) {
      const { name, mode, type } = entry.header;
      if (manifest === undefined) {
        manifest = checkManifest(file, name, name === manifestName ? await text(entry) : '');
        continue;
      }
      if (type !== 'file' || !restorable.test(name) || name.split('/').includes('..')) {
        throw new UserError(`${file} holds ${JSON.stringify(name)}, which is no part of a backup`, { hint: 'Nothing was restored.' });
      }
      const target = join(directory, name);
      mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
      await pipeline(entry, createWriteStream(target, { flags: 'wx', mode: 0o600, flush: true }));
      chmodSync(target, mode & 0o777);
      if (name === 'state.db') database = true;
    }
  };
  await Promise.all([pipeline(createReadStream(file), entries), read()]);
  if (manifest === undefined || !database) throw notABackup(file);
  return manifest;
}

function checkManifest(file: string, name: string, content: string): BackupManifest {
  if (name !== manifestName) throw notABackup(file);
  const manifest = JSON.parse(content) as BackupManifest;
  if (manifest.format !== 1 || manifest.dataVersion > dataVersion) {
    throw new UserError(`${file} was written by a newer dormouse (${manifest.version}, this is ${version})`, {
      hint: 'Restore it with that version.',
    });
  }
  return manifest;
}

function notABackup(file: string): UserError {
  return new UserError(`${file} is not a complete backup of dormouse`, { hint: 'Nothing was restored.' });
}

async function text(chunks: AsyncIterable<unknown>): Promise<string> {
  let all = '';
  for await (const chunk of chunks) all += String(chunk);
  return all;
}
