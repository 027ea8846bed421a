import { mkdir } from 'node:fs/promises';
import { parseImageReference } from '#apis/knative/image-reference.ts';
import { ImageError, type ImageRelief, type ImageService, type LocalImage, type RegistryCredential } from '#apis/runtime/image-service.ts';
import type { Clock } from '#core/clock.ts';
import { errorText, isDiskFull } from '#core/errors.ts';
import type { Logger } from '#core/logger.ts';
import type { ImageSource } from './client/image-source.ts';
import { openImageSource } from './client/open-image-source.ts';
import { imageFault } from './errors.ts';
import type { ImageOrigin, ImageSummary, ProgressListener, PruneRequest, PruneResult } from './messages.ts';
import { type StoreName, familiarRepository, fullName, pinned, storeName } from './names.ts';
import { isIndex } from './oci.ts';
import { BlobStore } from './store/blob-store.ts';
import { collect } from './store/collect.ts';
import { completeImage, localImage, readManifest, unpackImage, type CompleteImage } from './store/content.ts';
import { type DiskUsage, diskUsage, highThresholdPercent, lowThresholdPercent, minimumAgeMs, usedPercent } from './store/disk.ts';
import { Holds } from './store/holds.ts';
import { LayerStore } from './store/layer-store.ts';
import { Repositories, type TagEntry } from './store/repositories.ts';

const collectEveryMs = 3_600_000;

export interface ImageStoreOptions {
  /** Owned by this store alone: one process at a time. */
  readonly directory: string;
  /** Without real root: files are not given their owners. */
  readonly rootless: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Registry host, or `*` for every one → base URLs asked first, in order, e.g. `docker.io` → `['https://mirror.example']`. */
  readonly mirrors?: Readonly<Record<string, readonly string[]>>;
  /** Where this process cannot reach registries itself: the unix socket of `serveOutbound` in one that can. */
  readonly outbound?: string | undefined;
  /** Ports of the platform's own registry, now and before (names outlive a port): `localhost:<port>/x` names are in this store. */
  readonly registryPorts?: readonly [now: number, ...before: number[]];
  /** How full the disk is; absent: what the file system of the directory says. */
  readonly diskUsage?: () => Promise<DiskUsage>;
}

/** Opens the store, which is usable at once; throws when the directory is not a store. */
export async function openImageStore(options: ImageStoreOptions): Promise<ImageStore> {
  const { directory } = options;
  await mkdir(directory, { recursive: true, mode: 0o755 });
  return new ImageStore(options, {
    blobs: await BlobStore.open(directory),
    layers: await LayerStore.open(directory, { keepOwners: !options.rootless }),
    repositories: await Repositories.open(directory),
    holds: await Holds.open(directory),
  });
}

interface Parts {
  readonly blobs: BlobStore;
  readonly layers: LayerStore;
  readonly repositories: Repositories;
  readonly holds: Holds;
}

/** All images of this machine: what pods run, what the registry serves, what `dormouse image` manages. */
export class ImageStore implements ImageService, AsyncDisposable {
  readonly blobs: BlobStore;
  readonly layers: LayerStore;
  readonly repositories: Repositories;
  readonly directory: string;
  readonly #holds: Holds;
  readonly #options: ImageStoreOptions;
  #source: Promise<ImageSource> | undefined;
  #busy = 0;
  #stopCollecting = (): void => {};

  constructor(options: ImageStoreOptions, parts: Parts) {
    this.#options = options;
    this.directory = options.directory;
    this.blobs = parts.blobs;
    this.layers = parts.layers;
    this.repositories = parts.repositories;
    this.#holds = parts.holds;
    this.#collectLater();
  }

  async ensure(
    reference: string,
    policy: 'Always' | 'IfNotPresent' | 'Never',
    credentials: readonly RegistryCredential[],
    signal: AbortSignal,
    onPull: () => void = () => {},
  ): Promise<LocalImage> {
    const name = this.#parse(reference);
    return this.busy(async () => {
      const entry = this.lookup(name);
      const usable = entry !== undefined && (entry.origin === 'local' || policy !== 'Always' || name.digest !== undefined);
      const image = usable ? await this.#complete(reference, entry.digest) : undefined;
      if (image !== undefined) return this.#unpack(reference, image, 'local store', signal);
      if (policy === 'Never') {
        throw new ImageError('ErrImageNeverPull', `Container image "${reference}" is not present with pull policy of Never`);
      }
      onPull();
      const { registry } = parseImageReference(reference);
      const source = `registry ${registry === 'index.docker.io' ? 'docker.io' : registry}`;
      return this.#withRoom(async () => this.#unpacked(reference, await this.pull(reference, credentials, signal), source, signal));
    });
  }

  /** Work that may find the disk full: it is tried once more where unused images could be removed. */
  async #withRoom<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      const relief = await this.relieve();
      if (relief === undefined || relief.removed.length === 0) throw error;
      return work();
    }
  }

  async resolve(reference: string, credentials: readonly RegistryCredential[], signal: AbortSignal): Promise<string> {
    const name = this.#parse(reference);
    const parsed = parseImageReference(reference);
    if (name.digest !== undefined) return pinned(parsed, name.digest);
    const entry = this.lookup(name);
    if (entry?.origin === 'local') return pinned(parsed, entry.digest);
    const source = await this.source();
    return pinned(parsed, (await source.resolve(reference, credentials, signal)).digest);
  }

  /** Every change is on disk when its promise resolves, so there is nothing left to write. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopCollecting();
  }

  hold(digest: string, holder: string): Promise<void> {
    return this.#holds.hold(digest, holder);
  }

  release(holder: string): Promise<void> {
    return this.#holds.release(holder);
  }

  /** Fetches from the registry, whatever is here; returns the digest of what the name stands for there. */
  async pull(
    reference: string,
    credentials: readonly RegistryCredential[],
    signal: AbortSignal,
    onProgress?: ProgressListener,
  ): Promise<string> {
    const name = this.#parse(reference);
    const source = await this.source();
    return this.busy(async () => {
      const digest = await source.pull(reference, credentials, signal, onProgress);
      const at = this.#options.clock.now();
      if (name.tag === undefined) await this.repositories.addManifest(name.repository, digest, at);
      else await this.repositories.setTag(name.repository, name.tag, { digest, origin: 'registry', taggedAt: at });
      return digest;
    });
  }

  /** What a name stands for in the store; a digest is found under any name, since it names the same content. */
  lookup(name: StoreName): TagEntry | undefined {
    if (name.digest !== undefined) return { digest: name.digest, origin: 'local', taggedAt: 0 };
    return this.repositories.tag(name.repository, name.tag ?? 'latest');
  }

  /** Like `lookup` for a reference as written; a fault says that there is no such name. */
  async find(reference: string): Promise<TagEntry> {
    const entry = this.lookup(this.name(reference));
    if (entry === undefined || (await this.blobs.size(entry.digest)) === undefined) {
      throw imageFault('MANIFEST_UNKNOWN', `no image ${JSON.stringify(reference)} in the store`);
    }
    return entry;
  }

  /** The store's form of a reference; a fault where it cannot be parsed. */
  name(reference: string): StoreName {
    try {
      return storeName(reference, this.#options.registryPorts ?? []);
    } catch (error) {
      throw imageFault('NAME_INVALID', `invalid image name: ${errorText(error)}`);
    }
  }

  /** Gives a digest a name that wins over any registry. */
  async setTag(reference: string, digest: string, origin: ImageOrigin = 'local'): Promise<void> {
    const name = this.name(reference);
    if (name.digest !== undefined) throw imageFault('NAME_INVALID', `${JSON.stringify(reference)} has a digest: a tag is needed`);
    await this.repositories.setTag(name.repository, name.tag ?? 'latest', { digest, origin, taggedAt: this.#options.clock.now() });
  }

  async list(): Promise<readonly ImageSummary[]> {
    const held = this.#holds.digests();
    const summaries: ImageSummary[] = [];
    for (const { repository, tag, digest, origin, taggedAt } of this.repositories.allTags()) {
      const { sizeBytes, platforms } = await this.#describe(digest);
      const name = `${familiarRepository(repository, this.#options.registryPorts?.[0])}:${tag}`;
      summaries.push({ name, digest, sizeBytes, taggedAt, origin, inUse: held.has(digest), platforms });
    }
    return summaries.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Configuration and layers of an image, of an index all of them. */
  async sizeBytes(digest: string): Promise<number> {
    return (await this.#describe(digest)).sizeBytes;
  }

  /** Removes a name, or with a digest all names of that repository on it. Running containers keep their files. */
  async remove(reference: string): Promise<readonly string[]> {
    const name = this.name(reference);
    const familiar = familiarRepository(name.repository, this.#options.registryPorts?.[0]);
    const done =
      name.digest === undefined
        ? await this.repositories.removeTag(name.repository, name.tag ?? 'latest')
        : await this.repositories.removeManifest(name.repository, name.digest);
    if (!done) throw imageFault('MANIFEST_UNKNOWN', `no image ${JSON.stringify(reference)} in the store`);
    return [name.digest === undefined ? `${familiar}:${name.tag ?? 'latest'}` : `${familiar}@${name.digest}`];
  }

  /** Frees what nothing needs. While something is being added, only what has not been touched for a while. */
  async prune(request: PruneRequest = {}): Promise<PruneResult> {
    const held = this.#holds.digests();
    const removedNames: string[] = [];
    for (const { repository, tag, digest, origin } of this.repositories.allTags()) {
      if (request.unused === undefined || held.has(digest) || (request.unused === 'registry' && origin !== 'registry')) continue;
      await this.repositories.removeTag(repository, tag);
      removedNames.push(`${familiarRepository(repository, this.#options.registryPorts?.[0])}:${tag}`);
    }
    const before = this.#busy > 0 ? this.#options.clock.now() - collectEveryMs : Number.POSITIVE_INFINITY;
    return { removedNames, ...(await collect({ store: this, held, before })) };
  }

  /**
   * On a disk that is too full, removes pulled images that no container uses, the longest here first, until it is empty enough. What was
   * made on this machine stays: no registry could give it back.
   */
  async relieve(): Promise<ImageRelief | undefined> {
    const usage = this.#options.diskUsage ?? (() => diskUsage(this.directory));
    const before = await usage();
    if (usedPercent(before) < highThresholdPercent) return undefined;
    const removed: string[] = [];
    const old = this.#options.clock.now() - minimumAgeMs;
    const held = () => this.#holds.digests();
    const candidates = [...this.repositories.allTags()]
      .filter(({ origin, taggedAt }) => origin === 'registry' && taggedAt < old)
      .sort((a, b) => a.taggedAt - b.taggedAt);
    for (const { repository, tag, digest } of candidates) {
      if (usedPercent(await usage()) <= lowThresholdPercent) break;
      if (held().has(digest)) continue;
      await this.repositories.removeTag(repository, tag);
      removed.push(`${familiarRepository(repository, this.#options.registryPorts?.[0])}:${tag}`);
      await collect({ store: this, held: held(), before: old });
    }
    const after = await usage();
    this.#options.logger.info('unused images were looked for on a full disk', {
      component: 'images',
      usedPercent: usedPercent(after),
      removed,
    });
    const wantedBytes = Math.ceil(before.totalBytes * (1 - lowThresholdPercent / 100)) - before.availableBytes;
    return { removed, wantedBytes, freedBytes: Math.max(0, after.availableBytes - before.availableBytes) };
  }

  /** What nothing has needed for an hour goes by itself; names only from a full disk. */
  #collectLater(): void {
    this.#stopCollecting = this.#options.clock.after(collectEveryMs, () => {
      const before = this.#options.clock.now() - collectEveryMs;
      collect({ store: this, held: this.#holds.digests(), before }).then(
        () => this.#collectLater(),
        (error: unknown) => {
          this.#options.logger.warn('image collection failed', { component: 'images', error });
          this.#collectLater();
        },
      );
    });
  }

  /** While `work` runs, nothing recent is collected. */
  async busy<T>(work: () => Promise<T>): Promise<T> {
    this.#busy += 1;
    try {
      return await work();
    } finally {
      this.#busy -= 1;
    }
  }

  /** The way to other registries; loaded when first needed. */
  source(): Promise<ImageSource> {
    this.#source ??= openImageSource(this.blobs, {
      clock: this.#options.clock,
      logger: this.#options.logger,
      mirrors: this.#options.mirrors ?? {},
      outbound: this.#options.outbound,
    });
    return this.#source;
  }

  /** An image of another architecture is refused in the words of one that was pulled just now. */
  async #complete(reference: string, digest: string): ReturnType<typeof completeImage> {
    try {
      return await completeImage(this.blobs, digest);
    } catch (error) {
      const what = `failed to pull and unpack image "${fullName(parseImageReference(reference))}"`;
      throw new ImageError('ErrImagePull', `${what}: ${errorText(error)}`, error);
    }
  }

  async #unpacked(reference: string, digest: string, source: string, signal: AbortSignal): Promise<LocalImage> {
    const image = await this.#complete(reference, digest);
    if (image !== undefined) return this.#unpack(reference, image, source, signal);
    const name = fullName(parseImageReference(reference));
    throw new ImageError('ErrImagePull', `failed to pull and unpack image "${name}": content is missing`);
  }

  async #unpack(reference: string, image: CompleteImage, source: string, signal: AbortSignal): Promise<LocalImage> {
    const parsed = parseImageReference(reference);
    try {
      const layers = await unpackImage(this.blobs, this.layers, image, signal);
      const repository = fullName({ ...parsed, tag: undefined, digest: undefined });
      return localImage(image, { repository, source, layers });
    } catch (error) {
      signal.throwIfAborted();
      throw new ImageError('ErrImagePull', `failed to pull and unpack image "${fullName(parsed)}": ${unpackText(error)}`, error);
    }
  }

  async #describe(digest: string): Promise<{ sizeBytes: number; platforms: readonly string[] }> {
    const stored = await readManifest(this.blobs, digest).catch(() => undefined);
    if (stored === undefined) return { sizeBytes: 0, platforms: [] };
    if (!isIndex(stored.content)) {
      const { config, layers } = stored.content;
      const file = await this.blobs.read(config.digest);
      const { os = '', architecture = '' } = file === undefined ? {} : platformIn(file);
      return {
        sizeBytes: layers.reduce((sum, { size }) => sum + size, config.size),
        platforms: os === '' ? [] : [`${os}/${architecture}`],
      };
    }
    const inner = await Promise.all(stored.content.manifests.map(({ digest: child }) => this.#describe(child)));
    return {
      sizeBytes: inner.reduce((sum, one) => sum + one.sizeBytes, 0),
      platforms: [...new Set(inner.flatMap((one) => one.platforms))],
    };
  }

  /** In the kubelet's words. */
  #parse(reference: string): StoreName {
    try {
      return storeName(reference, this.#options.registryPorts ?? []);
    } catch {
      const text = `Failed to apply default image tag "${reference}": couldn't parse image name "${reference}": invalid reference format`;
      throw new ImageError('InvalidImageName', text);
    }
  }
}

/** Of an image's configuration. An artifact's may be anything. */
function platformIn(config: Buffer): { readonly os?: string; readonly architecture?: string } {
  try {
    return (JSON.parse(config.toString('utf8')) as { os?: string; architecture?: string } | null) ?? {};
  } catch {
    return {};
  }
}

function unpackText(error: unknown): string {
  const text = errorText(error);
  return `failed to extract layer: ${text}${isDiskFull(error) && !/no space left/.test(text) ? ': no space left on device' : ''}`;
}
