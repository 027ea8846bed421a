import { execFile } from 'node:child_process';
import { linkSync, lstatSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Makes overlayfs whiteouts (character device 0/0). Node has no mknod, so one is made with the machine's `mknod` and the others are
 * hard links to it. Kernels from 5.8 on allow it to everybody.
 */
export class Whiteouts {
  readonly #original: string;

  constructor(directory: string) {
    this.#original = join(directory, '.whiteout');
  }

  async make(paths: readonly string[]): Promise<void> {
    for (const path of paths) {
      try {
        linkSync(this.#original, path);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'EEXIST') continue;
        if (code !== 'ENOENT' && code !== 'EMLINK') throw error;
        await this.#create();
        linkSync(this.#original, path);
      }
    }
  }

  async #create(): Promise<void> {
    const fresh = `${this.#original}.new`;
    rmSync(fresh, { force: true });
    await run('mknod', [fresh, 'c', '0', '0']);
    renameSync(fresh, this.#original);
  }
}

/**
 * Overlayfs marks an opaque directory with an extended attribute, which Node cannot set. The same is said with plain whiteouts: one for
 * every name the parents have there and this layer has not. `parents`: unpacked layers below, topmost first. Returns the whiteouts to make.
 */
export function opaqueAsWhiteouts(layer: string, directory: string, parents: readonly string[]): readonly string[] {
  const wanted: string[] = [];
  for (const [name, isDirectory] of mergedEntries(parents, directory)) {
    const relative = join(directory, name);
    const own = lstatSync(join(layer, relative), { throwIfNoEntry: false });
    if (own === undefined) wanted.push(join(layer, relative));
    else if (own.isDirectory() && isDirectory) wanted.push(...opaqueAsWhiteouts(layer, relative, parents));
  }
  return wanted;
}

/** What a directory holds with all layers on top of each other: name → is it a directory. */
function mergedEntries(layers: readonly string[], directory: string): ReadonlyMap<string, boolean> {
  const entries = new Map<string, boolean>();
  const hidden = new Set<string>();
  for (const layer of layers) {
    const state = directoryState(layer, directory);
    if (state === 'other') break;
    if (state === 'absent') continue;
    for (const entry of readdirSync(join(layer, directory), { withFileTypes: true })) {
      if (entries.has(entry.name) || hidden.has(entry.name)) continue;
      if (entry.isCharacterDevice()) hidden.add(entry.name);
      else entries.set(entry.name, entry.isDirectory());
    }
  }
  return entries;
}

/** `other`: the layer replaces the path, or a parent of it, by something that is no directory and so ends what is below. */
function directoryState(layer: string, directory: string): 'directory' | 'absent' | 'other' {
  let path = layer;
  for (const part of directory.split('/').filter((part) => part !== '' && part !== '.')) {
    path = join(path, part);
    const info = lstatSync(path, { throwIfNoEntry: false });
    if (info === undefined) return 'absent';
    if (!info.isDirectory()) return 'other';
  }
  return 'directory';
}
