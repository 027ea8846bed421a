import { createReadStream } from 'node:fs';
import { type Readable, PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Pack } from 'tar-stream';
import { UserError } from '#core/errors.ts';
import { imageFault } from '../errors.ts';
import type { ImageStore } from '../image-store.ts';
import type { SaveRequest } from '../messages.ts';
import { type ImageManifest, type StoredManifest, isIndex } from '../oci.ts';
import type { BlobStore } from '../store/blob-store.ts';
import { completeImage, readManifest } from '../store/content.ts';

interface Saved {
  readonly name: string;
  readonly stored: StoredManifest;
  /** What `docker load` reads: the image for this machine. */
  readonly image: ImageManifest;
}

/** An archive of the named images: an OCI layout, for `docker` with the manifest.json that `docker load` wants. Faults come before the first byte. */
export async function saveArchive(store: ImageStore, { names, format = 'docker' }: SaveRequest): Promise<Readable> {
  if (names.length === 0) throw new UserError('a name of an image to save is missing');
  const saved: Saved[] = [];
  for (const name of names) {
    const { digest } = await store.find(name);
    const stored = await readManifest(store.blobs, digest);
    const image = await completeImage(store.blobs, digest);
    if (stored === undefined || image === undefined) throw imageFault('MANIFEST_UNKNOWN', `parts of ${name} are not in the store`);
    saved.push({ name: withTag(name), stored, image: image.manifest });
  }
  const { pack: newPack } = await import('tar-stream');
  const pack = newPack();
  const output = new PassThrough();
  pipeline(pack as unknown as Readable, output).catch((error: unknown) => output.destroy(error as Error));
  store
    .busy(() => write(pack, store.blobs, saved, format))
    .then(
      () => pack.finalize(),
      (error: unknown) => pack.destroy(error as Error),
    );
  return output;
}

function withTag(name: string): string {
  const plain = name.split('@')[0] ?? name;
  return plain.lastIndexOf(':') > plain.lastIndexOf('/') ? plain : `${plain}:latest`;
}

async function write(pack: Pack, blobs: BlobStore, saved: readonly Saved[], format: 'docker' | 'oci'): Promise<void> {
  const document = (name: string, value: unknown) => pack.entry({ name, mtime: new Date(0), mode: 0o644 }, JSON.stringify(value));
  document('oci-layout', { imageLayoutVersion: '1.0.0' });
  const digests = new Set<string>();
  for (const { stored } of saved) await gather(blobs, stored, digests);
  for (const digest of [...digests].sort()) await writeBlob(pack, blobs, digest);
  const manifests = saved.map(({ name, stored }) => ({
    mediaType: stored.mediaType,
    digest: stored.digest,
    size: stored.bytes.length,
    annotations: { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': name },
  }));
  document('index.json', { schemaVersion: 2, manifests });
  if (format === 'oci') return;
  const byImage = Map.groupBy(saved, ({ image }) => image.config.digest);
  const path = (digest: string) => `blobs/sha256/${digest.slice('sha256:'.length)}`;
  document(
    'manifest.json',
    [...byImage.values()].map((same) => ({
      Config: path(same[0]?.image.config.digest ?? ''),
      RepoTags: same.map(({ name }) => name),
      Layers: same[0]?.image.layers.map(({ digest }) => path(digest)) ?? [],
    })),
  );
}

/** Everything an image consists of that is here; of an index maybe only this machine's platform. */
async function gather(blobs: BlobStore, stored: StoredManifest, into: Set<string>): Promise<void> {
  into.add(stored.digest);
  if (isIndex(stored.content)) {
    for (const { digest } of stored.content.manifests) {
      const child = await readManifest(blobs, digest);
      if (child !== undefined) await gather(blobs, child, into);
    }
    return;
  }
  for (const { digest } of [stored.content.config, ...stored.content.layers])
    if ((await blobs.size(digest)) !== undefined) into.add(digest);
}

async function writeBlob(pack: Pack, blobs: BlobStore, digest: string): Promise<void> {
  const size = await blobs.size(digest);
  if (size === undefined) throw new Error(`${digest} was removed meanwhile`);
  const sink = pack.entry({ name: `blobs/sha256/${digest.slice('sha256:'.length)}`, size, mtime: new Date(0), mode: 0o644 });
  await pipeline(createReadStream(blobs.path(digest)), sink);
}
