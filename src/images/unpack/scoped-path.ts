import { lstatSync, mkdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { imageFault } from '../errors.ts';

const maxHops = 40;

/**
 * Turns names of a tar archive into paths that lie inside `root`, whatever symbolic links the archive made before. Works because
 * nobody else writes to `root` meanwhile.
 */
export class ScopedPaths {
  readonly #root: string;
  /** Directories known to be real ones, relative to the root. */
  readonly #known = new Set<string>(['']);

  constructor(root: string) {
    this.#root = root;
  }

  /** Clean relative name: no leading `/`, no `.`; `..` is refused. '' is the root itself. */
  static clean(name: string): string {
    const parts = name.split('/').filter((part) => part !== '' && part !== '.');
    if (parts.includes('..')) throw imageFault('LAYER_INVALID', `entry ${JSON.stringify(name)} leads outside the layer`);
    if (name.includes('\0') || name.length > 4096) throw imageFault('LAYER_INVALID', 'entry has an impossible name');
    return parts.join('/');
  }

  /**
   * Path relative to the root where `name`'s parent really is (links followed inside the root, missing directories made) plus its
   * last part, which is not followed.
   */
  locate(name: string): string {
    const slash = name.lastIndexOf('/');
    if (slash < 0) return name;
    const parent = name.slice(0, slash);
    const real = this.#known.has(parent) ? parent : this.#resolve(parent.split('/'));
    return real === '' ? name.slice(slash + 1) : `${real}/${name.slice(slash + 1)}`;
  }

  absolute(relative: string): string {
    return join(this.#root, relative);
  }

  /** Must be called when something that may have been a directory is gone. */
  forget(relative: string): void {
    for (const known of this.#known) {
      if (known === relative || known.startsWith(`${relative}/`)) this.#known.delete(known);
    }
  }

  /** Whether `relative`, as `locate` once gave it, still lies below real directories: none has been replaced by a link meanwhile. */
  isStillThere(relative: string): boolean {
    const parts = relative.split('/').slice(0, -1);
    return parts.every((_, index) => {
      const parent = parts.slice(0, index + 1).join('/');
      return this.#known.has(parent) || (lstatSync(this.absolute(parent), { throwIfNoEntry: false })?.isDirectory() ?? false);
    });
  }

  #resolve(parts: string[]): string {
    let done = '';
    const rest = [...parts];
    for (let hops = 0; rest.length > 0;) {
      const part = rest.shift() ?? '';
      if (part === '' || part === '.') continue;
      if (part === '..') {
        done = done.includes('/') ? done.slice(0, done.lastIndexOf('/')) : '';
        continue;
      }
      const next = done === '' ? part : `${done}/${part}`;
      const target = this.#known.has(next) ? undefined : this.#link(next);
      if (target === undefined) {
        this.#known.add(next);
        done = next;
        continue;
      }
      hops += 1;
      if (hops > maxHops) throw imageFault('LAYER_INVALID', `too many levels of symbolic links at ${JSON.stringify(next)}`);
      if (target.startsWith('/')) done = '';
      rest.unshift(...target.split('/'));
    }
    return done;
  }

  /** Target of a symbolic link; undefined for a directory, which is made where nothing is. */
  #link(relative: string): string | undefined {
    const path = this.absolute(relative);
    const info = lstatSync(path, { throwIfNoEntry: false });
    if (info === undefined) {
      mkdirSync(path, 0o755);
      return undefined;
    }
    if (info.isSymbolicLink()) return readlinkSync(path);
    if (!info.isDirectory()) throw imageFault('LAYER_INVALID', `an entry lies under ${JSON.stringify(relative)}, which is no directory`);
    return undefined;
  }
}
