import { Readable } from 'node:stream';
import type { RegistryCredential } from '#apis/runtime/image-service.ts';
import { parseImageReference } from '#apis/knative/image-reference.ts';
import type { ProgressListener } from '../messages.ts';
import { fullName } from '../names.ts';
import { type Descriptor, type ImageManifest, isIndex, parseManifest, selectPlatform } from '../oci.ts';
import { type BlobStore, digestOf } from '../store/blob-store.ts';
import { fitsHost, readConfig, readManifest, wrongPlatform } from '../store/content.ts';
import type { ImageSource } from './image-source.ts';
import type { ImageSourceOptions } from './open-image-source.ts';
import { createAgents } from './agents.ts';
import type { RegistryClient } from './registry-client.ts';
import { admitted, digestAt, imageError, resolveInRegistry, type RegistryOptions } from './resolve.ts';
import { settleAll } from '#core/async.ts';

const maxConcurrentLayers = 3;

/** Other registries, spoken to in the distribution protocol. Messages read as containerd's do. */
export class RegistrySource implements ImageSource {
  readonly #blobs: BlobStore;
  readonly #options: RegistryOptions;

  constructor(blobs: BlobStore, options: ImageSourceOptions) {
    this.#blobs = blobs;
    this.#options = { clock: options.clock, mirrors: options.mirrors, agents: createAgents(options.outbound) };
  }

  async resolve(reference: string, credentials: readonly RegistryCredential[], signal: AbortSignal): Promise<{ digest: string }> {
    return { digest: await resolveInRegistry(reference, credentials, this.#options, signal) };
  }

  async pull(
    reference: string,
    credentials: readonly RegistryCredential[],
    signal: AbortSignal,
    onProgress: ProgressListener = () => {},
  ): Promise<string> {
    const parsed = parseImageReference(reference);
    const what = `failed to pull and unpack image "${fullName(parsed)}"`;
    const { client, digest } = await admitted(parsed, credentials, this.#options, signal, async (client) => ({
      client,
      digest: await digestAt(client, parsed),
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
      await admitted(parsed, credentials, this.#options, signal, (client) =>
        this.#pushManifest(client, digest, parsed.tag ?? digest, onProgress),
      );
    } catch (error) {
      throw imageError(`failed to push image "${fullName(parsed)}"`, error, signal);
    }
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
    await settleAll(Array.from({ length: maxConcurrentLayers }, worker));
  }

  async #fetchBlob(client: RegistryClient, { digest, size }: Descriptor, onProgress: ProgressListener): Promise<void> {
    const report = (state: 'downloading' | 'done' | 'exists', currentBytes: number) =>
      onProgress({ type: 'layer', digest, state, currentBytes, totalBytes: size });
    if ((await this.#blobs.size(digest)) !== undefined) return report('exists', size);
    const progress = everyMegabyte((bytes) => report('downloading', bytes));
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
    await client.putBlob(digest, size, () => Readable.from(counted(this.#blobs.stream(digest), (bytes) => report('uploading', bytes))));
    report('done', size);
  }
}

/** Passes on what has grown by a megabyte since it last did. */
function everyMegabyte(report: (bytes: number) => void): (bytes: number) => void {
  let reported = 0;
  return (bytes) => {
    if (bytes - reported < 1 << 20) return;
    reported = bytes;
    report(bytes);
  };
}

async function* counted(content: AsyncIterable<Buffer>, report: (bytes: number) => void): AsyncGenerator<Buffer> {
  const passed = everyMegabyte(report);
  let bytes = 0;
  for await (const chunk of content) {
    yield chunk;
    passed((bytes += chunk.length));
  }
}
