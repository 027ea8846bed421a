import { apiVersionOf, type Resource } from '#apis/definition.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import { StatusError } from '#apis/meta/status.ts';
import type {
  Client,
  ClientList,
  DeleteOptions,
  Held,
  ListOptions,
  Patch,
  RawRequest,
  RawResponse,
  ResourceClient,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from '#client/client.ts';
import { answerFailed, isStatus, notUnderstood } from '#client/errors.ts';
import type { Transport, TransportRequest, TransportStreamRequest, TransportStreamResponse } from '#client/transport.ts';
import { sleep, systemClock, type Clock } from '#core/clock.ts';

export interface ApiClientOptions {
  /** Owner of the fields this client writes, where a call does not name one. */
  readonly fieldManager?: string;
  readonly clock?: Clock;
  /** How often a request the server was too busy for (429, or 503 with Retry-After) is sent again. */
  readonly busyRetries?: number;
}

/** A Client over any transport. */
export function createClient(transport: Transport, options: ApiClientOptions = {}): Client {
  const caller = new Caller(transport, options);
  return {
    of: (resource) => new ApiResourceClient(caller, resource),
    raw: (request) => caller.raw(request),
    stream: (request) => caller.stream(request),
  };
}

const patchTypes: Readonly<Record<Patch['type'], string>> = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
};

/** Sends requests, waits when the server says it is busy, and turns failures into StatusError. */
class Caller {
  readonly fieldManager: string | undefined;
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #busyRetries: number;

  constructor(transport: Transport, options: ApiClientOptions) {
    this.#transport = transport;
    this.fieldManager = options.fieldManager;
    this.#clock = options.clock ?? systemClock;
    this.#busyRetries = options.busyRetries ?? 5;
  }

  async raw(request: RawRequest): Promise<RawResponse> {
    for (let attempt = 0; ; attempt += 1) {
      const response = await this.#transport.request(request);
      const waitMs = busyMs(response);
      if (waitMs === undefined || attempt >= this.#busyRetries) return response;
      await sleep(this.#clock, waitMs, request.signal);
    }
  }

  async call(request: TransportRequest): Promise<unknown> {
    const { status, body } = await this.raw(request);
    if (status >= 200 && status < 300) return body;
    throw answerFailed(`${request.method} ${request.path}`, status, body);
  }

  stream(request: TransportStreamRequest): Promise<TransportStreamResponse> {
    return this.#transport.stream(request);
  }

  watch(request: TransportRequest & { signal: AbortSignal }) {
    return this.#transport.watch(request);
  }
}

function busyMs(response: RawResponse): number | undefined {
  if (response.status !== 429 && response.status !== 503) return undefined;
  const seconds = Number(response.headers['retry-after']);
  return Number.isFinite(seconds) && seconds >= 0 && response.headers['retry-after'] !== undefined
    ? Math.min(seconds, 30) * 1000
    : undefined;
}

class ApiResourceClient<T extends KubeObject> implements ResourceClient<T> {
  readonly resource: Resource<T>;
  readonly #caller: Caller;
  readonly #root: string;

  constructor(caller: Caller, resource: Resource<T>) {
    this.#caller = caller;
    this.resource = resource;
    this.#root = `${resource.group === '' ? '/api' : '/apis'}/${apiVersionOf(resource)}`;
  }

  async get(namespace: string | undefined, name: string, subresource?: string): Promise<T> {
    return this.#object(await this.#caller.call({ method: 'GET', path: this.#path(namespace, name, subresource) }));
  }

  async list(options: ListOptions = {}): Promise<ClientList<T>> {
    const path = this.#path(options.namespace);
    const answer = await this.#caller.call({ method: 'GET', path, query: listQuery(options), ...signalOf(options) });
    if (!isList<T>(answer)) throw notUnderstood(`GET ${path}`, 'the answer is not a list');
    return answer;
  }

  async *watch(options: WatchOptions): AsyncIterable<WatchEvent<T>> {
    const path = this.#path(options.namespace);
    const query: Record<string, string> = { ...listQuery(options), watch: 'true' };
    if (options.allowWatchBookmarks) query['allowWatchBookmarks'] = 'true';
    if (options.sendInitialEvents !== undefined) {
      query['sendInitialEvents'] = String(options.sendInitialEvents);
      query['resourceVersionMatch'] = 'NotOlderThan';
    }
    if (options.timeoutSeconds !== undefined) query['timeoutSeconds'] = String(options.timeoutSeconds);
    for await (const { type, object, held } of this.#caller.watch({ method: 'GET', path, query, signal: options.signal })) {
      if (type === 'ERROR') throw isStatus(object) ? StatusError.from(object) : notUnderstood(`WATCH ${path}`, 'the answer is not a watch');
      if (type === 'BOOKMARK') yield { type, object: object as KubeObject };
      else if (type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED') {
        yield { type, object: this.#object(object), ...(held === undefined ? {} : { held: held as Held<T> }) };
      }
    }
  }

  async create(object: T, options: WriteOptions = {}): Promise<T> {
    const path = this.#path(object.metadata.namespace);
    return this.#object(
      await this.#caller.call({ method: 'POST', path, query: this.#writeQuery(options), body: this.#typed(object), ...signalOf(options) }),
    );
  }

  async update(object: T, options: WriteOptions & { subresource?: string } = {}): Promise<T> {
    const { namespace, name = '' } = object.metadata;
    const path = this.#path(namespace, name, options.subresource);
    // A Scale comes with its own kind.
    const body = options.subresource === 'scale' ? object : this.#typed(object);
    return this.#object(await this.#caller.call({ method: 'PUT', path, query: this.#writeQuery(options), body, ...signalOf(options) }));
  }

  async patch(
    namespace: string | undefined,
    name: string,
    patch: Patch,
    options: WriteOptions & { subresource?: string } = {},
  ): Promise<T> {
    const query = this.#writeQuery(options);
    if (patch.type === 'apply' && patch.force) query['force'] = 'true';
    const path = this.#path(namespace, name, options.subresource);
    const headers = { 'content-type': patchTypes[patch.type] };
    return this.#object(await this.#caller.call({ method: 'PATCH', path, query, headers, body: patch.body, ...signalOf(options) }));
  }

  async delete(namespace: string | undefined, name: string, options: DeleteOptions = {}): Promise<T | undefined> {
    const answer = await this.#caller.call({ method: 'DELETE', path: this.#path(namespace, name), body: deleteBody(options) });
    return isStatus(answer) ? undefined : this.#object(answer);
  }

  async deleteCollection(list: ListOptions, options: DeleteOptions = {}): Promise<void> {
    await this.#caller.call({ method: 'DELETE', path: this.#path(list.namespace), query: listQuery(list), body: deleteBody(options) });
  }

  createSubresource(namespace: string | undefined, name: string, subresource: string, body: unknown): Promise<unknown> {
    return this.#caller.call({ method: 'POST', path: this.#path(namespace, name, subresource), body });
  }

  #path(namespace: string | undefined, name?: string, subresource = ''): string {
    // An empty name would turn a request about one object into one about the whole collection.
    if (name === '') throw new StatusError('BadRequest', `a name is needed for one of ${this.resource.plural}`);
    const scope = namespace === undefined || namespace === '' ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
    const object = name === undefined ? '' : `/${encodeURIComponent(name)}`;
    return `${this.#root}${scope}/${this.resource.plural}${object}${subresource === '' ? '' : `/${subresource}`}`;
  }

  #typed(object: T): unknown {
    return { ...object, apiVersion: apiVersionOf(this.resource), kind: this.resource.kind };
  }

  #writeQuery(options: WriteOptions): Record<string, string> {
    const query: Record<string, string> = {};
    const fieldManager = options.fieldManager ?? this.#caller.fieldManager;
    if (fieldManager !== undefined) query['fieldManager'] = fieldManager;
    if (options.dryRun) query['dryRun'] = 'All';
    if (options.fieldValidation !== undefined) query['fieldValidation'] = options.fieldValidation;
    return query;
  }

  #object(value: unknown): T {
    if (typeof (value as Partial<KubeObject> | undefined)?.metadata === 'object') return value as T;
    throw notUnderstood(this.resource.plural, 'the answer is not an object of the API');
  }
}

function signalOf({ signal }: { readonly signal?: AbortSignal }): { readonly signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

function isList<T extends KubeObject>(value: unknown): value is ClientList<T> {
  if (typeof value !== 'object' || value === null || !('metadata' in value)) return false;
  return 'held' in value || Array.isArray((value as { items?: unknown }).items);
}

function listQuery(options: Omit<ListOptions, 'signal'>): Record<string, string> {
  const query: Record<string, string> = {};
  if (options.labelSelector !== undefined) query['labelSelector'] = options.labelSelector;
  if (options.fieldSelector !== undefined) query['fieldSelector'] = options.fieldSelector;
  if (options.limit !== undefined) query['limit'] = String(options.limit);
  if (options.continue !== undefined) query['continue'] = options.continue;
  if (options.resourceVersion !== undefined) query['resourceVersion'] = options.resourceVersion;
  if (options.resourceVersionMatch !== undefined) query['resourceVersionMatch'] = options.resourceVersionMatch;
  return query;
}

function deleteBody({ dryRun, ...options }: DeleteOptions): unknown {
  return { kind: 'DeleteOptions', apiVersion: 'v1', ...options, ...(dryRun ? { dryRun: ['All'] } : {}) };
}
