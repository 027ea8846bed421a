import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { parseImageReference } from '#apis/knative/image-reference.ts';
import type { Clock } from '#core/clock.ts';
import { imageFault } from '../errors.ts';
import type { ImageStore } from '../image-store.ts';
import { ownRegistryPath, ownRepositoryName } from '../names.ts';
import { type Descriptor, type ImageManifest, type StoredManifest, isDigest, isIndex, mediaTypes, parseManifest } from '../oci.ts';
import { digestOf } from '../store/blob-store.ts';
import { readManifest } from '../store/content.ts';
import { readBody, sendJson } from './replies.ts';
import { type Upload, Uploads } from './uploads.ts';

const maxManifestBytes = 4 * 2 ** 20;
const tagPattern = /^\w[\w.-]{0,127}$/;

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  readonly method: string;
  /** As in the URL. */
  readonly path: string;
  /** The store's name of it. */
  readonly repository: string;
}

/** The registry protocol, OCI distribution 1.1, over the store. Blobs are shared by all repositories; manifests belong to theirs. */
export class Distribution implements AsyncDisposable {
  readonly #store: ImageStore;
  readonly #clock: Clock;
  readonly #uploads: Uploads;

  constructor(store: ImageStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
    this.#uploads = new Uploads(store.blobs, clock);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#uploads.cancelAll();
  }

  async handle(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    response.setHeader('docker-distribution-api-version', 'registry/2.0');
    const method = request.method ?? 'GET';
    if (url.pathname === '/v2' || url.pathname === '/v2/') return sendJson(response, 200, {});
    if (url.pathname === '/v2/_catalog' && method === 'GET') return this.#catalog(response, url);
    const match = /^\/v2\/(.+)\/(blobs\/uploads|blobs|manifests|tags|referrers)\/([^/]*)$/.exec(url.pathname);
    if (match === null) throw imageFault('NAME_UNKNOWN', `no such resource: ${url.pathname}`);
    const [, path = '', kind = '', last = ''] = match;
    const exchange = { request, response, url, method, path, repository: repositoryOf(path) };
    const operation = `${method} ${kind}`;
    switch (operation) {
      case 'GET blobs':
      case 'HEAD blobs':
        return this.#readBlob(exchange, digestIn(last));
      case 'DELETE blobs':
        throw imageFault('UNSUPPORTED', 'blobs go when no manifest needs them');
      case 'POST blobs/uploads':
        return this.#startUpload(exchange);
      case 'GET blobs/uploads':
        return this.#uploadStatus(exchange, this.#uploads.get(exchange.repository, last), 204);
      case 'PATCH blobs/uploads':
        return this.#continueUpload(exchange, this.#uploads.get(exchange.repository, last));
      case 'PUT blobs/uploads':
        return this.#finishUpload(exchange, this.#uploads.get(exchange.repository, last));
      case 'DELETE blobs/uploads':
        await this.#uploads.cancel(this.#uploads.get(exchange.repository, last));
        response.writeHead(204).end();
        return;
      case 'GET manifests':
      case 'HEAD manifests':
        return this.#readManifest(exchange, last);
      case 'PUT manifests':
        return this.#store.busy(() => this.#writeManifest(exchange, last));
      case 'DELETE manifests':
        return this.#removeManifest(exchange, last);
      case 'GET tags':
        return this.#tags(exchange);
      case 'GET referrers':
        return this.#referrers(exchange, digestIn(last));
      default:
        throw imageFault('UNSUPPORTED', `${method} is not possible here`);
    }
  }

  async #readBlob({ request, response, method }: Exchange, digest: string): Promise<void> {
    const size = await this.#store.blobs.size(digest);
    if (size === undefined) throw imageFault('BLOB_UNKNOWN', `no blob ${digest}`);
    const range = byteRange(request.headers.range, size);
    const headers = {
      'content-type': 'application/octet-stream',
      'docker-content-digest': digest,
      etag: `"${digest}"`,
      'accept-ranges': 'bytes',
    };
    if (range === 'unsatisfiable') {
      response.writeHead(416, { 'content-range': `bytes */${size}` }).end();
      return;
    }
    const partial = range === undefined ? {} : { 'content-range': `bytes ${range.start}-${range.end}/${size}` };
    const length = range === undefined ? size : range.end - range.start + 1;
    response.writeHead(range === undefined ? 200 : 206, { ...headers, ...partial, 'content-length': length });
    if (method === 'HEAD' || length === 0) response.end();
    else await pipeline(this.#store.blobs.stream(digest, range), response);
  }

  async #startUpload(exchange: Exchange): Promise<void> {
    const { url, request } = exchange;
    const mount = url.searchParams.get('mount');
    if (mount !== null && (await this.#store.blobs.size(digestIn(mount))) !== undefined) return this.#created(exchange, mount);
    const upload = await this.#uploads.start(exchange.repository);
    const digest = url.searchParams.get('digest');
    if (digest === null) return this.#uploadStatus(exchange, upload, 202);
    await this.#uploads.append(upload, request);
    return this.#finish(exchange, upload, digestIn(digest));
  }

  async #continueUpload(exchange: Exchange, upload: Upload): Promise<void> {
    const range = exchange.request.headers['content-range'];
    const start = range === undefined ? undefined : Number(/^(?:bytes )?(\d+)-\d+/.exec(range)?.[1] ?? Number.NaN);
    if (start !== undefined && start !== upload.ingest.sizeBytes) {
      return this.#uploadStatus(exchange, upload, 416);
    }
    await this.#uploads.append(upload, exchange.request);
    return this.#uploadStatus(exchange, upload, 202);
  }

  async #finishUpload(exchange: Exchange, upload: Upload): Promise<void> {
    const digest = digestIn(exchange.url.searchParams.get('digest') ?? '');
    await this.#uploads.append(upload, exchange.request);
    return this.#finish(exchange, upload, digest);
  }

  async #finish(exchange: Exchange, upload: Upload, digest: string): Promise<void> {
    await this.#uploads.finish(upload, digest);
    this.#created(exchange, digest);
  }

  #created({ response, path }: Exchange, digest: string): void {
    response.writeHead(201, { location: `/v2/${path}/blobs/${digest}`, 'docker-content-digest': digest, 'content-length': 0 }).end();
  }

  #uploadStatus({ request, response, path }: Exchange, upload: Upload, status: number): void {
    request.resume();
    const { sizeBytes } = upload.ingest;
    response.writeHead(status, {
      location: `/v2/${path}/blobs/uploads/${upload.id}`,
      range: `0-${Math.max(0, sizeBytes - 1)}`,
      'docker-upload-uuid': upload.id,
      'content-length': 0,
    });
    response.end();
  }

  async #readManifest({ response, method, repository }: Exchange, reference: string): Promise<void> {
    const stored = await this.#manifest(repository, reference);
    response.writeHead(200, {
      'content-type': stored.mediaType,
      'content-length': stored.bytes.length,
      'docker-content-digest': stored.digest,
      etag: `"${stored.digest}"`,
    });
    response.end(method === 'HEAD' ? undefined : stored.bytes);
  }

  async #manifest(repository: string, reference: string): Promise<StoredManifest> {
    const digest = reference.includes(':') ? digestIn(reference) : this.#store.repositories.tag(repository, reference)?.digest;
    const stored =
      digest === undefined || !(await this.#belongs(repository, digest)) ? undefined : await readManifest(this.#store.blobs, digest);
    if (stored !== undefined) return stored;
    throw imageFault('MANIFEST_UNKNOWN', `manifest unknown: no ${reference} in ${ownRegistryPath(repository)}`);
  }

  /** Part of the repository: known by itself, or within an index that is. */
  async #belongs(repository: string, digest: string): Promise<boolean> {
    const { repositories, blobs } = this.#store;
    if (repositories.hasManifest(repository, digest)) return true;
    for (const known of repositories.manifestsOf(repository)) {
      const stored = await readManifest(blobs, known).catch(() => undefined);
      if (stored !== undefined && isIndex(stored.content) && stored.content.manifests.some((child) => child.digest === digest)) return true;
    }
    return false;
  }

  async #writeManifest({ request, response, repository, path }: Exchange, reference: string): Promise<void> {
    const byDigest = reference.includes(':') ? digestIn(reference) : undefined;
    if (byDigest === undefined && !tagPattern.test(reference)) throw imageFault('TAG_INVALID', `${JSON.stringify(reference)} is not a tag`);
    const bytes = await readBody(request, maxManifestBytes);
    const parsed = parsedManifest(bytes, request.headers['content-type']);
    const digest = digestOf(bytes);
    if (byDigest !== undefined && byDigest !== digest)
      throw imageFault('DIGEST_INVALID', `content has digest ${digest}, expected ${byDigest}`);
    await this.#checkParts(parsed.content);
    await this.#store.blobs.writeBytes(bytes);
    const taggedAt = this.#clock.now();
    if (byDigest === undefined) await this.#store.repositories.setTag(repository, reference, { digest, origin: 'local', taggedAt });
    else await this.#store.repositories.addManifest(repository, digest, taggedAt);
    const subject = parsed.content.subject?.digest;
    response.writeHead(201, {
      location: `/v2/${path}/manifests/${digest}`,
      'docker-content-digest': digest,
      'content-length': 0,
      ...(subject === undefined ? {} : { 'oci-subject': subject }),
    });
    response.end();
  }

  async #checkParts(content: StoredManifest['content']): Promise<void> {
    const parts = isIndex(content) ? content.manifests : [content.config, ...content.layers.filter(({ urls }) => urls === undefined)];
    for (const { digest } of parts) {
      if ((await this.#store.blobs.size(digest)) === undefined)
        throw imageFault('MANIFEST_BLOB_UNKNOWN', `manifest names ${digest}, which was not uploaded`);
    }
  }

  async #removeManifest({ response, repository }: Exchange, reference: string): Promise<void> {
    const { repositories } = this.#store;
    const done = reference.includes(':')
      ? await repositories.removeManifest(repository, digestIn(reference))
      : await repositories.removeTag(repository, reference);
    if (!done) throw imageFault('MANIFEST_UNKNOWN', `manifest unknown: no ${reference} in ${ownRegistryPath(repository)}`);
    response.writeHead(202, { 'content-length': 0 }).end();
  }

  #tags({ response, url, repository, path }: Exchange): void {
    const tags = this.#store.repositories.tags(repository);
    if (tags === undefined) throw imageFault('NAME_UNKNOWN', `no repository ${path}`);
    const { page, link } = paged(tags, url);
    sendJson(response, 200, { name: path, tags: page }, link);
  }

  #catalog(response: ServerResponse, url: URL): void {
    const names = this.#store.repositories.names().map(ownRegistryPath).sort();
    const { page, link } = paged(names, url);
    sendJson(response, 200, { repositories: page }, link);
  }

  async #referrers({ response, url, repository }: Exchange, subject: string): Promise<void> {
    const wanted = url.searchParams.get('artifactType');
    const manifests: Descriptor[] = [];
    for (const digest of this.#store.repositories.manifestsOf(repository)) {
      const stored = await readManifest(this.#store.blobs, digest).catch(() => undefined);
      if (stored?.content.subject?.digest !== subject) continue;
      const artifactType = stored.content.artifactType ?? (stored.content as Partial<ImageManifest>).config?.mediaType;
      if (wanted !== null && artifactType !== wanted) continue;
      const { annotations } = stored.content;
      manifests.push({
        mediaType: stored.mediaType,
        digest,
        size: stored.bytes.length,
        ...(artifactType === undefined ? {} : { artifactType }),
        ...(annotations === undefined ? {} : { annotations }),
      });
    }
    const filtered: Record<string, string> = wanted === null ? {} : { 'oci-filters-applied': 'artifactType' };
    sendJson(
      response,
      200,
      { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests },
      { 'content-type': mediaTypes.ociIndex, ...filtered },
    );
  }
}

function repositoryOf(path: string): string {
  try {
    parseImageReference(`localhost/${path}`);
  } catch (error) {
    throw imageFault('NAME_INVALID', `invalid repository name: ${path}`, error);
  }
  return ownRepositoryName(path);
}

function parsedManifest(bytes: Buffer, contentType: string | undefined): ReturnType<typeof parseManifest> {
  try {
    return parseManifest(bytes, contentType?.split(';')[0]?.trim());
  } catch (error) {
    throw imageFault('MANIFEST_INVALID', `manifest invalid: ${(error as Error).message}`, error);
  }
}

function digestIn(text: string): string {
  if (!isDigest(text)) throw imageFault('DIGEST_INVALID', `${JSON.stringify(text)} is not sha256:<64 hex digits>`);
  return text;
}

/** One page after `last`, of `n` names; the Link header leads to the next. */
function paged(all: readonly string[], url: URL): { page: readonly string[]; link: Record<string, string> } {
  const last = url.searchParams.get('last');
  const limit = url.searchParams.get('n');
  const size = limit === null ? all.length : Number(limit);
  if (!Number.isInteger(size) || size < 0) throw imageFault('UNSUPPORTED', `n=${limit} is not a count`);
  const rest = last === null ? all : all.filter((name) => name > last);
  const page = rest.slice(0, size);
  if (page.length === rest.length || size === 0) return { page, link: {} };
  return { page, link: { link: `<${url.pathname}?n=${size}&last=${encodeURIComponent(page.at(-1) ?? '')}>; rel="next"` } };
}

/** RFC 9110 §14.2, one range; several, or ones that make no sense, are ignored as the RFC allows. */
export function byteRange(header: string | undefined, size: number): { start: number; end: number } | 'unsatisfiable' | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  const [, first = '', second = ''] = match ?? [];
  if (match === null || (first === '' && second === '')) return undefined;
  if (first === '') return second === '0' || size === 0 ? 'unsatisfiable' : { start: Math.max(0, size - Number(second)), end: size - 1 };
  const start = Number(first);
  const end = second === '' ? size - 1 : Math.min(Number(second), size - 1);
  if (second !== '' && Number(second) < start) return undefined;
  return start >= size ? 'unsatisfiable' : { start, end };
}
