import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
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
 * Returns whether anything has changed. A pod waits for this, and the files are small: without turns of the thread pool, some thirty for
 * a service account's volume.
 */
export async function writeAtomically(directory: string, files: VolumeFiles, options: { now: number; gid?: number }): Promise<boolean> {
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  const current = currentOf(directory);
  if (current !== undefined && holds(join(directory, current), files)) return false;
  const stamp = new Date(options.now).toISOString().replaceAll(/[-:]/g, '_').replace('T', '_').replace('Z', '');
  const fresh = `..${stamp}.${Math.floor(Math.random() * 1e9)}`;
  mkdirSync(join(directory, fresh), { mode: 0o755 });
  for (const [path, file] of files) await writeOne(join(directory, fresh, path), file, options.gid);
  const link = join(directory, `${dataLink}_tmp`);
  rmSync(link, { force: true });
  symlinkSync(fresh, link);
  renameSync(link, join(directory, dataLink));
  linkNames(directory, files);
  if (current !== undefined) rmSync(join(directory, current), { recursive: true, force: true });
  return true;
}

function currentOf(directory: string): string | undefined {
  try {
    return readlinkSync(join(directory, dataLink));
  } catch {
    return undefined;
  }
}

async function writeOne(path: string, { data, mode }: VolumeFile, gid: number | undefined): Promise<void> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  writeFileSync(path, data);
  if (gid !== undefined) await tryToGive(path, process.getuid?.() ?? 0, gid);
  chmodSync(path, gid === undefined ? mode : mode | 0o440);
}

/** Makes the visible names follow `..data`, and takes away those that are no longer there. */
function linkNames(directory: string, files: VolumeFiles): void {
  const wanted = new Set([...files.keys()].map((path) => path.split('/')[0] ?? path));
  const present = readdirSync(directory);
  for (const name of present) if (!name.startsWith('..') && !wanted.has(name)) rmSync(join(directory, name), { force: true });
  for (const name of wanted) if (!present.includes(name)) symlinkSync(join(dataLink, name), join(directory, name));
}

function holds(directory: string, files: VolumeFiles): boolean {
  const present = listFiles(directory);
  if (present.length !== files.size) return false;
  return present.every((path) => {
    const wanted = files.get(path);
    if (wanted === undefined || !wanted.data.equals(readFileSync(join(directory, path)))) return false;
    const { mode } = lstatSync(join(directory, path));
    return (mode & wanted.mode) === wanted.mode;
  });
}

/** None where the directory is not there. */
function listFiles(directory: string): string[] {
  if (!existsSync(directory)) return [];
  const entries = readdirSync(directory, { withFileTypes: true, recursive: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1));
}
