import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { UserError, errorText } from '#core/errors.ts';
import { ImageFault, imageFault } from '../errors.ts';
import type { ImageStore } from '../image-store.ts';
import type { LoadResult } from '../messages.ts';
import { type Descriptor, type ImageManifest, isDigest, mediaTypes, parseConfigFile } from '../oci.ts';
import type { BlobInfo, BlobStore } from '../store/blob-store.ts';
import { readManifest } from '../store/content.ts';
import { decompressed } from '../unpack/decompress.ts';

const maxFiles = 100_000;

interface Candidate {
  readonly digest: string;
  readonly names: readonly string[];
}

interface DockerImage {
  readonly Config?: unknown;
  readonly RepoTags?: readonly string[] | null;
  readonly Layers?: readonly unknown[];
}

/**
 * Loads an archive, OCI layout or `docker save`, into the store under the names it carries; with `name`, its only image under that one.
 * Nothing is tagged unless every image is whole.
 */
export async function loadArchive(
  store: ImageStore,
  archive: Readable,
  name: string | undefined,
  signal: AbortSignal,
): Promise<LoadResult['images']> {
  return store.busy(async () => {
    const files = await readFiles(store.blobs, archive, signal);
    const candidates = await imagesIn(store.blobs, files);
    if (candidates.length === 0)
      throw imageFault('ARCHIVE_INVALID', 'the archive has neither index.json nor manifest.json with an image in it');
    if (name !== undefined && candidates.length > 1) throw new UserError('a name was given, but the archive has several images');
    const named = candidates.flatMap(({ digest, names }) => (name === undefined ? names : [name]).map((one) => ({ name: one, digest })));
    if (named.length === 0) throw new UserError('the image in the archive has no name', { hint: 'give it one with --name' });
    for (const one of named) store.name(one.name);
    for (const { digest } of candidates) await checkWhole(store.blobs, digest);
    for (const one of named) await store.setTag(one.name, one.digest);
    return named;
  });
}

type Files = ReadonlyMap<string, BlobInfo>;

/** Every file becomes a blob, whatever it turns out to be for: a stream cannot be read twice, and collection removes the rest. */
async function readFiles(blobs: BlobStore, archive: Readable, signal: AbortSignal): Promise<Files> {
  const { extract } = await import('tar-stream');
  const files = new Map<string, BlobInfo>();
  const links: [string, string][] = [];
  const entries = extract();
  const piped = pipeline(await decompressed(archive), entries as unknown as NodeJS.WritableStream, { signal });
  piped.catch((error: unknown) => entries.destroy(error as Error));
  try {
    for await (const entry of entries) {
      const { type, name: written, linkname } = entry.header;
      const name = posix.normalize(written).replace(/^\/+/, '');
      if (type === 'file') {
        if (files.size >= maxFiles) throw imageFault('ARCHIVE_INVALID', `the archive has more than ${maxFiles} files`);
        const hex = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(name)?.[1];
        files.set(name, await blobs.write(entry as unknown as AsyncIterable<Buffer>, hex === undefined ? {} : { digest: `sha256:${hex}` }));
        continue;
      }
      if (type === 'symlink') links.push([name, posix.join(posix.dirname(name), linkname ?? '')]);
      if (type === 'link') links.push([name, posix.normalize(linkname ?? '')]);
      entry.resume();
    }
    await piped;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof ImageFault || (error as NodeJS.ErrnoException).code === 'ENOSPC') throw error;
    throw imageFault('ARCHIVE_INVALID', `not a tar archive: ${errorText(error)}`);
  }
  for (const [name, target] of links) {
    const file = files.get(target);
    if (file !== undefined) files.set(name, file);
  }
  return files;
}

async function imagesIn(blobs: BlobStore, files: Files): Promise<readonly Candidate[]> {
  const fromIndex = await ociImages(blobs, files);
  const complete = fromIndex.length > 0 && fromIndex.every(({ names }) => names.length > 0);
  if (complete || !files.has('manifest.json')) return fromIndex;
  const list = await json(blobs, files, 'manifest.json');
  if (!Array.isArray(list)) throw imageFault('ARCHIVE_INVALID', 'manifest.json is not a list');
  return Promise.all((list as DockerImage[]).map((image) => dockerImage(blobs, files, image)));
}

async function ociImages(blobs: BlobStore, files: Files): Promise<readonly Candidate[]> {
  if (!files.has('index.json')) return [];
  const index = (await json(blobs, files, 'index.json')) as { manifests?: readonly Descriptor[] } | null;
  const byDigest = new Map<string, string[]>();
  for (const { digest, annotations = {} } of index?.manifests ?? []) {
    if (!isDigest(digest)) throw imageFault('ARCHIVE_INVALID', 'index.json names something that is not sha256:<64 hex digits>');
    const reference = annotations['org.opencontainers.image.ref.name'];
    // Layouts often hold only a tag here, which names nothing by itself.
    const name = annotations['io.containerd.image.name'] ?? (/[/:]/.test(reference ?? '') ? reference : undefined);
    byDigest.set(digest, [...(byDigest.get(digest) ?? []), ...(name === undefined ? [] : [name])]);
  }
  return [...byDigest].map(([digest, names]) => ({ digest, names }));
}

async function dockerImage(blobs: BlobStore, files: Files, image: DockerImage): Promise<Candidate> {
  const config = part(files, image.Config);
  const layers = await Promise.all((image.Layers ?? []).map((layer) => layerDescriptor(blobs, part(files, layer))));
  const manifest: ImageManifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: mediaTypes.ociConfig, digest: config.digest, size: config.sizeBytes },
    layers,
  };
  const { digest } = await blobs.writeBytes(Buffer.from(JSON.stringify(manifest)));
  return { digest, names: image.RepoTags ?? [] };
}

function part(files: Files, name: unknown): BlobInfo {
  const file = typeof name === 'string' ? files.get(posix.normalize(name)) : undefined;
  if (file === undefined) throw imageFault('ARCHIVE_INVALID', `manifest.json names ${JSON.stringify(name)}, which is not in the archive`);
  return file;
}

async function layerDescriptor(blobs: BlobStore, { digest, sizeBytes }: BlobInfo): Promise<Descriptor> {
  const file = await open(blobs.path(digest), 'r');
  try {
    const head = Buffer.alloc(4);
    await file.read(head, 0, 4, 0);
    const ending = head.readUInt16BE(0) === 0x1f8b ? '+gzip' : head.readUInt32LE(0) === 0xfd2fb528 ? '+zstd' : '';
    return { mediaType: `${mediaTypes.ociLayer}${ending}`, digest, size: sizeBytes };
  } finally {
    await file.close();
  }
}

async function json(blobs: BlobStore, files: Files, name: string): Promise<unknown> {
  const bytes = await blobs.read(files.get(name)?.digest ?? '');
  try {
    return JSON.parse((bytes ?? Buffer.alloc(0)).toString('utf8')) as unknown;
  } catch (error) {
    throw imageFault('ARCHIVE_INVALID', `${name} is not JSON: ${(error as Error).message}`, error);
  }
}

/** Of an index the children that are here count; an archive need not have every platform. */
async function checkWhole(blobs: BlobStore, digest: string): Promise<void> {
  const stored = await readManifest(blobs, digest).catch((error: unknown) => {
    throw imageFault('ARCHIVE_INVALID', `manifest ${digest}: ${errorText(error)}`, error);
  });
  if (stored === undefined) throw imageFault('ARCHIVE_INVALID', `manifest ${digest} is not in the archive`);
  if (!('layers' in stored.content)) return;
  const config = await blobs.read(stored.content.config.digest);
  if (config === undefined) throw imageFault('ARCHIVE_INVALID', `configuration ${stored.content.config.digest} is not in the archive`);
  try {
    parseConfigFile(config);
  } catch (error) {
    throw imageFault('ARCHIVE_INVALID', `configuration ${stored.content.config.digest}: ${(error as Error).message}`, error);
  }
  for (const { digest: layer } of stored.content.layers) {
    if ((await blobs.size(layer)) === undefined) throw imageFault('ARCHIVE_INVALID', `layer ${layer} is not in the archive`);
  }
}
