import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { ImageError, type RegistryCredential } from '#apis/runtime/image-service.ts';
import { UserError } from '#core/errors.ts';
import { ImageFault, imageFault } from '../errors.ts';
import type { ImageStore } from '../image-store.ts';
import type { BuildRequest, ImageProgress, ProgressListener, PruneRequest, PullRequest, PushRequest, SaveRequest } from '../messages.ts';
import type { ImageResult } from '../remote.ts';
import { errorDocument, readBody, sendJson } from './replies.ts';

const maxRequestBytes = 1 << 20;

type Json = Record<string, unknown>;

/** The store's management interface, for the platform's own processes and its CLI; every request carries the token. */
export class Management {
  readonly #store: ImageStore;
  readonly #tokenHash: Buffer;

  constructor(store: ImageStore, token: string) {
    this.#store = store;
    this.#tokenHash = hashOf(`Bearer ${token}`);
  }

  async handle(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const gone = new AbortController();
    response.once('close', () => gone.abort(new Error('the client has gone')));
    try {
      if (!timingSafeEqual(hashOf(request.headers.authorization ?? ''), this.#tokenHash)) {
        throw imageFault('UNAUTHORIZED', 'the image store wants its token');
      }
      await this.#dispatch(request, response, url, gone.signal);
    } catch (error) {
      if (response.headersSent) response.destroy();
      else sendJson(response, statusOf(error), errorDocument(error), { connection: 'close' });
    }
  }

  async #dispatch(request: IncomingMessage, response: ServerResponse, url: URL, signal: AbortSignal): Promise<void> {
    const store = this.#store;
    const operation = `${request.method} ${url.pathname.slice('/dormouse/v1/'.length)}`;
    if (operation === 'POST load') {
      const { loadArchive } = await import('../archive/load.ts');
      return sendJson(response, 200, { images: await loadArchive(store, request, url.searchParams.get('name') ?? undefined, signal) });
    }
    const body = request.method === 'POST' ? await jsonBody(request) : {};
    switch (operation) {
      case 'GET images':
        return sendJson(response, 200, { images: await store.list() });
      case 'POST resolve':
        return sendJson(response, 200, { resolved: await store.resolve(text(body, 'reference'), credentials(body), signal) });
      case 'POST tag':
        await store.setTag(text(body, 'target'), (await store.find(text(body, 'source'))).digest);
        return sendJson(response, 200, {});
      case 'POST remove':
        return sendJson(response, 200, { untagged: await store.remove(text(body, 'name')) });
      case 'POST prune':
        return sendJson(response, 200, await store.prune(body as PruneRequest));
      case 'POST save': {
        const { saveArchive } = await import('../archive/save.ts');
        const archive = await saveArchive(store, { ...(body as Partial<SaveRequest>), names: texts(body, 'names') });
        response.writeHead(200, { 'content-type': 'application/x-tar' });
        return pipeline(archive, response);
      }
      case 'POST pull':
        return streamed(response, (onProgress) => this.#pull(body as Json & Partial<PullRequest>, signal, onProgress));
      case 'POST push':
        return streamed(response, (onProgress) => this.#push(body as Json & Partial<PushRequest>, signal, onProgress));
      case 'POST build':
        return streamed(response, (onProgress) => this.#build(body as Json & Partial<BuildRequest>, signal, onProgress));
      default:
        throw imageFault('NAME_UNKNOWN', `no such operation: ${operation}`);
    }
  }

  async #pull(body: Json, signal: AbortSignal, onProgress: ProgressListener): Promise<ImageResult> {
    const name = text(body, 'reference');
    const digest = await this.#store.pull(name, credentials(body), signal, onProgress);
    return { name, digest, sizeBytes: await this.#store.sizeBytes(digest) };
  }

  async #push(body: Json, signal: AbortSignal, onProgress: ProgressListener): Promise<ImageResult> {
    const source = text(body, 'source');
    const name = body['target'] === undefined ? source : text(body, 'target');
    const { digest } = await this.#store.find(source);
    const registry = await this.#store.source();
    await this.#store.busy(() => registry.push(digest, name, credentials(body), signal, onProgress));
    return { name, digest, sizeBytes: await this.#store.sizeBytes(digest) };
  }

  async #build(body: Json & Partial<BuildRequest>, signal: AbortSignal, onProgress: ProgressListener): Promise<ImageResult> {
    const { buildImage } = await import('../build/build-image.ts');
    const request = { ...body, directory: text(body, 'directory'), tags: texts(body, 'tags'), credentials: credentials(body) };
    for (const list of ['command', 'environment']) if (body[list] !== undefined) texts(body, list);
    const { digest, sizeBytes } = await buildImage(request, { store: this.#store, signal, onProgress });
    return { name: request.tags[0] ?? '', digest, sizeBytes };
  }
}

/** Answers with one JSON line for each step; the last says how it ended. */
async function streamed(response: ServerResponse, work: (onProgress: ProgressListener) => Promise<ImageResult>): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/x-ndjson' });
  const send = (progress: ImageProgress) => {
    if (!response.destroyed) response.write(`${JSON.stringify(progress)}\n`);
  };
  try {
    send({ type: 'done', ...(await work(send)) });
  } catch (error) {
    send({ type: 'error', ...errorDocument(error) });
  }
  response.end();
}

function statusOf(error: unknown): number {
  if (error instanceof ImageFault) return error.status;
  if (error instanceof UserError) return 400;
  return error instanceof ImageError ? 422 : 500;
}

async function jsonBody(request: IncomingMessage): Promise<Json> {
  const bytes = await readBody(request, maxRequestBytes);
  try {
    const value = JSON.parse(bytes.toString('utf8')) as unknown;
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json;
  } catch (error) {
    throw new UserError(`the request is not JSON: ${(error as Error).message}`, { cause: error });
  }
  throw new UserError('the request is not a JSON object');
}

function text(body: Json, field: string): string {
  const value = body[field];
  if (typeof value !== 'string' || value === '') throw new UserError(`${field} is missing`);
  return value;
}

function texts(body: Json, field: string): readonly string[] {
  const value = body[field];
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) throw new UserError(`${field} is not a list of strings`);
  return value as readonly string[];
}

function credentials(body: Json): readonly RegistryCredential[] {
  const list = body['credentials'] ?? [];
  const isCredential = (item: Partial<RegistryCredential> | null) =>
    typeof item?.registry === 'string' &&
    typeof item.username === 'string' &&
    typeof item.password === 'string' &&
    ['undefined', 'string'].includes(typeof item.identityToken);
  if (!Array.isArray(list) || !list.every(isCredential)) throw new UserError('credentials need registry, username and password');
  return list as readonly RegistryCredential[];
}

function hashOf(value: string): Buffer {
  return createHash('sha256').update(value).digest();
}
