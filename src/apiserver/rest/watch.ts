import { sleep, type Clock } from '#core/clock.ts';
import type { WatchEventType } from '#apis/meta/object.ts';
import { StatusError } from '#apis/meta/status.ts';
import type { CachedObject } from '#apiserver/cache/cached-object.ts';
import { utf8 } from '#apiserver/cache/encoding.ts';
import type { CacheEvent, Follower, ResourceCache } from '#apiserver/cache/resource-cache.ts';
import type { WatchCache } from '#apiserver/cache/watch-cache.ts';
import { objectsOf } from '#apiserver/context.ts';
import type { AnswerShape } from '#apiserver/negotiation/accept.ts';
import { versionOf } from '#apiserver/registry/kind-registry.ts';
import type { WatchFrame } from '#apiserver/request.ts';
import { waitForRevision } from '#apiserver/rest/freshness.ts';
import type { ListOptions } from '#apiserver/rest/list-options.ts';
import { tooOld } from '#apiserver/rest/list.ts';
import type { Selection } from '#apiserver/rest/resource-scope.ts';
import { partialMetadata, Table, type RowObject } from '#apiserver/table/table.ts';
import { deepFreeze } from '#machinery/deep.ts';
import { CompactedError } from '#storage/storage.ts';

const bookmarkEveryMs = 60_000;
const initialEventsEnd = 'k8s.io/initial-events-end';

export interface WatchSources {
  readonly cache: WatchCache;
  readonly clock: Clock;
}

export interface WatchRequest {
  readonly selection: Selection;
  readonly options: ListOptions;
  readonly shape: AnswerShape;
  readonly include: RowObject;
  readonly signal: AbortSignal;
  /** Ends the watch from the server's side. */
  readonly timeoutMs: number;
}

/**
 * The frames of one watch, pulled by its consumer. The watcher is a position in the resource's window of events, so it holds
 * no queue; one that has fallen out of the window is ended and has to start again from its last revision.
 */
export async function* watchFrames(sources: WatchSources, request: WatchRequest): AsyncGenerator<WatchFrame> {
  const { selection, options } = request;
  const resource = objectsOf(sources.cache, selection.served.definition);
  const framer = new Framer(request, sources.clock);
  const lifetime = lifetimeOf(request, sources.clock);
  let place: Place | undefined;
  try {
    const start = startOf(options, sources.cache.revision);
    await waitForRevision(sources, start.waitFor);
    const now = sources.cache.revision;
    const from = start.after ?? now;
    const behind = !start.state && from < resource.windowStart;
    // Taken before anything is sent: the consumer may take its time, and the cache moves on meanwhile.
    place = new Place(resource, start.state || behind ? now : from);
    if (start.state) {
      const objects = Array.from(resource.range(selection.prefix));
      for (const object of objects) if (selection.matches(object)) yield framer.added(object);
      if (options.sendInitialEvents === true) yield framer.bookmark(now, { [initialEventsEnd]: 'true' });
    } else if (behind) {
      for (const event of await sources.cache.history(resource.prefix, from)) {
        const frame = framer.event(event);
        if (frame !== undefined) yield frame;
      }
    }
    yield* follow(sources, place, framer, request, lifetime.signal);
  } catch (error) {
    const status = asStatus(error, options);
    if (status !== undefined) yield framer.error(status);
    else if (!lifetime.signal.aborted) throw error;
  } finally {
    place?.[Symbol.dispose]();
    lifetime.end();
  }
}

interface Start {
  /** Begin with the current state. */
  readonly state: boolean;
  readonly after: number | undefined;
  readonly waitFor: number;
}

/** Without a resourceVersion, or with 0, a watch begins with the state, unless `sendInitialEvents` says otherwise. */
function startOf({ revision, sendInitialEvents }: ListOptions, current: number): Start {
  const waitFor = revision ?? current;
  if (sendInitialEvents !== undefined) return { state: sendInitialEvents, after: revision === 0 ? undefined : revision, waitFor };
  const state = revision === undefined || revision === 0;
  return { state, after: state ? undefined : revision, waitFor };
}

async function* follow(
  { cache, clock }: WatchSources,
  place: Place,
  framer: Framer,
  { options }: WatchRequest,
  signal: AbortSignal,
): AsyncGenerator<WatchFrame> {
  using bookmarks = new Due(clock, options.allowWatchBookmarks ? bookmarkEveryMs : undefined, () => place.wake());
  signal.addEventListener('abort', () => place.wake(), { once: true });
  while (!signal.aborted) {
    const event = place.next();
    if (event === 'lost') return;
    if (event !== undefined) {
      const frame = framer.event(event);
      if (frame !== undefined) yield frame;
      place.position = event.revision;
      continue;
    }
    place.position = Math.max(place.position, cache.revision);
    if (bookmarks.take()) yield framer.bookmark(place.position);
    else await place.change();
  }
  if (options.allowWatchBookmarks && place.next() === undefined) yield framer.bookmark(Math.max(place.position, cache.revision));
}

/** A watcher's place among the changes of a resource. While it is held the changes behind it are kept, within the window's limits. */
class Place implements Follower, Disposable {
  position: number;
  readonly #resource: ResourceCache;
  readonly #leave: () => void;
  #changed = false;
  #wake: (() => void) | undefined;

  constructor(resource: ResourceCache, position: number) {
    this.#resource = resource;
    this.position = position;
    this.#leave = resource.follow(this);
  }

  /** The next change; `lost` when the window has moved past this place. */
  next(): CacheEvent | 'lost' | undefined {
    if (this.position < this.#resource.windowStart) return 'lost';
    return this.#resource.eventAfter(this.position);
  }

  wake(): void {
    this.#changed = true;
    this.#wake?.();
  }

  /** Resolves when it has been woken since the last call. */
  async change(): Promise<void> {
    if (!this.#changed) await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#changed = false;
  }

  [Symbol.dispose](): void {
    this.#leave();
  }
}

/** Something that falls due again and again, `everyMs` after it was last taken; never without a time. */
class Due implements Disposable {
  readonly #arm: () => () => void;
  #due = false;
  #cancel: () => void;

  constructor(clock: Clock, everyMs: number | undefined, onDue: () => void) {
    const fire = () => {
      this.#due = true;
      onDue();
    };
    this.#arm = () => (everyMs === undefined ? () => {} : clock.after(everyMs, fire));
    this.#cancel = this.#arm();
  }

  take(): boolean {
    if (!this.#due) return false;
    this.#due = false;
    this.#cancel = this.#arm();
    return true;
  }

  [Symbol.dispose](): void {
    this.#cancel();
  }
}

/** Turns cache events into frames of one selection and shape; encoded frames are kept on the event for the next watcher. */
class Framer {
  readonly #selection: Selection;
  readonly #shape: AnswerShape;
  readonly #include: RowObject;
  readonly #shapeId: string;
  readonly #clock: Clock;

  constructor({ selection, shape, include }: WatchRequest, clock: Clock) {
    this.#clock = clock;
    this.#selection = selection;
    this.#shape = shape;
    this.#include = include;
    this.#shapeId = shape.as === 'object' ? selection.view.id : `${selection.view.id} ${shape.as} ${shape.version} ${include}`;
  }

  /** Nothing when the change does not concern the selection (in a watch by selector, leaving it is a deletion). */
  event(event: CacheEvent): WatchFrame | undefined {
    const before = event.previous !== undefined && this.#selection.matches(event.previous);
    const after = !event.deleted && this.#selection.matches(event.current);
    if (!before && !after) return undefined;
    const type = after ? (before ? 'MODIFIED' : 'ADDED') : 'DELETED';
    const id = `${type} ${this.#shapeId}`;
    let frame = event.frames.get(id) as WatchFrame | undefined;
    if (frame === undefined) {
      const left = !after && !event.deleted && event.previous !== undefined;
      frame = this.#frame(type, left ? event.previous.at(event.revision) : event.current);
      event.frames.set(id, frame);
    }
    return frame;
  }

  added(object: CachedObject): WatchFrame {
    return this.#frame('ADDED', object);
  }

  bookmark(revision: number, annotations?: Readonly<Record<string, string>>): WatchFrame {
    const { definition } = this.#selection.served;
    const metadata = { resourceVersion: String(revision), creationTimestamp: null, ...(annotations === undefined ? {} : { annotations }) };
    if (this.#shape.as === 'metadata') {
      return plainFrame('BOOKMARK', { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${this.#shape.version}`, metadata });
    }
    return plainFrame('BOOKMARK', { kind: definition.kind, apiVersion: versionOf(this.#selection.served), metadata });
  }

  error(status: StatusError): WatchFrame {
    return plainFrame('ERROR', status.toStatus());
  }

  #frame(type: WatchEventType, cached: CachedObject): WatchFrame {
    const view = this.#selection.view;
    let line: Uint8Array | undefined;
    const encode = () => this.#encode(cached);
    return {
      type,
      get object() {
        return cached.objectIn(view);
      },
      get held() {
        return cached.heldIn(view);
      },
      line: () => (line ??= utf8(`{"type":"${type}","object":${encode()}}\n`)),
    };
  }

  #encode(cached: CachedObject): string {
    const { view, served } = this.#selection;
    if (this.#shape.as === 'object') return cached.jsonIn(view);
    const object = cached.objectIn(view);
    if (this.#shape.as === 'metadata') return JSON.stringify(partialMetadata(object, this.#shape.version));
    const table = Table.of(served.version);
    const head = table.head(this.#shape.version, { resourceVersion: String(cached.revision) }, true);
    return `${head}${table.row(object, this.#shape.version, this.#include, this.#clock.now())}]}`;
  }
}

function plainFrame(type: WatchEventType, object: unknown): WatchFrame {
  deepFreeze(object);
  return { type, object, line: () => utf8(`${JSON.stringify({ type, object })}\n`) };
}

/** Failures that belong into the stream as an ERROR event; undefined for the rest. */
function asStatus(error: unknown, options: ListOptions): StatusError | undefined {
  if (error instanceof CompactedError) return tooOld(options.revision ?? 0, error.compactedRevision);
  return error instanceof StatusError ? error : undefined;
}

/** One signal for everything that ends a watch: the caller, and the time-out. */
function lifetimeOf({ signal, timeoutMs }: WatchRequest, clock: Clock): { signal: AbortSignal; end(): void } {
  const controller = new AbortController();
  const abort = () => controller.abort();
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  sleep(clock, timeoutMs, controller.signal).then(abort, () => {});
  return {
    signal: controller.signal,
    end() {
      signal.removeEventListener('abort', abort);
      abort();
    },
  };
}
