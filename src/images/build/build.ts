import { stat } from 'node:fs/promises';
import type { BuildRequest, ProgressListener } from '../messages.ts';
import { type Descriptor, hostPlatform, type ImageConfigFile, type ImageManifest, mediaTypes } from '../oci.ts';
import { digestOf } from '../store/blob-store.ts';
import { makeBaseLayer, nodePath, nonrootId } from './base-layer.ts';
import { makeDependencyLayer } from './dependencies.ts';
import { chooseEntryPoint, type EntryPoint, readPackageFile } from './entry-point.ts';
import { buildErrors } from './errors.ts';
import { readIgnoreRules } from './ignore-file.ts';
import { type LayerBlobs, LayerCache, writeLayer, type WrittenLayer } from './layer-writer.ts';
import { appDirectory, readSourceTree } from './source-tree.ts';
import { staticServerPath, staticServerSource } from './static-server.ts';
import type { TarEntry } from './tar-writer.ts';

/** An image to build upon, of this machine's platform, its blobs in the store. */
export interface BaseImage {
  readonly manifest: ImageManifest;
  readonly config: ImageConfigFile;
}

/** What a build needs of the image store. */
export interface BuildTarget {
  /** A BlobStore. */
  readonly blobs: LayerBlobs;
  /** For notes about layers made before and for installing dependencies; made when missing, may be emptied at any time. */
  readonly cacheDirectory: string;
  /** Node for images without a base; this process's own when missing. */
  readonly nodeBinary?: string;
  /** Makes the image `request.base` available, its layers included. */
  readBase(reference: string, request: BuildRequest, onProgress: ProgressListener, signal: AbortSignal): Promise<BaseImage>;
}

export interface BuiltImage {
  /** Not stored and not tagged: the caller does both at once. */
  readonly manifest: Uint8Array;
  readonly mediaType: string;
  readonly digest: string;
  /** Configuration and layers. */
  readonly sizeBytes: number;
}

/** A layer and what it says in the image's history. */
interface ImageLayer {
  readonly descriptor: Descriptor;
  readonly diffId: string;
  readonly history: string;
}

/** What the image is put on: layers, configuration and what there is to start programs with. */
interface Foundation {
  readonly layers: readonly Descriptor[];
  readonly diffIds: readonly string[];
  readonly history: readonly Readonly<Record<string, unknown>>[];
  readonly config: NonNullable<ImageConfigFile['config']>;
  readonly node: string;
  readonly hasShell: boolean;
  readonly olderNode: string | undefined;
}

const epoch = '1970-01-01T00:00:00Z';
const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Makes an image of the project in `request.directory` and stores its layers and configuration. The same source on the same base gives
 * the same digest, and a change of the code makes only the last layer anew. Throws a UserError when the project cannot be built.
 */
export async function buildImage(
  request: BuildRequest,
  target: BuildTarget,
  onProgress: ProgressListener,
  signal: AbortSignal,
): Promise<BuiltImage> {
  const { directory } = request;
  const onStatus = (message: string): void => onProgress({ type: 'status', message });
  await checkRequest(request);
  const packageFile = await readPackageFile(directory);
  const tree = await readSourceTree(directory, await readIgnoreRules(directory), signal);
  for (const note of tree.notes) onStatus(note);
  const files = new Set(tree.code.filter((entry) => entry.type !== 'directory').map((entry) => entry.path.slice(appDirectory.length + 1)));

  const cache = new LayerCache(target.cacheDirectory, target.blobs);
  const foundation = await layFoundation(request, target, cache, onProgress, signal);
  const { node, hasShell, olderNode } = foundation;
  const entry = chooseEntryPoint({ directory, packageFile, files, command: request.command, node, hasShell, olderNode });
  onStatus(entry.staticSite ? 'serving the directory as a static site' : `starting with: ${entry.argv.join(' ')}`);

  const added: ImageLayer[] = [];
  const add = (layer: WrittenLayer, history: string): void => {
    added.push({
      descriptor: { mediaType: mediaTypes.ociLayer, digest: layer.digest, size: layer.sizeBytes },
      diffId: layer.digest,
      history,
    });
    onProgress({ type: 'layer', digest: layer.digest, state: 'done', currentBytes: layer.sizeBytes, totalBytes: layer.sizeBytes });
  };
  const { blobs, cacheDirectory } = target;
  const dependencies = entry.staticSite
    ? undefined
    : await makeDependencyLayer({ directory, packageFile, tree, blobs, cache, cacheDirectory, signal, onStatus });
  if (dependencies !== undefined) add(dependencies, 'dependencies');
  if (entry.staticSite) add(await writeLayer(blobs, staticServerEntries(), signal), 'static file server');
  add(await writeLayer(blobs, tree.code, signal), 'code');
  return await assemble(request, target, foundation, entry, added);
}

async function checkRequest(request: BuildRequest): Promise<void> {
  for (const text of request.environment ?? []) {
    if (!/^[^=\0]+=[^\0]*$/.test(text)) throw buildErrors.environmentInvalid(text);
  }
  const info = await stat(request.directory).catch((error: unknown) => {
    throw buildErrors.directoryMissing(request.directory, error);
  });
  if (!info.isDirectory()) throw buildErrors.directoryMissing(request.directory);
}

async function layFoundation(
  request: BuildRequest,
  target: BuildTarget,
  cache: LayerCache,
  onProgress: ProgressListener,
  signal: AbortSignal,
): Promise<Foundation> {
  if (request.base !== undefined) {
    const { manifest, config } = await target.readBase(request.base, request, onProgress, signal);
    return onImage(manifest, config);
  }
  onProgress({ type: 'status', message: `base: Node ${process.version} of this machine` });
  const base = await makeBaseLayer(target.nodeBinary ?? process.execPath, target.blobs, cache, signal);
  onProgress({ type: 'layer', digest: base.digest, state: 'exists', currentBytes: base.sizeBytes, totalBytes: base.sizeBytes });
  const strips = target.nodeBinary !== undefined || process.features.typescript !== false;
  return {
    layers: [{ mediaType: mediaTypes.ociLayer, digest: base.digest, size: base.sizeBytes }],
    diffIds: [base.digest],
    history: [{ created: epoch, created_by: 'dormouse build: base' }],
    config: { Env: [`PATH=${defaultPath}`], User: String(nonrootId) },
    node: `/${nodePath}`,
    hasShell: base.hasShell,
    olderNode: strips ? undefined : process.versions.node,
  };
}

/** Takes the base's user, environment and labels, and says its layers' types in OCI's words. Whether it has a shell shows at the start. */
function onImage(manifest: ImageManifest, file: ImageConfigFile): Foundation {
  return {
    layers: manifest.layers.map((layer) =>
      layer.mediaType === mediaTypes.dockerLayer ? { ...layer, mediaType: `${mediaTypes.ociLayer}+gzip` } : layer,
    ),
    diffIds: file.rootfs.diff_ids,
    history: file.history ?? file.rootfs.diff_ids.map(() => ({ created: epoch, created_by: 'base' })),
    config: file.config ?? {},
    node: 'node',
    hasShell: true,
    olderNode: undefined,
  };
}

function staticServerEntries(): readonly TarEntry[] {
  const names = staticServerPath.split('/');
  const above = names
    .slice(0, -1)
    .map((_, index): TarEntry => ({ type: 'directory', path: names.slice(0, index + 1).join('/'), mode: 0o755 }));
  return [...above, { type: 'file', path: staticServerPath, mode: 0o644, content: Buffer.from(staticServerSource) }];
}

async function assemble(
  request: BuildRequest,
  { blobs }: BuildTarget,
  foundation: Foundation,
  entry: EntryPoint,
  added: readonly ImageLayer[],
): Promise<BuiltImage> {
  const { config } = foundation;
  const file: ImageConfigFile = {
    created: epoch,
    architecture: hostPlatform.architecture,
    os: hostPlatform.os,
    config: {
      ...config,
      Entrypoint: entry.argv,
      Cmd: [],
      Env: mergeEnvironment(config.Env ?? [`PATH=${defaultPath}`], ['NODE_ENV=production', ...(request.environment ?? [])]),
      WorkingDir: `/${appDirectory}`,
      ExposedPorts: { '8080/tcp': {} },
      Labels: { ...config.Labels, ...request.labels },
    },
    rootfs: { type: 'layers', diff_ids: [...foundation.diffIds, ...added.map((layer) => layer.diffId)] },
    history: [...foundation.history, ...added.map((layer) => ({ created: epoch, created_by: `dormouse build: ${layer.history}` }))],
  };
  const stored = await blobs.writeBytes(Buffer.from(JSON.stringify(file)));
  const layers = [...foundation.layers, ...added.map((layer) => layer.descriptor)];
  const content: ImageManifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: mediaTypes.ociConfig, digest: stored.digest, size: stored.sizeBytes },
    layers,
  };
  const manifest = Buffer.from(JSON.stringify(content));
  return {
    manifest,
    mediaType: mediaTypes.ociManifest,
    digest: digestOf(manifest),
    sizeBytes: layers.reduce((sum, layer) => sum + layer.size, stored.sizeBytes),
  };
}

/** Later values win, in the place of the first. */
function mergeEnvironment(...lists: readonly (readonly string[])[]): readonly string[] {
  const byName = new Map(lists.flat().map((text) => [text.slice(0, text.indexOf('=')), text]));
  return [...byName.values()];
}
