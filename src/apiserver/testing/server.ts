import { generateKeyPairSync } from 'node:crypto';
import { builtinKinds } from '#apis/registry.ts';
import type { UserInfo } from '#apis/definition.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import type { Status } from '#apis/meta/status.ts';
import type { ApiResponse, ApiServer, WatchFrame } from '#apiserver/request.ts';
import { createApiServer, type ApiServerOptions } from '#apiserver/server.ts';
import { systemClock } from '#core/clock.ts';
import { silentLogger } from '#core/logger.ts';
import { noMetrics } from '#core/metrics.ts';
import { MemoryStorage } from '#storage/memory-storage.ts';

export const admin: UserInfo = { username: 'admin', groups: ['system:masters', 'system:authenticated'] };

const testTokenKeys = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});

/** An API server in memory with all built-in kinds. */
export function startTestServer(options: Partial<ApiServerOptions> = {}): Promise<ApiServer> {
  return createApiServer({
    storage: new MemoryStorage(),
    kinds: builtinKinds,
    clock: systemClock,
    logger: silentLogger,
    metrics: noMetrics,
    tokenKeys: testTokenKeys,
    ...options,
  });
}

export interface Call {
  readonly user?: UserInfo;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object, or the text or bytes of a body. */
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

/** One request; `target` may carry a query. */
export function call(
  server: ApiServer,
  method: string,
  target: string,
  { user = admin, headers = {}, body, signal }: Call = {},
): Promise<ApiResponse> {
  const [path = '', query = ''] = target.split('?', 2);
  const content =
    body instanceof Uint8Array
      ? { bytes: body }
      : typeof body === 'string'
        ? { bytes: new TextEncoder().encode(body) }
        : { object: structuredClone(body) };
  return server.handle({
    method,
    path,
    query: new URLSearchParams(query),
    headers,
    credentials: { kind: 'user', user },
    ...(body === undefined ? {} : { body: { read: () => Promise.resolve(content), async *stream() {} } }),
    signal: signal ?? new AbortController().signal,
  });
}

/** The object of an answer, as the wire would carry it. */
export function objectOf<T = KubeObject & Record<string, unknown>>(response: ApiResponse): T {
  const { body } = response;
  if (body.kind === 'object') return JSON.parse(body.json?.() ?? JSON.stringify(body.object)) as T;
  if (body.kind === 'list') return JSON.parse([...body.chunks()].join('')) as T;
  if (body.kind === 'text') return JSON.parse(body.text) as T;
  throw new Error(`the answer is a ${body.kind}`);
}

/** The Status of a failure, in short: code, reason and message. */
export function failureOf(response: ApiResponse): [number, string | undefined, string | undefined] {
  const { code, reason, message } = objectOf<Status>(response);
  return [code, reason, message];
}

/** A watch being read frame by frame. */
export async function watchOf(server: ApiServer, target: string, options: Call = {}): Promise<AsyncIterator<WatchFrame>> {
  const response = await call(server, 'GET', target, options);
  if (response.body.kind !== 'watch') throw new Error(`no watch: ${JSON.stringify(failureOf(response))}`);
  return response.body.events[Symbol.asyncIterator]();
}

/** Type and name of the next event, with its resourceVersion. */
export async function nextEvent(
  events: AsyncIterator<WatchFrame>,
): Promise<{ type: string; name: string; object: KubeObject } | undefined> {
  const next = await events.next();
  if (next.done === true) return undefined;
  const { type, object } = JSON.parse(Buffer.from(next.value.line()).toString()) as { type: string; object: KubeObject };
  return { type, name: object.metadata.name ?? '', object };
}

export const configMap = (name: string, data: Record<string, string> = {}, metadata: Record<string, unknown> = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ...metadata },
  data,
});

export const configMaps = '/api/v1/namespaces/default/configmaps';
