import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ImageError, type RegistryCredential } from '#apis/runtime/image-service.ts';
import { UserError } from '#core/errors.ts';
import type {
  BuildRequest,
  ImageProgress,
  ImageSummary,
  LoadResult,
  ProgressListener,
  PruneRequest,
  PruneResult,
  PullRequest,
  PushRequest,
  RemoveResult,
  SaveRequest,
} from './messages.ts';
import { request as httpRequest } from '#core/node-http.ts';
import { readAll } from '#core/streams.ts';

export type * from './messages.ts';

/** Of one answer that is read as a whole; the list of images is the longest. */
const maxAnswerBytes = 64 * 2 ** 20;

export interface ImageClientOptions {
  /** Base URL of the registry listener, `http://127.0.0.1:5000`; a function where it may change. */
  readonly url: string | (() => string);
  /** The bearer token; called for every request, so that a new token is picked up. */
  readonly token: () => string | Promise<string>;
}

interface ErrorBody {
  readonly message?: string;
  readonly hint?: string;
  readonly reason?: ImageError['reason'];
  readonly kind?: 'user' | 'image';
}

/** The node's image store, from another process. Mistakes of the user come back as UserError, a registry's refusals as ImageError. */
export class ImageClient {
  readonly #options: ImageClientOptions;

  constructor(options: ImageClientOptions) {
    this.#options = options;
  }

  /** Digest a reference stands for right now: `repository@sha256:…`. Local names first. */
  async resolve(reference: string, credentials: readonly RegistryCredential[], signal?: AbortSignal): Promise<string> {
    const answer = await this.#json<{ resolved: string }>('POST', 'resolve', { reference, credentials }, signal);
    return answer.resolved;
  }

  async list(signal?: AbortSignal): Promise<readonly ImageSummary[]> {
    return (await this.#json<{ images: readonly ImageSummary[] }>('GET', 'images', undefined, signal)).images;
  }

  /** Gives the image that `source` names (a name or `repository@digest` in the store) another name. */
  async tag(source: string, target: string, signal?: AbortSignal): Promise<void> {
    await this.#json('POST', 'tag', { source, target }, signal);
  }

  /** Removes a name; what no name needs any more is freed by `prune` or in time. */
  remove(name: string, signal?: AbortSignal): Promise<RemoveResult> {
    return this.#json<RemoveResult>('POST', 'remove', { name }, signal);
  }

  prune(request: PruneRequest = {}, signal?: AbortSignal): Promise<PruneResult> {
    return this.#json<PruneResult>('POST', 'prune', request, signal);
  }

  /** Loads an archive (OCI layout or docker save; plain, gzip or zstd). `name`: for images that carry none. */
  async load(archive: Readable, options: { name?: string } = {}, signal?: AbortSignal): Promise<LoadResult> {
    const query = options.name === undefined ? '' : `?name=${encodeURIComponent(options.name)}`;
    const response = await this.#send('POST', `load${query}`, archive, 'application/x-tar', signal);
    return (await readJson(response)) as LoadResult;
  }

  /** An archive of the named images as a stream. A failure half-way destroys the stream with an error. */
  async save(request: SaveRequest, signal?: AbortSignal): Promise<Readable> {
    return this.#send('POST', 'save', Readable.from([JSON.stringify(request)]), 'application/json', signal);
  }

  /** Fetches from the registry also where a local name would win. */
  pull(request: PullRequest, onProgress?: ProgressListener, signal?: AbortSignal): Promise<ImageResult> {
    return this.#watch('pull', request, onProgress, signal);
  }

  push(request: PushRequest, onProgress?: ProgressListener, signal?: AbortSignal): Promise<ImageResult> {
    return this.#watch('push', request, onProgress, signal);
  }

  /** Builds a source directory of the node's machine into an image. */
  build(request: BuildRequest, onProgress?: ProgressListener, signal?: AbortSignal): Promise<ImageResult> {
    return this.#watch('build', request, onProgress, signal);
  }

  async #watch(path: string, body: object, onProgress: ProgressListener | undefined, signal?: AbortSignal): Promise<ImageResult> {
    const response = await this.#send('POST', path, Readable.from([JSON.stringify(body)]), 'application/json', signal);
    for await (const line of lines(response)) {
      const progress = JSON.parse(line) as ImageProgress & ErrorBody;
      if (progress.type === 'error') throw errorOf(progress, 200);
      onProgress?.(progress);
      if (progress.type === 'done') return progress;
    }
    throw new Error('the image store ended its answer early');
  }

  async #json<T>(method: string, path: string, body: object | undefined, signal?: AbortSignal): Promise<T> {
    const payload = body === undefined ? undefined : Readable.from([JSON.stringify(body)]);
    const response = await this.#send(method, path, payload, 'application/json', signal);
    return (await readJson(response)) as T;
  }

  async #send(
    method: string,
    path: string,
    body: Readable | undefined,
    contentType: string,
    signal: AbortSignal | undefined,
  ): Promise<IncomingMessage> {
    const base = typeof this.#options.url === 'string' ? this.#options.url : this.#options.url();
    const headers = {
      authorization: `Bearer ${await this.#options.token()}`,
      ...(body === undefined ? {} : { 'content-type': contentType }),
    };
    const request = httpRequest(new URL(`/dormouse/v1/${path}`, base), { method, headers, ...(signal === undefined ? {} : { signal }) });
    const answered = once(request, 'response') as Promise<[IncomingMessage]>;
    // The server may refuse before it has read everything; its answer then matters more than the broken upload.
    const sent = body === undefined ? request.end() : pipeline(body, request);
    const failed = Promise.resolve(sent).then(() => answered);
    const [response] = await Promise.race([answered, failed]);
    if ((response.statusCode ?? 500) < 300) return response;
    const text = await readText(response);
    throw errorOf(parseError(text), response.statusCode ?? 500);
  }
}

/** What pull, push and build end with. */
export interface ImageResult {
  readonly name: string;
  readonly digest: string;
  readonly sizeBytes: number;
}

function parseError(text: string): ErrorBody {
  try {
    return JSON.parse(text) as ErrorBody;
  } catch {
    return { message: text };
  }
}

function errorOf(body: ErrorBody, status: number): Error {
  const message = body.message ?? `the image store answered ${status}`;
  if (body.reason !== undefined) return new ImageError(body.reason, message);
  if (body.kind === 'user') return new UserError(message, body.hint === undefined ? {} : { hint: body.hint });
  return new Error(message);
}

async function readText(stream: Readable): Promise<string> {
  return (await readAll(stream, maxAnswerBytes)).toString('utf8');
}

async function readJson(stream: Readable): Promise<unknown> {
  return JSON.parse(await readText(stream)) as unknown;
}

async function* lines(stream: Readable): AsyncGenerator<string> {
  let rest = '';
  stream.setEncoding('utf8');
  for await (const chunk of stream as AsyncIterable<string>) {
    const parts = (rest + chunk).split('\n');
    rest = parts.pop() ?? '';
    yield* parts.filter((line) => line !== '');
  }
  if (rest !== '') yield rest;
}
