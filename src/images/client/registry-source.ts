import { ImageError, type RegistryCredential } from '#apis/runtime/image-service.ts';
import { matchingCredentials } from '#apis/runtime/registry-credentials.ts';
import { parseImageReference, type ImageReference } from '#apis/knative/image-reference.ts';
import { errorText } from '#core/errors.ts';
import type { ProgressListener } from '../messages.ts';
import { fullName } from '../names.ts';
import { type Descriptor, type ImageManifest, isIndex, parseManifest, selectPlatform } from '../oci.ts';
import { type BlobStore, digestOf } from '../store/blob-store.ts';
import { fitsHost, readConfig, readManifest, wrongPlatform } from '../store/content.ts';
import type { ImageSource } from './image-source.ts';
import type { ImageSourceOptions } from './open-image-source.ts';
import { type Agents, createAgents } from './agents.ts';
import { RegistryClient, isRefusal } from './registry-client.ts';

const maxConcurrentLayers = 3;

/** Other registries, spoken to in the distribution protocol. Messages read as containerd's do. */
export class RegistrySource implements ImageSource {
  readonly #blobs: BlobStore;
  readonly #options: ImageSourceOptions;
  readonly #agents: Agents;

  constructor(blobs: BlobStore, options: ImageSourceOptions) {
    this.#blobs = blobs;
    this.#options = options;
    this.#agents = createAgents(options.outbound);
  }

  async resolve(reference: string, credentials: readonly RegistryCredential[], signal: AbortSignal): Promise<{ digest: string }> {
    const parsed = parseImageReference(reference);
    try {
      const digest = await this.#admitted(parsed, credentials, signal, (client) => client.resolve(wanted(parsed), fullName(parsed)));
      return { digest };
    } catch (error) {
      throw imageError(`failed to resolve reference "${fullName(parsed)}"`, error, signal);
    }
  }

  async pull(
    reference: string,
    credentials: readonly RegistryCredential[],
    signal: AbortSignal,
    onProgress: ProgressListener = () => {},
  ): Promise<string> {
    const parsed = parseImageReference(reference);
    const what = `failed to pull and unpack image "${fullName(parsed)}"`;
    const { client, digest } = await this.#admitted(parsed, credentials, signal, async (client) => ({
      client,
      digest: await client.resolve(wanted(parsed), fullName(parsed)),
    })).catch((error: unknown) => {
      throw imageError(`${what}: failed to resolve reference "${fullName(parsed)}"`, error, signal);
    });
    try {
      onProgress({ type: 'status', message: `${fullName(parsed)}: ${digest}` });
      await this.#fetchImage(client, digest, onProgress);
      return digest;
    } catch (error) {
      throw imageError(what, error, signal);
    }
  }

  async push(
    digest: string,
    target: string,
    credentials: readonly RegistryCredential[],
    signal: AbortSignal,
    onProgress: ProgressListener = () => {},
  ): Promise<void> {
    const parsed = parseImageReference(target);
    try {
      await this.#admitted(parsed, credentials, signal, (client) => this.#pushManifest(client, digest, parsed.tag ?? digest, onProgress));
    } catch (error) {
      throw imageError(`failed to push image "${fullName(parsed)}"`, error, signal);
    }
  }

  /** Does the work with the first of the fitting logins that is let in; without any, as nobody in particular. */
  async #admitted<T>(
    parsed: ImageReference,
    credentials: readonly RegistryCredential[],
    signal: AbortSignal,
    work: (client: RegistryClient) => Promise<T>,
  ): Promise<T> {
    const [last, ...others] = matchingCredentials(credentials, parsed).toReversed();
    for (const credential of others.toReversed()) {
      try {
        return await work(this.#client(parsed, credential, signal));
      } catch (error) {
        if (!isRefusal(error)) throw error;
      }
    }
    return work(this.#client(parsed, last, signal));
  }

  #client({ registry, repository }: ImageReference, credential: RegistryCredential | undefined, signal: AbortSignal): RegistryClient {
    const { clock, mirrors } = this.#options;
    const names = registry === 'index.docker.io' ? ['docker.io', 'index.docker.io'] : [registry];
    const own = [...names, '*'].flatMap((name) => mirrors[name] ?? []);
    return new RegistryClient({ registry, repository, mirrors: own, credential, agents: this.#agents, clock, signal });
  }

  async #fetchImage(client: RegistryClient, digest: string, onProgress: ProgressListener): Promise<void> {
    const content = await this.#fetchManifest(client, digest);
    if (!isIndex(content)) return this.#fetchParts(client, digest, content, onProgress);
    const chosen = selectPlatform(content);
    if (chosen === undefined) throw wrongPlatform(digest);
    const inner = await this.#fetchManifest(client, chosen.digest);
    if (isIndex(inner)) throw wrongPlatform(digest);
    await this.#fetchParts(client, digest, inner, onProgress);
  }

  async #fetchManifest(client: RegistryClient, digest: string): Promise<ReturnType<typeof parseManifest>['content']> {
    const known = await readManifest(this.#blobs, digest);
    if (known !== undefined) return known.content;
    const bytes = await client.manifest(digest);
    if (digestOf(bytes) !== digest) throw new Error(`manifest has digest ${digestOf(bytes)}, expected ${digest}`);
    const { content } = parseManifest(bytes);
    await this.#blobs.writeBytes(bytes);
    return content;
  }

  async #fetchParts(client: RegistryClient, digest: string, manifest: ImageManifest, onProgress: ProgressListener): Promise<void> {
    await this.#fetchBlob(client, manifest.config, () => {});
    const config = readConfig((await this.#blobs.read(manifest.config.digest)) ?? Buffer.alloc(0), manifest);
    if (!fitsHost(config)) throw wrongPlatform(digest);
    const queue = [...manifest.layers];
    const worker = async () => {
      for (let layer = queue.shift(); layer !== undefined; layer = queue.shift()) await this.#fetchBlob(client, layer, onProgress);
    };
    const results = await Promise.allSettled(Array.from({ length: maxConcurrentLayers }, worker));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  async #fetchBlob(client: RegistryClient, { digest, size }: Descriptor, onProgress: ProgressListener): Promise<void> {
    const report = (state: 'downloading' | 'done' | 'exists', currentBytes: number) =>
      onProgress({ type: 'layer', digest, state, currentBytes, totalBytes: size });
    if ((await this.#blobs.size(digest)) !== undefined) return report('exists', size);
    let reported = 0;
    const progress = (bytes: number) => {
      if (bytes - reported < 1 << 20) return;
      reported = bytes;
      report('downloading', bytes);
    };
    await this.#blobs.once(digest, () =>
      this.#blobs.write(client.blob(digest, size), { digest, sizeBytes: size, maxBytes: size, onProgress: progress }),
    );
    report('done', size);
  }

  async #pushManifest(client: RegistryClient, digest: string, reference: string, onProgress: ProgressListener): Promise<void> {
    const stored = await readManifest(this.#blobs, digest);
    if (stored === undefined) throw new Error(`content ${digest} is not in the store`);
    if (isIndex(stored.content)) {
      for (const child of stored.content.manifests) await this.#pushManifest(client, child.digest, child.digest, onProgress);
    } else {
      for (const part of [stored.content.config, ...stored.content.layers]) await this.#pushBlob(client, part, onProgress);
    }
    await client.putManifest(reference, stored.mediaType, stored.bytes);
  }

  async #pushBlob(client: RegistryClient, { digest, size }: Descriptor, onProgress: ProgressListener): Promise<void> {
    const report = (state: 'uploading' | 'done' | 'exists', currentBytes: number) =>
      onProgress({ type: 'layer', digest, state, currentBytes, totalBytes: size });
    if (await client.hasBlob(digest)) return report('exists', size);
    if ((await this.#blobs.size(digest)) === undefined) throw new Error(`content ${digest} is not in the store`);
    report('uploading', 0);
    await client.putBlob(digest, size, () => this.#blobs.stream(digest));
    report('done', size);
  }
}

/** What of a reference the registry is asked for. */
function wanted({ digest, tag }: ImageReference): string {
  return digest ?? tag ?? 'latest';
}

function imageError(what: string, error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  return new ImageError('ErrImagePull', `${what}: ${errorText(error)}`);
}
