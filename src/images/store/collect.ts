import type { ImageStore } from '../image-store.ts';
import { isIndex, parseConfigFile, parseManifest, type ImageIndex, type ImageManifest } from '../oci.ts';

export interface CollectOptions {
  readonly store: Pick<ImageStore, 'blobs' | 'layers' | 'repositories'>;
  /** Digests of images that containers use. */
  readonly held: ReadonlySet<string>;
  /** Only what was not used since this time (milliseconds since the epoch) is removed. */
  readonly before: number;
}

/**
 * Removes blobs and unpacked layers that no tag, no manifest put by digest, no held image and no referrer of one of these reaches.
 * A crash or a failure half-way leaves some of them, never a reachable one missing.
 */
export async function collect({ store, held, before }: CollectOptions): Promise<{ removedBlobs: number; freedBytes: number }> {
  const reachable = new Set<string>();
  const roots = [...held, ...[...store.repositories.allTags()].map(({ digest }) => digest)];
  const directories = new Set<string>([store.layers.empty]);
  const mark = async (digest: string): Promise<void> => {
    if (reachable.has(digest)) return;
    reachable.add(digest);
    const content = await contentOf(store, digest);
    if (content === undefined) return;
    if (isIndex(content)) {
      for (const child of content.manifests) await mark(child.digest);
      return;
    }
    reachable.add(content.config.digest);
    for (const layer of content.layers) reachable.add(layer.digest);
    for (const path of await layersOf(store, content.config.digest)) directories.add(path);
  };
  for (const root of roots) await mark(root);
  await keepReferrers(store, reachable, mark);
  await forgetManifests(store, reachable, before);
  await store.layers.collect(directories, before);
  let removedBlobs = 0;
  let freedBytes = 0;
  for await (const blob of store.blobs.all()) {
    if (reachable.has(blob.digest) || blob.usedAt >= before) continue;
    await store.blobs.remove(blob.digest);
    removedBlobs += 1;
    freedBytes += blob.sizeBytes;
  }
  return { removedBlobs, freedBytes };
}

/** Signatures and the like have no tag: they live as long as what they are about. */
async function keepReferrers(
  store: CollectOptions['store'],
  reachable: ReadonlySet<string>,
  mark: (digest: string) => Promise<void>,
): Promise<void> {
  for (let grown = true; grown;) {
    grown = false;
    for (const { digest } of store.repositories.allManifests()) {
      if (reachable.has(digest)) continue;
      const subject = (await contentOf(store, digest))?.subject?.digest;
      if (subject === undefined || !reachable.has(subject)) continue;
      await mark(digest);
      grown = true;
    }
  }
}

async function forgetManifests({ repositories }: CollectOptions['store'], reachable: ReadonlySet<string>, before: number): Promise<void> {
  for (const { repository, digest, at } of repositories.allManifests()) {
    if (!reachable.has(digest) && at < before) await repositories.removeManifest(repository, digest);
  }
}

/** A manifest or index; undefined for what is neither, or not here. What cannot be read now is an error: it must not make an image look unused. */
async function contentOf({ blobs }: CollectOptions['store'], digest: string): Promise<ImageManifest | ImageIndex | undefined> {
  const bytes = await blobs.read(digest);
  if (bytes === undefined) return undefined;
  try {
    return parseManifest(bytes).content;
  } catch {
    return undefined;
  }
}

async function layersOf(store: CollectOptions['store'], config: string): Promise<readonly string[]> {
  const bytes = await store.blobs.read(config);
  if (bytes === undefined) return [];
  let layers: readonly string[];
  try {
    layers = parseConfigFile(bytes).rootfs.diff_ids;
  } catch {
    return []; // An artifact: its configuration is not an image's.
  }
  return store.layers.present(layers);
}
