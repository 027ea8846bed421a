import { createHash, randomUUID } from 'node:crypto';
import { lstat, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Readable } from 'node:stream';
import { imageFault } from '../errors.ts';
import { type UnpackLimits, defaultLimits, unpackLayer } from '../unpack/unpack-layer.ts';
import { Unsynced } from './unsynced.ts';
import { Whiteouts } from '../unpack/whiteouts.ts';

/**
 * Unpacked layers, shared by all images. A directory named by a layer's diffID is complete and verified. A layer that hides whole
 * directories of the layers below is named by the chain instead, because its whiteouts depend on them.
 */
export class LayerStore {
  readonly #directory: string;
  readonly #whiteouts: Whiteouts;
  readonly #keepOwners: boolean;
  readonly #limits: UnpackLimits;
  readonly #unsynced: Unsynced;
  readonly #unpacking = new Map<string, Promise<string>>();

  private constructor(directory: string, unsynced: Unsynced, options: { keepOwners: boolean; limits?: UnpackLimits }) {
    this.#directory = join(directory, 'layers');
    this.#unsynced = unsynced;
    this.#whiteouts = new Whiteouts(this.#directory);
    this.#keepOwners = options.keepOwners;
    this.#limits = options.limits ?? defaultLimits;
  }

  static async open(directory: string, options: { keepOwners: boolean; limits?: UnpackLimits }): Promise<LayerStore> {
    // Containers enter through it as users that are not the owner.
    await mkdir(join(directory, 'layers', 'empty'), { recursive: true, mode: 0o755 });
    const store = new LayerStore(directory, await Unsynced.open(join(directory, 'layers')), options);
    for (const name of await readdir(store.#directory)) {
      if (name.startsWith('.unpack-')) await rm(join(store.#directory, name), { recursive: true, force: true });
    }
    return store;
  }

  /** Lower directory of an image without layers. */
  get empty(): string {
    return join(this.#directory, 'empty');
  }

  /** Directory of a layer on top of `parents` (topmost first), unpacked from `source` unless it is there. Callers for one layer share the work. */
  async ensure(diffId: string, parents: readonly string[], source: () => Readable, signal?: AbortSignal): Promise<string> {
    for (const name of [nameOf(diffId), chainName(diffId, parents)]) {
      if (await exists(join(this.#directory, name))) return join(this.#directory, name);
    }
    const key = chainName(diffId, parents);
    const underWay = this.#unpacking.get(key);
    if (underWay !== undefined) {
      try {
        return await underWay;
      } catch {
        signal?.throwIfAborted();
        return this.ensure(diffId, parents, source, signal);
      }
    }
    const unpacking = this.#unpack(diffId, parents, source(), signal);
    this.#unpacking.set(key, unpacking);
    try {
      return await unpacking;
    } finally {
      this.#unpacking.delete(key);
    }
  }

  async #unpack(diffId: string, parents: readonly string[], archive: Readable, signal: AbortSignal | undefined): Promise<string> {
    const target = join(this.#directory, `.unpack-${randomUUID()}`);
    await mkdir(target, { mode: 0o755 });
    try {
      const unpacked = await unpackLayer(archive, {
        target,
        parents,
        whiteouts: this.#whiteouts,
        keepOwners: this.#keepOwners,
        limits: this.#limits,
        signal,
      });
      if (unpacked.diffId !== diffId) throw imageFault('DIGEST_INVALID', `layer unpacks to ${unpacked.diffId}, expected ${diffId}`);
      const final = join(this.#directory, unpacked.dependsOnParents ? chainName(diffId, parents) : nameOf(diffId));
      if (!(await exists(final))) {
        await this.#unsynced.mark(basename(final));
        await rename(target, final);
        this.#unsynced.written(basename(final));
      }
      return final;
    } finally {
      archive.destroy();
      await rm(target, { recursive: true, force: true });
    }
  }

  /** Removes the layers whose directories are not in `keep` and that are older than `before`. */
  async collect(keep: ReadonlySet<string>, before: number): Promise<void> {
    for (const name of await readdir(this.#directory)) {
      const path = join(this.#directory, name);
      if (name.startsWith('.') || name === 'empty' || keep.has(path)) continue;
      if ((await stat(path)).ctimeMs >= before) continue;
      // Renamed first: a half-removed directory must never look like a layer.
      const doomed = join(this.#directory, `.unpack-${randomUUID()}`);
      await rename(path, doomed);
      await rm(doomed, { recursive: true, force: true });
    }
  }

  /** The unpacked directories a stack of layers (bottom first) has; for `collect`. */
  async present(diffIds: readonly string[]): Promise<readonly string[]> {
    const found: string[] = [];
    for (const diffId of diffIds) {
      const names = [nameOf(diffId), chainName(diffId, found)].map((name) => join(this.#directory, name));
      const states = await Promise.all(names.map(exists));
      const present = names.find((_, index) => states[index]);
      if (present === undefined) break;
      found.unshift(present);
    }
    return found;
  }
}

const nameOf = (diffId: string): string => diffId.slice('sha256:'.length);

function chainName(diffId: string, parents: readonly string[]): string {
  const names = parents.map((parent) => parent.slice(parent.lastIndexOf('/') + 1));
  return `c-${createHash('sha256')
    .update([...names, diffId].join(' '))
    .digest('hex')}`;
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}
