import { isAbsolute } from 'node:path';
import { UserError } from '#core/errors.ts';
import type { ImageStore } from '../image-store.ts';
import type { BuildRequest, ProgressListener } from '../messages.ts';
import { type Descriptor, type ImageConfigFile, type ImageManifest, hostPlatform, mediaTypes } from '../oci.ts';
import type { BlobInfo } from '../store/blob-store.ts';
import { completeImage } from '../store/content.ts';
import { baseLayer } from './base.ts';
import { dependencyEntries } from './dependencies.ts';
import { type Project, detectProject } from './detect.ts';
import { checkEntry } from './entry-file.ts';
import { type LayerEntry, writeLayer } from './layer-writer.ts';
import { type SourceFiles, sourceFiles } from './source-files.ts';
import { staticServerProgram } from './static-server.ts';

export interface BuildContext {
  readonly store: ImageStore;
  /** Node for images without a given base; this process's own by default. */
  readonly nodeBinary?: string;
  /** Environment of `npm ci`. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  readonly onProgress?: ProgressListener;
}

interface Base {
  readonly layers: readonly Descriptor[];
  readonly diffIds: readonly string[];
  readonly config: NonNullable<ImageConfigFile['config']>;
  /** Undefined: not known, the base was given. */
  readonly hasShell: boolean | undefined;
}

const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const nonRoot = '65532:65532';

/**
 * Makes an image from a source directory and gives it its names. The same files give the same digest; base, dependencies and code are
 * layers of their own, so that a change of the code adds only the code.
 */
export async function buildImage(request: BuildRequest, context: BuildContext): Promise<{ digest: string; sizeBytes: number }> {
  const { store, onProgress } = context;
  if (!isAbsolute(request.directory)) throw new UserError(`${request.directory} is not an absolute path`);
  if (request.tags.length === 0) throw new UserError('a name for the image is missing', { hint: 'add -t NAME' });
  for (const line of request.environment ?? []) {
    if (!/^[^=\0]+=[^\0]*$/.test(line)) throw new UserError(`environment ${JSON.stringify(line)} is not KEY=value`);
  }
  for (const tag of request.tags) {
    if (store.name(tag).digest !== undefined) throw new UserError(`${tag} has a digest: a tag is needed`);
  }
  return store.busy(async () => {
    const project = await detectProject(request.directory);
    onProgress?.({ type: 'status', message: project.kind === 'static' ? 'static site' : `Node program: ${project.command.join(' ')}` });
    const base = await (request.base === undefined ? machineBase(context) : givenBase(request, context));
    if (project.kind === 'node' && project.needsShell && base.hasShell === false && request.command === undefined) {
      throw new UserError(`the start script needs a shell, and this machine has no busybox to put into the image: ${project.command[2]}`, {
        hint: 'write the script as "node FILE", install busybox, or name a base image with --base',
      });
    }
    const files = await sourceFiles(request.directory, project.kind === 'static' ? 'app/public' : 'app');
    for (const note of files.notes) onProgress?.({ type: 'status', message: note });
    if (project.kind === 'node' && request.command === undefined) checkEntry(project.command, files);
    const layers = await writeLayers(request, project, files, context);
    const image = await writeImage(request, project, base, layers, context);
    for (const tag of request.tags) await store.setTag(tag, image.digest);
    return image;
  });
}

async function machineBase({ store, nodeBinary, signal, onProgress }: BuildContext): Promise<Base> {
  onProgress?.({ type: 'status', message: "base: this machine's Node" });
  const layer = await baseLayer({
    blobs: store.blobs,
    directory: `${store.directory}/build`,
    nodeBinary: nodeBinary ?? process.execPath,
    signal,
  });
  return { layers: [descriptor(layer)], diffIds: [layer.digest], config: { Env: [`PATH=${path}`] }, hasShell: layer.hasShell };
}

async function givenBase(request: BuildRequest, { store, signal, onProgress }: BuildContext): Promise<Base> {
  onProgress?.({ type: 'status', message: `base: ${request.base}` });
  const local = await store.ensure(request.base ?? '', 'IfNotPresent', request.credentials ?? [], signal);
  const image = await completeImage(store.blobs, local.digest);
  if (image === undefined) throw new Error(`base image ${request.base} is incomplete`);
  const layers = image.manifest.layers.map((layer) => ({ ...layer, mediaType: ociLayerType(layer.mediaType) }));
  return { layers, diffIds: image.config.rootfs.diff_ids, config: image.config.config ?? {}, hasShell: undefined };
}

function ociLayerType(mediaType: string): string {
  return mediaType === mediaTypes.dockerLayer ? `${mediaTypes.ociLayer}+gzip` : mediaType;
}

async function writeLayers(
  request: BuildRequest,
  project: Project,
  files: SourceFiles,
  { store, signal, onProgress, environment }: BuildContext,
): Promise<readonly BlobInfo[]> {
  if (project.kind === 'static') {
    const program: LayerEntry = { type: 'bytes', path: 'app/server.mjs', bytes: Buffer.from(staticServerProgram('/app/public')) };
    return [await writeLayer(store.blobs, [program], signal), await writeLayer(store.blobs, files.code, signal)];
  }
  const dependencies = await dependenciesOf(request, project.dependencies, files, { store, signal, onProgress, environment });
  const written: BlobInfo[] = [];
  if (dependencies.length > 0) written.push(await writeLayer(store.blobs, dependencies, signal));
  written.push(await writeLayer(store.blobs, files.code, signal));
  return written;
}

interface DependencyContext {
  readonly store: ImageStore;
  readonly signal: AbortSignal;
  readonly onProgress: ProgressListener | undefined;
  readonly environment: BuildContext['environment'];
}

async function dependenciesOf(
  request: BuildRequest,
  names: readonly string[],
  files: SourceFiles,
  context: DependencyContext,
): Promise<readonly LayerEntry[]> {
  if (files.dependencies.length > 0 || names.length === 0) return files.dependencies;
  return dependencyEntries(request.directory, {
    cache: `${context.store.directory}/build`,
    signal: context.signal,
    onStatus: (message) => context.onProgress?.({ type: 'status', message }),
    environment: context.environment,
  });
}

async function writeImage(
  request: BuildRequest,
  project: Project,
  base: Base,
  layers: readonly BlobInfo[],
  { store }: BuildContext,
): Promise<{ digest: string; sizeBytes: number }> {
  const command = request.command ?? (project.kind === 'static' ? ['node', '/app/server.mjs'] : project.command);
  const environment = (base.config.Env ?? []).map((line) =>
    line.startsWith('PATH=') ? `PATH=/app/node_modules/.bin:${line.slice('PATH='.length)}` : line,
  );
  const config: ImageConfigFile = {
    architecture: hostPlatform.architecture,
    os: hostPlatform.os,
    created: '1970-01-01T00:00:00Z',
    config: {
      ...base.config,
      Entrypoint: command,
      Cmd: [],
      Env: mergeEnvironment(['NODE_ENV=production'], environment, request.environment ?? []),
      ExposedPorts: { '8080/tcp': {} },
      WorkingDir: '/app',
      User: request.base === undefined || (base.config.User ?? '') === '' ? nonRoot : (base.config.User ?? nonRoot),
      Labels: { ...base.config.Labels, ...request.labels },
    },
    rootfs: { type: 'layers', diff_ids: [...base.diffIds, ...layers.map(({ digest }) => digest)] },
  };
  const configBlob = await store.blobs.writeBytes(Buffer.from(JSON.stringify(config)));
  const manifest: ImageManifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: mediaTypes.ociConfig, digest: configBlob.digest, size: configBlob.sizeBytes },
    layers: [...base.layers, ...layers.map(descriptor)],
  };
  const { digest } = await store.blobs.writeBytes(Buffer.from(JSON.stringify(manifest)));
  return { digest, sizeBytes: manifest.layers.reduce((sum, { size }) => sum + size, configBlob.sizeBytes) };
}

/** One line a name: a later value wins, in the place of the first. */
function mergeEnvironment(...lists: readonly (readonly string[])[]): readonly string[] {
  return [...new Map(lists.flat().map((line) => [line.split('=', 1)[0], line])).values()];
}

function descriptor({ digest, sizeBytes }: BlobInfo): Descriptor {
  return { mediaType: mediaTypes.ociLayer, digest, size: sizeBytes };
}
