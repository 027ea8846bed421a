import { chmod, lstat, mkdir, readFile, readdir, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { tryToGive } from '#node/volumes/ownership.ts';

export interface VolumeFile {
  readonly data: Buffer;
  readonly mode: number;
}

/** Files by path relative to the volume (`a`, `dir/b`). */
export type VolumeFiles = ReadonlyMap<string, VolumeFile>;

const dataLink = '..data';

/**
 * Brings a directory to the given content so that readers see all of the old or all of the new: files live in a dated
 * directory, `..data` points to it, and each name points through `..data` (the layout kubelet uses and programs watch for).
 * Returns whether anything has changed.
 */
export async function writeAtomically(directory: string, files: VolumeFiles, options: { now: number; gid?: number }): Promise<boolean> {
  await mkdir(directory, { recursive: true, mode: 0o755 });
  const current = await readlink(join(directory, dataLink)).catch(() => undefined);
  if (current !== undefined && (await holds(join(directory, current), files))) return false;
  const stamp = new Date(options.now).toISOString().replaceAll(/[-:]/g, '_').replace('T', '_').replace('Z', '');
  const fresh = `..${stamp}.${Math.floor(Math.random() * 1e9)}`;
  await mkdir(join(directory, fresh), { mode: 0o755 });
  for (const [path, file] of files) await writeOne(join(directory, fresh, path), file, options.gid);
  await symlink(fresh, join(directory, `${dataLink}_tmp`)).catch(async () => {
    await rm(join(directory, `${dataLink}_tmp`), { force: true });
    await symlink(fresh, join(directory, `${dataLink}_tmp`));
  });
  await rename(join(directory, `${dataLink}_tmp`), join(directory, dataLink));
  await linkNames(directory, files);
  if (current !== undefined) await rm(join(directory, current), { recursive: true, force: true });
  return true;
}

async function writeOne(path: string, { data, mode }: VolumeFile, gid: number | undefined): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  await writeFile(path, data);
  if (gid !== undefined) await tryToGive(path, process.getuid?.() ?? 0, gid);
  await chmod(path, gid === undefined ? mode : mode | 0o440);
}

/** Makes the visible names follow `..data`, and takes away those that are no longer there. */
async function linkNames(directory: string, files: VolumeFiles): Promise<void> {
  const wanted = new Set([...files.keys()].map((path) => path.split('/')[0] ?? path));
  const present = await readdir(directory);
  for (const name of present) if (!name.startsWith('..') && !wanted.has(name)) await rm(join(directory, name), { force: true });
  for (const name of wanted) if (!present.includes(name)) await symlink(join(dataLink, name), join(directory, name));
}

async function holds(directory: string, files: VolumeFiles): Promise<boolean> {
  const present = await listFiles(directory).catch((): string[] => []);
  if (present.length !== files.size) return false;
  for (const path of present) {
    const wanted = files.get(path);
    if (wanted === undefined || !wanted.data.equals(await readFile(join(directory, path)))) return false;
    const { mode } = await lstat(join(directory, path));
    if ((mode & wanted.mode) !== wanted.mode) return false;
  }
  return true;
}

async function listFiles(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true, recursive: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1));
}
