import { createHash } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  rmSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, basename } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { callbackify } from 'node:util';
import type { Header as Headers } from 'tar-stream';
import { imageFault } from '../errors.ts';
import { decompressed } from './decompress.ts';
import { ScopedPaths } from './scoped-path.ts';
import { type Whiteouts, opaqueAsWhiteouts } from './whiteouts.ts';

export interface UnpackOptions {
  /** Empty directory to fill. */
  readonly target: string;
  /** Unpacked layers below, topmost first. */
  readonly parents: readonly string[];
  readonly whiteouts: Whiteouts;
  /** Give files the owners the archive names; needs root. */
  readonly keepOwners: boolean;
  readonly limits: UnpackLimits;
  readonly signal?: AbortSignal | undefined;
}

export interface UnpackLimits {
  readonly maxBytes: number;
  readonly maxEntries: number;
}

export const defaultLimits: UnpackLimits = { maxBytes: 64 * 2 ** 30, maxEntries: 2_000_000 };

export interface Unpacked {
  /** Digest of the uncompressed archive. */
  readonly diffId: string;
  readonly sizeBytes: number;
  /** The result depends on the layers below it (it hides all of a directory of theirs). */
  readonly dependsOnParents: boolean;
  /** Device files and FIFOs left out: a container gets its own /dev. */
  readonly skipped: number;
}

interface PendingDirectory {
  /** Relative to the target. */
  readonly path: string;
  readonly mode: number;
  readonly mtime: Date;
}

/**
 * Unpacks a layer archive (plain, gzip or zstd) into a directory as overlayfs wants it. No entry can write, link or read outside the
 * target. Extended attributes are not kept.
 */
export async function unpackLayer(archive: Readable, options: UnpackOptions): Promise<Unpacked> {
  const { extract } = await import('tar-stream');
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      sizeBytes += chunk.length;
      if (sizeBytes > options.limits.maxBytes)
        done(imageFault('LAYER_INVALID', `layer is larger than ${options.limits.maxBytes} bytes unpacked`));
      else done(null, chunk);
    },
  });
  const entries = extract();
  const writer = new LayerWriter(options);
  let fault: unknown;
  // By callback, not by iterating: an iterator's first wait and the pipe's first write would wait for each other.
  entries.on('entry', (header, body, next) => {
    const written = writer.entry(header, body as unknown as Readable);
    callbackify(() => written)((error) => {
      fault ??= error ?? undefined;
      next(error);
    });
  });
  const plain = await decompressed(archive);
  try {
    await pipeline(
      plain,
      counted,
      entries as unknown as NodeJS.WritableStream,
      options.signal === undefined ? {} : { signal: options.signal },
    );
  } catch (error) {
    throw layerError(fault ?? error);
  }
  await writer.finish();
  return { diffId: `sha256:${hash.digest('hex')}`, sizeBytes, dependsOnParents: writer.hasOpaque, skipped: writer.skipped };
}

function layerError(error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  const broken = (code?.startsWith('Z_') ?? false) || (code?.startsWith('ZSTD_') ?? false) || /tar header|end of data/i.test(message);
  return broken ? imageFault('LAYER_INVALID', `layer is not a tar archive: ${message}`, error) : error;
}

class LayerWriter {
  readonly #options: UnpackOptions;
  readonly #paths: ScopedPaths;
  readonly #directories: PendingDirectory[] = [];
  /** Relative to the target, as are those of `#opaque`. */
  readonly #whiteouts: string[] = [];
  readonly #opaque = new Set<string>();
  #count = 0;
  skipped = 0;

  constructor(options: UnpackOptions) {
    this.#options = options;
    this.#paths = new ScopedPaths(options.target);
  }

  get hasOpaque(): boolean {
    return this.#opaque.size > 0;
  }

  async entry(header: Headers, body: Readable): Promise<void> {
    this.#count += 1;
    if (this.#count > this.#options.limits.maxEntries)
      throw imageFault('LAYER_INVALID', `layer has more than ${this.#options.limits.maxEntries} entries`);
    const name = ScopedPaths.clean(header.name);
    const last = basename(name);
    if (last.startsWith('.wh.')) this.#whiteout(name, last);
    else if (header.type === 'file' || header.type === 'contiguous-file') return this.#file(name, header, body);
    else this.#other(name, header);
    body.resume();
  }

  /**
   * Makes the whiteouts, then gives directories their modes and times, which writing into them would have changed. What lay in a directory that a
   * later entry replaced is gone with it: by its old path one might reach through a link to anywhere.
   */
  async finish(): Promise<void> {
    const { target, parents, whiteouts } = this.#options;
    const there = (relative: string) => this.#paths.isStillThere(relative);
    const hidden = [...this.#opaque]
      .filter((directory) => there(`${directory}/x`))
      .flatMap((directory) => opaqueAsWhiteouts(target, directory, parents));
    await whiteouts.make([...this.#whiteouts.filter(there).map((relative) => this.#paths.absolute(relative)), ...hidden]);
    for (const { path: relative, mode, mtime } of this.#directories.reverse()) {
      const path = this.#paths.absolute(relative);
      if (!there(relative) || !(lstatSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false)) continue;
      chmodSync(path, mode);
      lutimesSync(path, mtime, mtime);
    }
  }

  #whiteout(name: string, last: string): void {
    const directory = dirname(name) === '.' ? '' : dirname(name);
    if (last === '.wh..wh..opq') {
      this.#opaque.add(this.#paths.locate(directory === '' ? 'x' : `${directory}/x`).slice(0, -2));
      return;
    }
    if (last.startsWith('.wh..wh.')) return; // aufs's own bookkeeping
    const hidden = last.slice('.wh.'.length);
    if (hidden === '' || hidden === '.' || hidden === '..')
      throw imageFault('LAYER_INVALID', `whiteout ${JSON.stringify(name)} names nothing`);
    const relative = this.#paths.locate(directory === '' ? hidden : `${directory}/${hidden}`);
    const own = lstatSync(this.#paths.absolute(relative), { throwIfNoEntry: false });
    // Whiteouts speak of the layers below only: what this layer has under that name stays, and hides the rest.
    if (own?.isDirectory() ?? false) this.#opaque.add(relative);
    else if (own === undefined) this.#whiteouts.push(relative);
  }

  async #file(name: string, header: Headers, body: Readable): Promise<void> {
    const path = this.#paths.absolute(this.#place(name, false));
    if ((header.size ?? 0) > 1 << 20) {
      const file = await open(path, 'wx', 0o600);
      try {
        for await (const chunk of body as AsyncIterable<Buffer>) await file.writeFile(chunk);
      } finally {
        await file.close();
      }
    } else {
      const file = openSync(path, 'wx', 0o600);
      try {
        for await (const chunk of body as AsyncIterable<Buffer>) {
          for (let offset = 0; offset < chunk.length;) offset += writeSync(file, chunk, offset);
        }
      } finally {
        closeSync(file);
      }
    }
    this.#attributes(path, header, 0o644);
  }

  #other(name: string, header: Headers): void {
    switch (header.type) {
      case 'directory': {
        const relative = name === '' ? '' : this.#place(name, true);
        this.#own(this.#paths.absolute(relative), header);
        this.#directories.push({ path: relative, mode: (header.mode ?? 0o755) & 0o7777, mtime: header.mtime ?? new Date(0) });
        return;
      }
      case 'symlink': {
        const path = this.#paths.absolute(this.#place(name, false));
        symlinkSync(header.linkname ?? '', path);
        this.#own(path, header);
        if (header.mtime !== undefined) lutimesSync(path, header.mtime, header.mtime);
        return;
      }
      case 'link': {
        const target = this.#paths.locate(ScopedPaths.clean(header.linkname ?? ''));
        const info = lstatSync(this.#paths.absolute(target), { throwIfNoEntry: false });
        if (info === undefined || info.isDirectory()) {
          throw imageFault(
            'LAYER_INVALID',
            `hard link ${JSON.stringify(name)} to ${JSON.stringify(header.linkname)}, which is no file of the layer`,
          );
        }
        if (target === this.#paths.locate(name)) return;
        linkSync(this.#paths.absolute(target), this.#paths.absolute(this.#place(name, false)));
        return;
      }
      default:
        this.skipped += 1;
    }
  }

  /** Makes room for an entry and returns its path relative to the target; an existing directory stays when the entry is one. */
  #place(name: string, directory: boolean): string {
    if (name === '') throw imageFault('LAYER_INVALID', 'an entry that is no directory has no name');
    const relative = this.#paths.locate(name);
    const path = this.#paths.absolute(relative);
    const existing = lstatSync(path, { throwIfNoEntry: false });
    if (directory) {
      if (existing?.isDirectory() ?? false) return relative;
      if (existing !== undefined) rmSync(path, { force: true });
      mkdirSync(path, 0o755);
      return relative;
    }
    if (existing !== undefined) {
      rmSync(path, { recursive: true, force: true });
      this.#paths.forget(relative);
    }
    return relative;
  }

  #attributes(path: string, header: Headers, fallback: number): void {
    this.#own(path, header);
    chmodSync(path, (header.mode ?? fallback) & 0o7777);
    if (header.mtime !== undefined) lutimesSync(path, header.mtime, header.mtime);
  }

  #own(path: string, header: Headers): void {
    if (this.#options.keepOwners) lchownSync(path, header.uid ?? 0, header.gid ?? 0);
  }
}
