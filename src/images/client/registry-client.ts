import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import type { RegistryCredential } from '#apis/runtime/image-service.ts';
import { backoffMs } from '#core/async.ts';
import { type Clock, sleep } from '#core/clock.ts';
import { errorText } from '#core/errors.ts';
import { isLoopbackRegistry } from '../names.ts';
import { isDigest, manifestTypes } from '../oci.ts';
import { digestOf } from '../store/blob-store.ts';
import type { Agents } from './agents.ts';
import { AuthorizationFailure, Authorizer } from './authorizer.ts';
import { type HttpBody, RequestFailure, exchange } from './exchange.ts';
import { retry } from '#core/retry.ts';
import { readAll } from '#core/streams.ts';

export interface RegistryClientOptions {
  readonly registry: string;
  readonly repository: string;
  /** Base URLs asked before the registry itself. */
  readonly mirrors: readonly string[];
  readonly credential: RegistryCredential | undefined;
  readonly agents: Agents;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const maxManifestBytes = 4 * 2 ** 20;
const attempts = 4;
const pauses = { baseMs: 500, maxMs: 8000 } as const;
/** A download that broke off after this much has not failed for good: it is taken up again. */
const worthwhileBytes = 1 << 20;

/** One repository of one registry: requests with authorization, retried when the fault passes by itself. */
export class RegistryClient {
  readonly #options: RegistryClientOptions;
  readonly #authorizers = new Map<string, Authorizer>();
  /** Base URLs, `https://gcr.io`: the mirrors, then the registry itself. */
  readonly #bases: readonly string[];
  #base: string;

  constructor(options: RegistryClientOptions) {
    this.#options = options;
    const own = ownBase(options.registry);
    const mirrors = options.mirrors.map((mirror) => mirror.replace(/\/+$/, ''));
    // A "mirror" on the registry's own host says how it is to be spoken to.
    this.#bases = mirrors.some((mirror) => new URL(mirror).host === new URL(own).host) ? mirrors : [...mirrors, own];
    this.#base = this.#bases.at(-1) ?? own;
  }

  /** Digest of a tag or digest at the first endpoint that has it; later requests go there. `name` is for the message. */
  async resolve(reference: string, name: string): Promise<string> {
    const mirrors: string[] = [];
    for (const base of this.#bases) {
      this.#base = base;
      try {
        return await this.#head(reference, name);
      } catch (error) {
        this.#options.signal.throwIfAborted();
        if (base === this.#bases.at(-1)) throw mirrors.length === 0 ? error : withMirrors(error, mirrors);
        mirrors.push(`mirror ${base}: ${errorText(error)}`);
      }
    }
    throw new Error('there is no endpoint');
  }

  async #head(reference: string, name: string): Promise<string> {
    const response = await this.#request('HEAD', `manifests/${reference}`, { headers: { accept: manifestTypes.join(', ') } });
    response.resume();
    if (response.statusCode === 404) throw new Error(`${name}: not found`);
    await expectStatus(response, [200]);
    const digest = response.headers['docker-content-digest'];
    if (typeof digest === 'string' && isDigest(digest)) {
      if (isDigest(reference) && digest !== reference) throw new Error(`registry answered with ${digest}`);
      return digest;
    }
    return digestOf(await this.manifest(reference));
  }

  async manifest(reference: string): Promise<Buffer> {
    try {
      const response = await this.#request('GET', `manifests/${reference}`, { headers: { accept: manifestTypes.join(', ') } });
      await expectStatus(response, [200]);
      return await readAll(response, maxManifestBytes);
    } catch (error) {
      if (!this.#leaveMirror()) throw error;
      return this.manifest(reference);
    }
  }

  /** The bytes of a blob of `size` bytes; where the connection breaks off they are asked for from there on. */
  async *blob(digest: string, size: number): AsyncGenerator<Buffer> {
    let received = 0;
    for (let failures = 0; received < size; failures += 1) {
      const before = received;
      try {
        for await (const chunk of this.#blobFrom(digest, received)) {
          received += chunk.length;
          yield chunk;
        }
        if (received < size) throw new RequestFailure(`${this.#base} sent ${received} of the ${size} bytes of ${digest}`, true);
      } catch (error) {
        this.#options.signal.throwIfAborted();
        if (received - before >= worthwhileBytes) failures = 0;
        if (failures + 1 >= attempts || !isPassing(error)) {
          if (!this.#leaveMirror()) throw error;
          failures = 0;
        }
        await sleep(this.#options.clock, backoffMs(failures, pauses.baseMs, pauses.maxMs), this.#options.signal);
      }
    }
  }

  async *#blobFrom(digest: string, offset: number): AsyncGenerator<Buffer> {
    const headers: Record<string, string> = offset === 0 ? {} : { range: `bytes=${offset}-` };
    const response = await this.#request('GET', `blobs/${digest}`, { retry: false, headers });
    await expectStatus(response, [200, 206]);
    let skip = response.statusCode === 206 ? 0 : offset;
    if (offset > 0 && skip === 0 && !(response.headers['content-range'] ?? '').startsWith(`bytes ${offset}-`))
      throw new Error(`${this.#base} answered a request for bytes ${offset}- with ${response.headers['content-range']}`);
    for await (const chunk of response as AsyncIterable<Buffer>) {
      if (skip < chunk.length) yield chunk.subarray(skip);
      skip = Math.max(0, skip - chunk.length);
    }
  }

  /** From a mirror that fails half-way to the next endpoint; false where there is none. */
  #leaveMirror(): boolean {
    this.#options.signal.throwIfAborted();
    const next = this.#bases[this.#bases.indexOf(this.#base) + 1];
    if (next === undefined) return false;
    this.#base = next;
    return true;
  }

  async hasBlob(digest: string): Promise<boolean> {
    const response = await this.#request('HEAD', `blobs/${digest}`, { push: true });
    response.resume();
    if (response.statusCode !== 404) await expectStatus(response, [200], 'push');
    return response.statusCode === 200;
  }

  async putBlob(digest: string, size: number, content: () => Readable): Promise<void> {
    await this.retried(async () => {
      const started = await this.#request('POST', 'blobs/uploads/', { push: true, retry: false, headers: { 'content-length': '0' } });
      started.resume();
      await expectStatus(started, [202], 'push');
      const location = new URL(started.headers.location ?? '', `${this.#base}/v2/${this.#options.repository}/blobs/uploads/`);
      location.searchParams.set('digest', digest);
      const headers = { 'content-type': 'application/octet-stream', 'content-length': String(size) };
      const response = await this.#request('PUT', location.href, { push: true, retry: false, headers, body: content });
      response.resume();
      await expectStatus(response, [201], 'push');
    });
  }

  async putManifest(reference: string, mediaType: string, bytes: Buffer): Promise<void> {
    const headers = { 'content-type': mediaType, 'content-length': String(bytes.length) };
    const response = await this.#request('PUT', `manifests/${reference}`, { push: true, headers, body: () => bytes });
    await expectStatus(response, [201], 'push');
    response.resume();
  }

  /** Tries again, after a growing pause, what failed for a reason that passes by itself. */
  async retried<T>(work: () => Promise<T>): Promise<T> {
    const { clock, signal } = this.#options;
    return retry(work, {
      clock,
      signal,
      ...pauses,
      onFailure(error, failures) {
        if (failures >= attempts || !isPassing(error)) throw error;
      },
    });
  }

  async #request(
    method: string,
    path: string,
    {
      headers = {},
      body,
      push = false,
      retry = true,
    }: { headers?: Record<string, string>; body?: () => HttpBody; push?: boolean; retry?: boolean } = {},
  ): Promise<IncomingMessage> {
    const base = this.#base;
    const url = path.startsWith('http') ? path : `${base}/v2/${this.#options.repository}/${path}`;
    const sameHost = new URL(url).host === new URL(base).host;
    const authorizer = this.#authorizer(base);
    const scope = `repository:${this.#options.repository}:${push ? 'pull,push' : 'pull'}`;
    const once = async () => {
      for (let tries = 0; ; tries += 1) {
        const authorization = sameHost ? authorizer.header(scope) : undefined;
        const response = await exchange(url, {
          method,
          headers: { ...headers, ...(authorization === undefined ? {} : { authorization }) },
          body,
          signal: this.#options.signal,
          agents: this.#options.agents,
          redirects: method === 'GET' || method === 'HEAD' ? 5 : 0,
        });
        if (
          response.statusCode === 401 &&
          tries === 0 &&
          sameHost &&
          (await authorizer.learn(response.headers['www-authenticate'], scope))
        ) {
          response.resume();
          continue;
        }
        if (isPassingStatus(response.statusCode)) await expectStatus(response, []);
        return response;
      }
    };
    return retry ? this.retried(once) : once();
  }

  #authorizer(base: string): Authorizer {
    const existing = this.#authorizers.get(base);
    if (existing !== undefined) return existing;
    // A mirror is another party: it does not get the registry's password.
    const own = new URL(base).host === new URL(ownBase(this.#options.registry)).host;
    const fresh = new Authorizer(own ? this.#options.credential : undefined, this.#options);
    this.#authorizers.set(base, fresh);
    return fresh;
  }
}

function ownBase(registry: string): string {
  if (registry === 'index.docker.io') return 'https://registry-1.docker.io';
  return `${isLoopbackRegistry(registry) ? 'http' : 'https'}://${registry}`;
}

/** An answer that was not hoped for, in containerd's words with what the registry itself said. */
class UnexpectedStatus extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'UnexpectedStatus';
    this.status = status;
  }
}

/** True where another login might be let in. */
export function isRefusal(error: unknown): boolean {
  return error instanceof AuthorizationFailure || (error instanceof UnexpectedStatus && [401, 403].includes(error.status));
}

function withMirrors(error: unknown, mirrors: readonly string[]): Error {
  const message = [errorText(error), ...mirrors].join('; ');
  return error instanceof UnexpectedStatus ? new UnexpectedStatus(error.status, message) : new Error(message);
}

async function expectStatus(response: IncomingMessage, wanted: readonly number[], access: 'pull' | 'push' = 'pull'): Promise<void> {
  const status = response.statusCode ?? 0;
  if (wanted.includes(status)) return;
  const text = await readAll(response, 1 << 16).catch(() => Buffer.alloc(0));
  const said = registryMessage(text.toString('utf8'));
  const { method = '', url = '' } = (response as { request?: { method: string; url: string } }).request ?? {};
  if (status === 401 || (status === 403 && said === '')) {
    const why = `${access} access denied, repository does not exist or may require authorization: server message:`;
    throw new UnexpectedStatus(status, `${why} ${said === '' ? 'authorization failed' : said}`);
  }
  const reason = `${status} ${response.statusMessage ?? ''}`.trim();
  throw new UnexpectedStatus(status, `unexpected status from ${method} request to ${url}: ${reason}${said === '' ? '' : `: ${said}`}`);
}

function registryMessage(text: string): string {
  try {
    const { errors = [] } = JSON.parse(text) as { errors?: { code?: string; message?: string }[] };
    return errors.map(({ code, message }) => [code?.toLowerCase(), message].filter((part) => (part ?? '') !== '').join(': ')).join('; ');
  } catch {
    return '';
  }
}

function isPassingStatus(status: number | undefined): boolean {
  return status === 429 || status === 408 || (status ?? 0) >= 500;
}

function isPassing(error: unknown): boolean {
  if (error instanceof UnexpectedStatus) return isPassingStatus(error.status);
  if (error instanceof RequestFailure) return error.passing;
  return (error as NodeJS.ErrnoException).code === 'ECONNRESET' || (error as { code?: string }).code === 'SIZE_INVALID';
}
