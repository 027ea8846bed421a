import { type Dirent } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { buildErrors } from './errors.ts';
import type { IgnoreRules } from './ignore-file.ts';
import type { TarEntry } from './tar-writer.ts';

/** Where the project lies in the image. */
export const appDirectory = 'app';

/** The entries of a project, each list sorted and complete with the directories above each entry. */
export interface SourceTree {
  readonly code: readonly TarEntry[];
  /** All below a directory called node_modules. */
  readonly dependencies: readonly TarEntry[];
  /** What was left out and why, for the user. */
  readonly notes: readonly string[];
}

interface Walk {
  readonly root: string;
  readonly rules: IgnoreRules;
  readonly signal: AbortSignal;
  readonly code: TarEntry[];
  readonly dependencies: TarEntry[];
  readonly notes: string[];
}

/**
 * Lists a project's files: those of the code without what `rules` ignore, and those of the dependencies. Never follows a symbolic
 * link, and leaves out links that lead outside. Owners and times are dropped and modes are normal, so that two checkouts of one
 * commit give the same entries.
 */
export async function readSourceTree(root: string, rules: IgnoreRules, signal: AbortSignal): Promise<SourceTree> {
  const walk: Walk = { root, rules, signal, code: [], dependencies: [], notes: [] };
  await visit(walk, '', false);
  return { code: complete(walk.code), dependencies: complete(walk.dependencies), notes: walk.notes };
}

async function visit(walk: Walk, directory: string, inDependencies: boolean): Promise<void> {
  walk.signal.throwIfAborted();
  const names = await readdir(join(walk.root, directory), { withFileTypes: true }).catch((error: unknown) => {
    throw buildErrors.sourceUnreadable(directory === '' ? walk.root : directory, error);
  });
  for (const found of names) {
    const path = posix.join(directory, found.name);
    if (found.name === '.git' || (inDependencies && found.name === '.cache')) continue;
    // npm's note to itself: says nothing at run time, and when it was written.
    if (inDependencies && found.name === '.package-lock.json') continue;
    const dependency = inDependencies || found.name === 'node_modules';
    const ignored = !dependency && walk.rules.ignores(path);
    if (found.isDirectory()) {
      if (!ignored) (dependency ? walk.dependencies : walk.code).push(directoryEntry(path));
      if (!ignored || walk.rules.hasExceptions) await visit(walk, path, dependency);
    } else if (!ignored) {
      const entry = await entryOf(walk, path, found);
      if (entry !== undefined) (dependency ? walk.dependencies : walk.code).push(entry);
    }
  }
}

async function entryOf(walk: Walk, path: string, found: Dirent): Promise<TarEntry | undefined> {
  const file = join(walk.root, path);
  if (found.isSymbolicLink()) {
    const target = await readlink(file);
    if (!leaves(path, target)) return { type: 'symlink', path: posix.join(appDirectory, path), target };
    walk.notes.push(`left out ${path}: a symbolic link to ${target}, outside the project`);
    return undefined;
  }
  if (!found.isFile()) {
    walk.notes.push(`left out ${path}: neither a file nor a directory`);
    return undefined;
  }
  const { mode, size } = await lstat(file);
  return {
    type: 'file',
    path: posix.join(appDirectory, path),
    mode: (mode & 0o111) === 0 ? 0o644 : 0o755,
    content: { file, sizeBytes: size },
  };
}

function leaves(path: string, target: string): boolean {
  if (target.startsWith('/')) return true;
  const resolved = posix.join(posix.dirname(path), target);
  return resolved === '..' || resolved.startsWith('../');
}

function directoryEntry(path: string): TarEntry {
  return { type: 'directory', path: posix.join(appDirectory, path), mode: 0o755 };
}

/** Sorts by path and adds the directories that are missing, so that unpacking one layer alone gives them their modes. */
function complete(entries: readonly TarEntry[]): readonly TarEntry[] {
  if (entries.length === 0) return [];
  const byPath = new Map<string, TarEntry>();
  for (const entry of entries) {
    for (let parent = posix.dirname(entry.path); parent !== '.' && !byPath.has(parent); parent = posix.dirname(parent)) {
      byPath.set(parent, { type: 'directory', path: parent, mode: 0o755 });
    }
    byPath.set(entry.path, entry);
  }
  return sortEntries([...byPath.values()]);
}

/** In the order of their paths' code units, which does not depend on the machine's locale; a directory comes before what it holds. */
export function sortEntries(entries: readonly TarEntry[]): readonly TarEntry[] {
  return entries.toSorted((one, other) => (one.path < other.path ? -1 : Number(one.path > other.path)));
}
