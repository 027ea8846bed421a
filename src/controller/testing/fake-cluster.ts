import { apiVersionOf, type Resource } from '#apis/definition.ts';
import { formatSelector, fromLabelSelector, matchesLabels } from '#apis/meta/label-selector.ts';
import { objectKey, type KubeObject, type LabelSelector, type ObjectList } from '#apis/meta/object.ts';
import { alreadyExists, badRequest, conflict, notFound } from '#apis/meta/status.ts';
import type {
  Client,
  DeleteOptions,
  ListOptions,
  Patch,
  RawRequest,
  RawResponse,
  ResourceClient,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from '#client/client.ts';
import type { TransportStreamRequest, TransportStreamResponse } from '#client/transport.ts';
import type { Clock } from '#core/clock.ts';
import { deepClone, deepFreeze, type JsonValue, type JsonObject } from '#machinery/deep.ts';
import { matchesFields, parseFieldSelector } from '#machinery/field-selectors.ts';
import { applyMergePatch } from '#machinery/merge-patch.ts';
import { parseLabelSelector } from '#machinery/selectors.ts';
import { semanticEqual } from '#machinery/semantic-equality.ts';

/** One write somebody asked for, whether it succeeded or not. */
export interface Action {
  readonly verb: 'create' | 'update' | 'patch' | 'delete' | 'deleteCollection' | 'createSubresource';
  readonly kind: string;
  readonly namespace: string | undefined;
  /** Empty for a create with generateName and for collections. */
  readonly name: string;
  readonly subresource: string;
  /** The body as sent: the object, the patch's body or the delete options. */
  readonly body: unknown;
}

type Watcher = (event: WatchEvent<KubeObject>) => void;

/**
 * An API server of a few maps, for tests of what stands above the client. Faithful in what controllers can trip over:
 * resourceVersion conflicts, NotFound, AlreadyExists, uid preconditions, generateName, generation, finalizers, the split between an
 * object and its status, watches. It has no schema: no defaults, no validation, no strategic merge, and `apply` merges.
 */
export class FakeCluster implements Client {
  /** Every write, in order. */
  readonly actions: Action[] = [];
  /** Makes writes fail: what it returns is thrown. */
  fail: (action: Action) => Error | undefined = () => undefined;
  readonly #clock: Clock;
  readonly #kinds = new Map<string, Map<string, KubeObject>>();
  readonly #watchers = new Map<string, Set<Watcher>>();
  readonly #streams = new Map<string, PromiseWithResolvers<AsyncIterable<Uint8Array>>>();
  #held: (() => void)[] | undefined;
  #revision = 0;
  #serial = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Changes whenever an object does. */
  get revision(): number {
    return this.#revision;
  }

  /** Watches say nothing until the returned function is called, as when they are slow. */
  holdWatches(): () => void {
    const held: (() => void)[] = [];
    this.#held = held;
    return () => {
      this.#held = undefined;
      for (const tell of held) tell();
    };
  }

  /** Puts objects in as they are, status included, as if they had always been there. */
  seed(...objects: readonly KubeObject[]): void {
    for (const object of objects) this.#store(kindOf(object), { ...deepClone(object), metadata: this.#seededMetadata(object) });
  }

  /** Changes an object behind the back of whoever is tested, e.g. what another controller would write. */
  change<T extends KubeObject>(resource: Resource<T>, namespace: string | undefined, name: string, change: (object: T) => void): T {
    const object = deepClone(this.#find(resource, namespace, name));
    change(object as T);
    return this.#store(keyOf(resource), object) as T;
  }

  find<T extends KubeObject>(resource: Resource<T>, namespace: string | undefined, name: string): T | undefined {
    return this.#objects(keyOf(resource)).get(join(namespace, name)) as T | undefined;
  }

  all<T extends KubeObject>(resource: Resource<T>): T[] {
    return [...this.#objects(keyOf(resource)).values()] as T[];
  }

  of<T extends KubeObject>(resource: Resource<T>): ResourceClient<T> {
    const typed = <A>(value: A) => value as unknown as T;
    const act = (verb: Action['verb'], namespace: string | undefined, name: string, subresource: string, body: unknown) =>
      this.#act({ verb, kind: resource.kind, namespace, name, subresource, body: deepClone(body) });
    return {
      resource,
      get: async (namespace, name, subresource) =>
        typed(await later(() => (subresource === 'scale' ? scaleOf : whole)(this.#find(resource, namespace, name)))),
      list: (options = {}) => later(() => this.#list(resource, options) as ObjectList<T>),
      watch: (options) => this.#watch(resource, options) as AsyncIterable<WatchEvent<T>>,
      create: async (object, options) => {
        act('create', object.metadata.namespace, object.metadata.name ?? '', '', object);
        return typed(await later(() => this.#create(resource, object, options)));
      },
      update: async (object, options = {}) => {
        act('update', object.metadata.namespace, object.metadata.name ?? '', options.subresource ?? '', object);
        return typed(await later(() => this.#update(resource, object, options)));
      },
      patch: async (namespace, name, patch, options = {}) => {
        act('patch', namespace, name, options.subresource ?? '', patch.body);
        return typed(await later(() => this.#patch(resource, namespace, name, patch, options)));
      },
      delete: async (namespace, name, options = {}) => {
        act('delete', namespace, name, '', options);
        return (await later(() => this.#delete(resource, namespace, name, options))) as T | undefined;
      },
      deleteCollection: async (list, options = {}) => {
        act('deleteCollection', list.namespace, '', '', options);
        for (const { metadata } of this.#list(resource, list).items)
          this.#delete(resource, metadata.namespace, metadata.name ?? '', options);
        return Promise.resolve();
      },
      createSubresource: async (namespace, name, subresource, body) => {
        act('createSubresource', namespace, name, subresource, body);
        return later(() => this.#createSubresource(resource, namespace, name, subresource, body));
      },
    };
  }

  raw(request: RawRequest): Promise<RawResponse> {
    return Promise.reject(badRequest(`the fake cluster serves no ${request.method} ${request.path}`));
  }

  /** Answers once `openStream` has said with what. */
  async stream({ path, signal }: TransportStreamRequest): Promise<TransportStreamResponse> {
    const aborted = new Promise<never>((_, reject) =>
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
    );
    const chunks = await Promise.race([this.#streamAt(path).promise, aborted]);
    return { status: 200, headers: {}, chunks };
  }

  /** What whoever reads the stream at `path` gets. */
  openStream(path: string, chunks: AsyncIterable<Uint8Array>): void {
    this.#streamAt(path).resolve(chunks);
  }

  #streamAt(path: string): PromiseWithResolvers<AsyncIterable<Uint8Array>> {
    const known = this.#streams.get(path) ?? Promise.withResolvers<AsyncIterable<Uint8Array>>();
    this.#streams.set(path, known);
    return known;
  }

  #act(action: Action): void {
    this.actions.push(action);
    const failure = this.fail(action);
    if (failure !== undefined) throw failure;
  }

  #find(resource: Resource, namespace: string | undefined, name: string): KubeObject {
    const object = this.#objects(keyOf(resource)).get(join(namespace, name));
    if (object === undefined) throw notFound(resource.group, resource.plural, name);
    return object;
  }

  #list(resource: Resource, options: ListOptions): ObjectList<KubeObject> {
    const items = [...this.#objects(keyOf(resource)).values()].filter(selected(options));
    return deepFreeze({ metadata: { resourceVersion: String(this.#revision) }, items });
  }

  async *#watch(resource: Resource, options: WatchOptions): AsyncIterable<WatchEvent<KubeObject>> {
    const queue: WatchEvent<KubeObject>[] = [];
    const matches = selected(options);
    let wake = () => {};
    const known = new Set<string>();
    const watcher: Watcher = (event) => {
      const key = objectKey(event.object);
      if (matches(event.object)) queue.push(event);
      else if (known.has(key)) queue.push({ type: 'DELETED', object: event.object as KubeObject });
      if (matches(event.object) && event.type !== 'DELETED') known.add(key);
      else known.delete(key);
      wake();
    };
    const key = keyOf(resource);
    this.#watchersOf(key).add(watcher);
    for (const object of this.#objects(key).values()) {
      if (Number(object.metadata.resourceVersion) > Number(options.resourceVersion ?? 0)) watcher({ type: 'MODIFIED', object });
      else if (matches(object)) known.add(objectKey(object));
    }
    const onAbort = () => wake();
    options.signal.addEventListener('abort', onAbort);
    try {
      while (!options.signal.aborted) {
        const event = queue.shift();
        if (event !== undefined) yield event;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      options.signal.removeEventListener('abort', onAbort);
      this.#watchersOf(key).delete(watcher);
    }
  }

  #create(resource: Resource, object: KubeObject, options: WriteOptions = {}): KubeObject {
    const { status: _, ...rest } = deepClone(object) as KubeObject & { status?: unknown };
    this.#serial += 1;
    const name = rest.metadata.name ?? `${rest.metadata.generateName ?? ''}${String(this.#serial).padStart(5, '0')}`;
    if (name === '' || (rest.metadata.name === undefined && rest.metadata.generateName === undefined))
      throw badRequest('name or generateName is required');
    if (this.#objects(keyOf(resource)).has(join(rest.metadata.namespace, name))) throw alreadyExists(resource.group, resource.plural, name);
    const created: KubeObject = {
      ...rest,
      apiVersion: apiVersionOf(resource),
      kind: resource.kind,
      metadata: { ...rest.metadata, name, uid: `uid-${this.#serial}`, generation: 1, creationTimestamp: this.#now() },
    };
    return options.dryRun ? deepFreeze(created) : this.#store(keyOf(resource), created);
  }

  #update(resource: Resource, object: KubeObject, options: WriteOptions & { subresource?: string }): KubeObject {
    const { namespace, name = '' } = object.metadata;
    const old = this.#find(resource, namespace, name);
    if (object.metadata.uid !== undefined && object.metadata.uid !== old.metadata.uid) {
      throw conflict(
        resource.group,
        resource.plural,
        name,
        `Precondition failed: UID in precondition: ${object.metadata.uid}, UID in object meta: ${old.metadata.uid}`,
      );
    }
    const version = object.metadata.resourceVersion;
    if (version !== undefined && version !== '' && version !== old.metadata.resourceVersion) {
      throw conflict(
        resource.group,
        resource.plural,
        name,
        'the object has been modified; please apply your changes to the latest version and try again',
      );
    }
    const next = merged(old, deepClone(object), options.subresource ?? '');
    if (
      semanticEqual(
        { ...next, metadata: { ...next.metadata, resourceVersion: '' } },
        { ...old, metadata: { ...old.metadata, resourceVersion: '' } },
      )
    )
      return old;
    if (options.dryRun) return deepFreeze(next);
    if (next.metadata.deletionTimestamp !== undefined && (next.metadata.finalizers ?? []).length === 0) return this.#remove(resource, next);
    return this.#store(keyOf(resource), next);
  }

  #patch(
    resource: Resource,
    namespace: string | undefined,
    name: string,
    patch: Patch,
    options: WriteOptions & { subresource?: string },
  ): KubeObject {
    if (patch.type !== 'merge' && patch.type !== 'apply')
      throw badRequest(`the fake cluster cannot do ${patch.type} patches: use merge or apply`);
    const old = this.find(resource, namespace, name);
    if (old === undefined && patch.type === 'apply') return this.#create(resource, patch.body as KubeObject, options);
    const current = deepClone(this.#find(resource, namespace, name)) as unknown as JsonObject;
    // As it travels: members that are undefined do not.
    const body = JSON.parse(JSON.stringify(patch.body)) as JsonValue;
    return this.#update(resource, applyMergePatch(current, body) as unknown as KubeObject, options);
  }

  #delete(resource: Resource, namespace: string | undefined, name: string, options: DeleteOptions): KubeObject | undefined {
    const old = this.#find(resource, namespace, name);
    const { uid, resourceVersion } = options.preconditions ?? {};
    if (
      (uid !== undefined && uid !== old.metadata.uid) ||
      (resourceVersion !== undefined && resourceVersion !== old.metadata.resourceVersion)
    ) {
      throw conflict(resource.group, resource.plural, name, 'Precondition failed');
    }
    if (options.dryRun) return old;
    if ((old.metadata.finalizers ?? []).length === 0) {
      this.#remove(resource, old);
      return undefined;
    }
    if (old.metadata.deletionTimestamp !== undefined) return old;
    return this.#store(keyOf(resource), { ...old, metadata: { ...old.metadata, deletionTimestamp: this.#now() } });
  }

  #createSubresource(resource: Resource, namespace: string | undefined, name: string, subresource: string, body: unknown): unknown {
    const old = this.#find(resource, namespace, name);
    if (subresource === 'binding') {
      const { spec } = old as KubeObject & { spec?: object };
      const nodeName = (body as { target?: { name?: string } }).target?.name;
      this.#store(keyOf(resource), { ...old, spec: { ...spec, nodeName } } as KubeObject);
    } else if (subresource === 'eviction') {
      this.#delete(resource, namespace, name, {});
    }
    return { kind: 'Status', status: 'Success' };
  }

  #store(key: string, object: KubeObject): KubeObject {
    this.#revision += 1;
    const stored = deepFreeze({ ...object, metadata: { ...object.metadata, resourceVersion: String(this.#revision) } });
    const objects = this.#objects(key);
    const type = objects.has(objectKey(stored)) ? 'MODIFIED' : 'ADDED';
    objects.set(objectKey(stored), stored);
    this.#notify(key, { type, object: stored });
    return stored;
  }

  #remove(resource: Resource, object: KubeObject): KubeObject {
    const key = keyOf(resource);
    this.#revision += 1;
    this.#objects(key).delete(objectKey(object));
    const last = deepFreeze({ ...object, metadata: { ...object.metadata, resourceVersion: String(this.#revision) } });
    this.#notify(key, { type: 'DELETED', object: last });
    return last;
  }

  #notify(key: string, event: WatchEvent<KubeObject>): void {
    const tell = () => this.#watchersOf(key).forEach((watcher) => watcher(event));
    if (this.#held === undefined) tell();
    else this.#held.push(tell);
  }

  #seededMetadata({ metadata }: KubeObject): KubeObject['metadata'] {
    this.#serial += 1;
    return { uid: `uid-${this.#serial}`, generation: 1, creationTimestamp: this.#now(), ...metadata };
  }

  #objects(key: string): Map<string, KubeObject> {
    return this.#kinds.get(key) ?? this.#kinds.set(key, new Map()).get(key)!;
  }

  #watchersOf(key: string): Set<Watcher> {
    return this.#watchers.get(key) ?? this.#watchers.set(key, new Set()).get(key)!;
  }

  #now(): string {
    return new Date(this.#clock.now()).toISOString().replace(/\.\d+Z$/, 'Z');
  }
}

/** What is kept of a write: the status subresource changes the status alone, the object itself everything but that. */
function merged(old: KubeObject, sent: KubeObject, subresource: string): KubeObject {
  const current = old as KubeObject & { status?: unknown };
  const { status, ...rest } = sent as KubeObject & { status?: unknown };
  if (subresource === 'status') return { ...old, ...(status === undefined || status === null ? { status: {} } : { status }) } as KubeObject;
  const { uid, creationTimestamp, generation = 1, deletionTimestamp } = current.metadata;
  const { metadata: _old, status: kept, ...oldContent } = current;
  const { metadata, ...content } = rest;
  const changed = !semanticEqual({ ...oldContent, apiVersion: '', kind: '' }, { ...content, apiVersion: '', kind: '' });
  return {
    ...rest,
    ...(old.apiVersion === undefined ? {} : { apiVersion: old.apiVersion }),
    ...(old.kind === undefined ? {} : { kind: old.kind }),
    ...(kept === undefined ? {} : { status: kept }),
    metadata: {
      ...metadata,
      ...(uid === undefined ? {} : { uid }),
      ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
      generation: changed ? generation + 1 : generation,
    },
  };
}

function selected(options: ListOptions): (object: KubeObject) => boolean {
  const labels = parseLabelSelector(options.labelSelector ?? '');
  const fields = parseFieldSelector(options.fieldSelector ?? '');
  return (object) =>
    (options.namespace === undefined || object.metadata.namespace === options.namespace) &&
    matchesLabels(labels, object.metadata.labels ?? {}) &&
    matchesFields(fields, (path) => fieldAt(object, path));
}

function fieldAt(object: KubeObject, path: string): string {
  let value: unknown = object;
  for (const part of path.split('.')) value = (value as Record<string, unknown> | undefined)?.[part];
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
}

function kindOf(object: KubeObject): string {
  if (object.kind === undefined || object.apiVersion === undefined) throw new Error('a seeded object needs apiVersion and kind');
  const [group] = object.apiVersion.includes('/') ? object.apiVersion.split('/') : [''];
  return `${group}/${object.kind}`;
}

const keyOf = (resource: Resource) => `${resource.group}/${resource.kind}`;
const join = (namespace: string | undefined, name: string) => (namespace === undefined || namespace === '' ? name : `${namespace}/${name}`);

/** As over a wire: never in the caller's own turn, and errors as rejections. */
async function later<T>(compute: () => T): Promise<T> {
  await new Promise((resolve) => setImmediate(resolve));
  return compute();
}

const whole = (object: KubeObject): KubeObject => object;

/** The Scale of a workload, as the built-in kinds have it. */
function scaleOf(object: KubeObject): KubeObject {
  const { metadata, spec, status } = object as KubeObject & {
    spec?: { replicas?: number; selector?: LabelSelector };
    status?: { replicas?: number };
  };
  const selector = formatSelector(fromLabelSelector(spec?.selector));
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata,
    spec: { replicas: spec?.replicas ?? 0 },
    status: { replicas: status?.replicas ?? 0, selector },
  } as KubeObject;
}
