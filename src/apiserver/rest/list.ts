import type { KubeObject, ListMeta } from '#apis/meta/object.ts';
import type { StatusError } from '#apis/meta/status.ts';
import { objectsOf } from '#apiserver/context.ts';
import { apiError } from '#apiserver/errors.ts';
import { CachedObject } from '#apiserver/cache/cached-object.ts';
import type { WatchCache } from '#apiserver/cache/watch-cache.ts';
import type { AnswerShape } from '#apiserver/negotiation/accept.ts';
import { versionOf } from '#apiserver/registry/kind-registry.ts';
import type { ApiResponse, ListView } from '#apiserver/request.ts';
import { decodeContinue, encodeContinue, type ListOptions } from '#apiserver/rest/list-options.ts';
import type { Selection } from '#apiserver/rest/resource-scope.ts';
import { partialMetadata, Table, type RowObject } from '#apiserver/table/table.ts';
import { CompactedError, type Storage } from '#storage/storage.ts';
import { waitForRevision } from '#apiserver/rest/freshness.ts';
import type { Clock } from '#core/clock.ts';

export interface ListSources {
  readonly cache: WatchCache;
  readonly storage: Storage;
  readonly clock: Clock;
}

export interface Page {
  readonly objects: readonly CachedObject[];
  readonly metadata: ListMeta;
}

/** Objects of the selection as the options ask for them: fresh, any, exact, or the next page of an earlier list. */
export async function listPage(sources: ListSources, selection: Selection, options: ListOptions): Promise<Page> {
  const { cache } = sources;
  if (options.continue !== '') {
    const token = decodeContinue(options.continue, selection.prefix);
    return listAt(sources, selection, token.revision, token.after, options.limit, 'continueExpired');
  }
  const exact = options.match === 'Exact' || (options.match === '' && options.limit > 0 && (options.revision ?? 0) > 0);
  if (exact && options.revision !== undefined) {
    await waitForRevision(sources, options.revision);
    return listAt(sources, selection, options.revision, '', options.limit, 'expired');
  }
  if (options.revision === undefined) await cache.fresh();
  else await waitForRevision(sources, options.revision);
  return fromCache(cache, selection, cache.revision, '', options.limit);
}

function fromCache(cache: WatchCache, selection: Selection, revision: number, after: string, limit: number): Page {
  const resource = objectsOf(cache, selection.served.definition);
  const objects: CachedObject[] = [];
  for (const batch of batches(resource.range(selection.prefix, after))) {
    const matching = selection.needsContents
      ? CachedObject.pass(batch, () => batch.filter((object) => selection.matches(object)))
      : batch.filter((object) => selection.matches(object));
    objects.push(...matching);
    if (limit === 0 || objects.length <= limit) continue;
    objects.length = limit;
    const last = objects.at(-1)?.key ?? '';
    const remaining = selection.everything ? resource.count(selection.prefix, last) : undefined;
    return { objects, metadata: pageMeta(revision, last, remaining) };
  }
  return { objects, metadata: { resourceVersion: String(revision) } };
}

const batchSize = 100;

function* batches(objects: Iterable<CachedObject>): Iterable<readonly CachedObject[]> {
  let batch: CachedObject[] = [];
  for (const object of objects) {
    batch.push(object);
    if (batch.length < batchSize) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

async function listAt(
  sources: ListSources,
  selection: Selection,
  revision: number,
  after: string,
  limit: number,
  gone: 'expired' | 'continueExpired',
): Promise<Page> {
  const { cache, storage } = sources;
  if (objectsOf(cache, selection.served.definition).lastChange <= revision) return fromCache(cache, selection, revision, after, limit);
  const objects: CachedObject[] = [];
  let from = after;
  try {
    for (;;) {
      const page = await storage.list(selection.prefix, { limit: 500, revision, ...(from === '' ? {} : { after: from }) });
      for (const { key, value, modRevision } of page.entries) {
        const object = new CachedObject(key, modRevision, value);
        if (!selection.matches(object)) continue;
        if (limit > 0 && objects.length === limit) {
          return { objects, metadata: pageMeta(revision, objects.at(-1)?.key ?? '', undefined) };
        }
        objects.push(object);
      }
      from = page.entries.at(-1)?.key ?? from;
      if (!page.more) return { objects, metadata: { resourceVersion: String(revision) } };
    }
  } catch (error) {
    if (error instanceof CompactedError) throw gone === 'expired' ? tooOld(revision, error.compactedRevision) : apiError(gone, '', error);
    throw error;
  }
}

/** 410: history does not reach back to `revision`. */
export function tooOld(revision: number, oldest: number): StatusError {
  return apiError('expired', `${revision} (${oldest})`);
}

function pageMeta(revision: number, last: string, remaining: number | undefined): ListMeta {
  return {
    resourceVersion: String(revision),
    continue: encodeContinue({ revision, after: last }),
    ...(remaining === undefined ? {} : { remainingItemCount: remaining }),
  };
}

/** The answer for a page, in the asked-for shape. Nothing is parsed or encoded before somebody wants it. */
export function listResponse(page: Page, selection: Selection, shape: AnswerShape, include: RowObject, now: number): ApiResponse {
  const { served, view } = selection;
  if (shape.as === 'table') {
    const table = Table.of(served.version);
    const row = (object: CachedObject) => table.row(object.objectIn(view), shape.version, include, now);
    return listBody(page, 'Table', `meta.k8s.io/${shape.version}`, selection, table.head(shape.version, page.metadata, true), row);
  }
  if (shape.as === 'metadata') {
    const apiVersion = `meta.k8s.io/${shape.version}`;
    const item = (object: CachedObject) => JSON.stringify(partialMetadata(object.objectIn(view), shape.version));
    const head = listHead('PartialObjectMetadataList', apiVersion, page.metadata);
    return listBody(page, 'PartialObjectMetadataList', apiVersion, selection, head, item);
  }
  const apiVersion = versionOf(served);
  const head = listHead(served.definition.listKind, apiVersion, page.metadata);
  return listBody(page, served.definition.listKind, apiVersion, selection, head, (object) => object.jsonIn(view));
}

function listHead(kind: string, apiVersion: string, metadata: ListMeta): string {
  return `{"kind":${JSON.stringify(kind)},"apiVersion":${JSON.stringify(apiVersion)},"metadata":${JSON.stringify(metadata)},"items":[`;
}

function listBody(
  page: Page,
  kind: string,
  apiVersion: string,
  selection: Selection,
  head: string,
  encode: (object: CachedObject) => string,
): ApiResponse {
  let parsed: readonly KubeObject[] | undefined;
  const list: ListView = {
    apiVersion,
    kind,
    metadata: page.metadata,
    get items() {
      return (parsed ??= page.objects.map((object) => object.objectIn(selection.view)));
    },
    get held() {
      return page.objects.map((object) => object.heldIn(selection.view));
    },
  };
  const contentType = 'application/json';
  return { status: 200, headers: {}, body: { kind: 'list', list, contentType, chunks: () => inChunks(head, page.objects, encode) } };
}

const chunkSize = 128 * 1024;

/** Joins small pieces so that a long list goes out in few writes and is never one string. */
function* inChunks(head: string, objects: readonly CachedObject[], encode: (object: CachedObject) => string): Iterable<string> {
  let pieces = [head];
  let size = head.length;
  let separator = '';
  for (const batch of batches(objects)) {
    for (const text of CachedObject.pass(batch, () => batch.map(encode))) {
      pieces.push(separator, text);
      separator = ',';
      size += text.length;
    }
    if (size < chunkSize) continue;
    yield pieces.join('');
    pieces = [];
    size = 0;
  }
  pieces.push(']}');
  yield pieces.join('');
}
