import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { ImageError, type RegistryCredential } from '#apis/runtime/image-service.ts';
import { UserError, errorText } from '#core/errors.ts';
import type { Logger } from '#core/logger.ts';
import { ImageFault } from '../errors.ts';
import type { ImageStore } from '../image-store.ts';
import type { BuildRequest, ImageProgress, PruneRequest, PullRequest } from '../messages.ts';

const maxBodyBytes = 1 << 20;

export interface ManagementOptions {
  readonly store: ImageStore;
  /** Every request has to carry it as a bearer token. */
  readonly token: string;
  readonly logger: Logger;
}

type Handler = (body: unknown, signal: AbortSignal, options: ManagementOptions) => Promise<unknown>;
type Operation = (body: unknown, signal: AbortSignal, options: ManagementOptions, tell: (progress: ImageProgress) => void) => Promise<Done>;
type Done = Omit<Extract<ImageProgress, { type: 'done' }>, 'type'>;

/** Answers at once. */
const handlers: Readonly<Record<string, Handler>> = {
  async 'POST resolve'(body, signal, { store }) {
    const { reference, credentials } = body as { reference: string; credentials: RegistryCredential[] };
    return { resolved: await store.resolve(reference, credentials, signal) };
  },
  async 'GET images'(_body, _signal, { store }) {
    return { images: await store.list() };
  },
  async 'POST tag'(body, _signal, { store }) {
    const { source, target } = body as { source: string; target: string };
    await store.setTag(target, (await store.find(source)).digest);
    return {};
  },
  async 'POST remove'(body, _signal, { store }) {
    return { untagged: await store.remove((body as { name: string }).name) };
  },
  'POST prune': (body, _signal, { store }) => store.prune(body as PruneRequest),
};

/** Answers with a line of progress at a time. */
const operations: Readonly<Record<string, Operation>> = {
  async 'POST build'(body, signal, { store }, tell) {
    const { buildImage } = await import('../build/build-image.ts');
    const request = body as BuildRequest;
    const { digest, sizeBytes } = await buildImage(request, { store, signal, onProgress: tell });
    return { name: request.tags[0] ?? '', digest, sizeBytes };
  },
  async 'POST pull'(body, signal, { store }, tell) {
    const { reference, credentials } = body as PullRequest;
    const digest = await store.pull(reference, credentials ?? [], signal, tell);
    const found = (await store.list()).find((image) => image.digest === digest);
    return { name: reference, digest, sizeBytes: found?.sizeBytes ?? 0 };
  },
};

/** Serves `/dormouse/v1/…`: what `ImageClient` (remote.ts) asks for. */
export async function manage(path: string, request: IncomingMessage, response: ServerResponse, options: ManagementOptions): Promise<void> {
  if (!isAuthorized(request.headers.authorization, options.token))
    return answer(response, 401, { message: 'the token is missing or wrong' });
  const key = `${request.method} ${path}`;
  const [handler, operation] = [handlers[key], operations[key]];
  if (handler === undefined && operation === undefined) return answer(response, 404, { message: `there is no ${key}` });
  const gone = new AbortController();
  response.once('close', () => gone.abort(new Error('the caller has gone')));
  try {
    const body = await readBody(request);
    if (handler !== undefined) return answer(response, 200, await handler(body, gone.signal, options));
    await stream(response, (tell) => operation?.(body, gone.signal, options, tell) ?? Promise.reject(new Error(key)));
  } catch (error) {
    if (!gone.signal.aborted) answer(response, statusOf(error), describe(error));
  }
}

async function stream(response: ServerResponse, work: (tell: (progress: ImageProgress) => void) => Promise<Done>): Promise<void> {
  const tell = (progress: object) => void response.write(`${JSON.stringify(progress)}\n`);
  response.writeHead(200, { 'content-type': 'application/x-ndjson' });
  try {
    tell({ type: 'done', ...(await work(tell)) });
  } catch (error) {
    tell({ type: 'error', ...describe(error) });
  }
  response.end();
}

function isAuthorized(header: string | undefined, token: string): boolean {
  const [given, wanted] = [Buffer.from(header ?? ''), Buffer.from(`Bearer ${token}`)];
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) {
    text += String(chunk);
    if (text.length > maxBodyBytes) throw new UserError('the request is too large');
  }
  return text === '' ? {} : JSON.parse(text);
}

function describe(error: unknown): object {
  if (error instanceof UserError)
    return { kind: 'user', message: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) };
  if (error instanceof ImageFault) return { kind: 'user', message: error.message };
  if (error instanceof ImageError) return { kind: 'image', reason: error.reason, message: error.message };
  return { message: errorText(error) };
}

function statusOf(error: unknown): number {
  if (error instanceof ImageFault) return error.status;
  return error instanceof UserError || error instanceof ImageError || error instanceof SyntaxError ? 400 : 500;
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
