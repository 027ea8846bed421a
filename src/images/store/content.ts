import { ImageError } from '#apis/runtime/image-service.ts';
import type { ImageConfig, LocalImage } from '#apis/runtime/image-service.ts';
import { imageFault } from '../errors.ts';
import {
  type ImageConfigFile,
  type ImageManifest,
  type StoredManifest,
  hostPlatform,
  isIndex,
  parseConfigFile,
  parseManifest,
  selectPlatform,
} from '../oci.ts';
import type { BlobStore } from './blob-store.ts';
import type { LayerStore } from './layer-store.ts';

/** An image of this machine's platform, all of whose blobs are in the store. */
export interface CompleteImage {
  /** What the name stands for: a manifest or an index. */
  readonly digest: string;
  readonly manifest: ImageManifest;
  readonly config: ImageConfigFile;
  readonly sizeBytes: number;
}

/** Reads a manifest or index; undefined when it is not here. */
export async function readManifest(blobs: BlobStore, digest: string): Promise<StoredManifest | undefined> {
  const bytes = await blobs.read(digest);
  if (bytes === undefined) return undefined;
  return { digest, bytes, ...parseManifest(bytes) };
}

/**
 * The image a digest means on this machine, or undefined while parts of it are missing. Throws an ImageError when it is here but not
 * for this platform.
 */
export async function completeImage(blobs: BlobStore, digest: string): Promise<CompleteImage | undefined> {
  const stored = await readManifest(blobs, digest);
  if (stored === undefined) return undefined;
  let manifest = stored.content;
  if (isIndex(manifest)) {
    const chosen = selectPlatform(manifest);
    if (chosen === undefined) throw wrongPlatform(digest);
    const inner = await readManifest(blobs, chosen.digest);
    if (inner === undefined) return undefined;
    if (isIndex(inner.content)) throw wrongPlatform(digest);
    manifest = inner.content;
  }
  const bytes = await blobs.read(manifest.config.digest);
  if (bytes === undefined) return undefined;
  for (const layer of manifest.layers) if ((await blobs.size(layer.digest)) === undefined) return undefined;
  const config = readConfig(bytes, manifest);
  if (!fitsHost(config)) throw wrongPlatform(digest);
  const sizeBytes = manifest.layers.reduce((sum, layer) => sum + layer.size, manifest.config.size);
  return { digest, manifest, config, sizeBytes };
}

/** Reads an image's configuration and checks that it goes with its manifest. */
export function readConfig(bytes: Buffer, manifest: ImageManifest): ImageConfigFile {
  let config: ImageConfigFile;
  try {
    config = parseConfigFile(bytes);
  } catch (error) {
    throw imageFault('MANIFEST_INVALID', `image configuration ${manifest.config.digest}: ${(error as Error).message}`, error);
  }
  if (config.rootfs.diff_ids.length !== manifest.layers.length) {
    throw imageFault(
      'MANIFEST_INVALID',
      `manifest has ${manifest.layers.length} layers, its configuration ${config.rootfs.diff_ids.length}`,
    );
  }
  return config;
}

export function fitsHost({ os, architecture }: ImageConfigFile): boolean {
  return (os ?? hostPlatform.os) === hostPlatform.os && (architecture ?? hostPlatform.architecture) === hostPlatform.architecture;
}

/** containerd's words for it. */
export function wrongPlatform(digest: string): ImageError {
  return new ImageError('ErrImagePull', `no match for platform in manifest ${digest}: not found`);
}

/** Unpacks what is not unpacked yet, bottom first; returns the directories topmost first. */
export async function unpackImage(
  blobs: BlobStore,
  layers: LayerStore,
  image: CompleteImage,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const directories: string[] = [];
  for (const [index, diffId] of image.config.rootfs.diff_ids.entries()) {
    const blob = image.manifest.layers[index]?.digest ?? '';
    directories.unshift(await layers.ensure(diffId, directories, () => blobs.stream(blob), signal));
  }
  return directories.length === 0 ? [layers.empty] : directories;
}

export function localImage(
  image: CompleteImage,
  named: { readonly repository: string; readonly source: string; readonly layers: readonly string[] },
): LocalImage {
  return {
    digest: image.digest,
    reference: `${named.repository}@${image.digest}`,
    layers: named.layers,
    config: runConfig(image.config),
    sizeBytes: image.sizeBytes,
    source: named.source,
  };
}

function runConfig({ config = {} }: ImageConfigFile): ImageConfig {
  return {
    entrypoint: config.Entrypoint ?? [],
    command: config.Cmd ?? [],
    environment: config.Env ?? [],
    workingDirectory: config.WorkingDir ?? '',
    user: config.User ?? '',
    exposedPorts: Object.keys(config.ExposedPorts ?? {}),
    stopSignal: config.StopSignal ?? '',
    labels: config.Labels ?? {},
  };
}
