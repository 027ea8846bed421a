import type { KubeObject, ManagedFieldsEntry } from '#apis/meta/object.ts';
import { apiError } from '#apiserver/errors.ts';
import { CachedObject } from '#apiserver/cache/cached-object.ts';
import { encodeForStorage } from '#apiserver/cache/encoding.ts';
import { objectsOf, type ResourceCall } from '#apiserver/context.ts';
import { toStored } from '#apiserver/registry/kind-registry.ts';
import type { ApiResponse } from '#apiserver/request.ts';
import { viewOf } from '#apiserver/rest/resource-scope.ts';
import { decode } from '#machinery/decode.ts';
import { jsonEqual } from '#apis/meta/equal.ts';
import { deepFreeze } from '#machinery/deep.ts';
import { StorageFailure, type Storage, type WriteResult } from '#storage/storage.ts';

/** As etcd's default; larger objects would make every watch and list heavy. */
const maxObjectBytes = 1.5 * 1024 * 1024;

/** Text for storage, in the storage version. 413 when it is too long. */
export function storedText(call: ResourceCall, object: KubeObject): string {
  const { definition } = call.served;
  const text = encodeForStorage(toStored(definition, object));
  if (text.length > maxObjectBytes / 4 && Buffer.byteLength(text) > maxObjectBytes)
    throw apiError('objectTooLarge', String(maxObjectBytes));
  return text;
}

/** Writes one key; failures of the storage itself become 503 with what it says to do. */
export async function writeKey(storage: Storage, key: string, value: string | null, expected: number | undefined): Promise<WriteResult> {
  try {
    return await storage.write({ key, value, expected });
  } catch (error) {
    throw error instanceof StorageFailure ? apiError('storageUnavailable', error.message, error) : error;
  }
}

/** The state that a write has made, shared with the cache where it has arrived there already. */
export function writtenObject(call: ResourceCall, key: string, text: string, revision: number): CachedObject {
  const cached = objectsOf(call.context.cache, call.served.definition).get(key);
  return cached?.revision === revision ? cached : new CachedObject(key, revision, text);
}

export function objectResponse(call: ResourceCall, cached: CachedObject, status = 200): ApiResponse {
  const view = viewOf(call.served);
  return {
    status,
    headers: {},
    body: {
      kind: 'object',
      get object() {
        return cached.objectIn(view);
      },
      contentType: 'application/json',
      json: () => cached.jsonIn(view),
    },
  };
}

/** An answer that is not a stored state: dry runs, reviews, Status. */
export function plainResponse(object: unknown, status = 200): ApiResponse {
  return { status, headers: {}, body: { kind: 'object', object: deepFreeze(object), contentType: 'application/json' } };
}

/** Whether two states differ in anything but bookkeeping. The time of managed fields alone is no difference. */
export function sameState(a: KubeObject, b: KubeObject): boolean {
  return jsonEqual(comparable(a), comparable(b));
}

function comparable(object: KubeObject): unknown {
  const { resourceVersion: _resourceVersion, managedFields = [], ...metadata } = object.metadata;
  return { ...object, metadata, managed: managedFields.map(untimed) };
}

function untimed({ time: _time, ...entry }: ManagedFieldsEntry): unknown {
  return entry;
}

/** Whether a change counts for metadata.generation: anything but metadata and status. */
export function changesGeneration({ served }: ResourceCall, object: KubeObject, old: KubeObject): boolean {
  if (jsonEqual(content(object), content(old))) return false;
  if (served.custom) return true;
  // What is stored may be in a form that would no longer be written: quantities keep their value in any form.
  const { value } = decode(old, served.version.schema);
  return !jsonEqual(content(object), content(value as unknown as KubeObject));
}

function content(object: KubeObject & { status?: unknown }): object {
  const { metadata: _metadata, status: _status, apiVersion: _version, kind: _kind, ...rest } = object;
  return rest;
}
