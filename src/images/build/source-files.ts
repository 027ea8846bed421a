import { readFile, readdir, readlink, stat } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { UserError } from '#core/errors.ts';
import { ignoreRules } from './ignore.ts';
import type { LayerEntry } from './layer-writer.ts';

/** Never part of an image, unless an ignore file says `!name`. */
const always =
  '.git\n.hg\n.svn\n.DS_Store\n**/.DS_Store\n.dormouseignore\n.dockerignore\nDockerfile\n.env.local\nnode_modules/.cache\nnode_modules/.package-lock.json\n';

export interface SourceFiles {
  readonly code: readonly LayerEntry[];
  /** What lies under a directory called node_modules. */
  readonly dependencies: readonly LayerEntry[];
  /** What was left out and why, for the user. */
  readonly notes: readonly string[];
}

/** Reads a source directory into entries under `prefix`. Sockets and devices are left out, and links that lead outside; the others stay links. */
export async function sourceFiles(directory: string, prefix: string): Promise<SourceFiles> {
  const ignored = ignoreRules(always + (await ignoreText(directory)));
  const code: LayerEntry[] = [];
  const dependencies: LayerEntry[] = [];
  const notes: string[] = [];
  const walk = async (relative: string): Promise<void> => {
    const entries = await readdir(join(directory, relative), { withFileTypes: true });
    for (const entry of entries) {
      const path = relative === '' ? entry.name : `${relative}/${entry.name}`;
      const target = path.split('/').includes('node_modules') ? dependencies : code;
      if (entry.isDirectory()) {
        // A directory that is ignored is still read: a later `!` rule may bring part of it back.
        if (!ignored(path) || path !== 'node_modules') {
          if (!ignored(path)) target.push({ type: 'directory', path: `${prefix}/${path}` });
          if (path !== '.git') await walk(path);
        }
      } else if (ignored(path)) continue;
      else if (entry.isSymbolicLink()) {
        const link = await readlink(join(directory, path));
        if (leaves(path, link)) notes.push(`left out ${path}: a symbolic link to ${link}, outside the directory`);
        else target.push({ type: 'symlink', path: `${prefix}/${path}`, target: link });
      } else if (entry.isFile()) target.push(await fileEntry(join(directory, path), `${prefix}/${path}`));
    }
  };
  await walk('');
  return { code, dependencies, notes };
}

function leaves(path: string, link: string): boolean {
  if (link.startsWith('/')) return true;
  const resolved = posix.join(posix.dirname(path), link);
  return resolved === '..' || resolved.startsWith('../');
}

async function fileEntry(source: string, path: string): Promise<LayerEntry> {
  const { size, mode } = await stat(source);
  return { type: 'file', path, source, sizeBytes: size, executable: (mode & 0o111) !== 0 };
}

async function ignoreText(directory: string): Promise<string> {
  for (const name of ['.dormouseignore', '.dockerignore']) {
    try {
      return await readFile(join(directory, name), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw new UserError(`cannot read ${join(directory, name)}`, { cause: error });
    }
  }
  return '';
}
