import type { KubeObject } from '#apis/meta/object.ts';
import { alreadyExists } from '#apis/meta/status.ts';
import { keyOfCall, objectsOf, type ResourceCall } from '#apiserver/context.ts';
import type { ApiResponse } from '#apiserver/request.ts';
import { objectResponse, plainResponse, storedText, writeKey, writtenObject } from '#apiserver/rest/commit.ts';
import { generateName, setManagedFields, stampNew } from '#apiserver/rest/metadata.ts';
import { refine, Reservations } from '#apiserver/rest/stages.ts';
import type { WriteOptions } from '#apiserver/rest/write-options.ts';
import { trackUpdate } from '#machinery/managed-fields.ts';

/** Kinds whose creator may set the status: whoever registers a node reports it in the same breath. */
const statusOnCreate = new Set(['/nodes']);
const nameAttempts = 8;

/**
 * Creates the object a client has sent (private, as received). `tracked`: managed fields are set already (apply).
 * Answers 201.
 */
export async function createObject(call: ResourceCall, options: WriteOptions, received: Received): Promise<ApiResponse> {
  const { definition, version } = call.served;
  const raw = received.object;
  const generated = (raw.metadata.name ?? '') === '' && (raw.metadata.generateName ?? '') !== '';
  stampNew(raw, definition, call.info.namespace, call.now);
  if (definition.hasStatus && !statusOnCreate.has(`${definition.group}/${definition.plural}`)) delete (raw as { status?: unknown }).status;
  const reservations = new Reservations();
  let written = false;
  try {
    const { strictErrors = [], tracked = false } = received;
    const draft = { call, object: raw, old: undefined, subresource: '', ...options, strictErrors };
    const object = await refine(draft, reservations);
    if (!tracked) {
      const { apiVersion = '' } = object;
      const manager = options.fieldManager;
      setManagedFields(object, trackUpdate({ schema: version.schema, object, manager, apiVersion, now: call.now }));
    }
    const response = await store(call, options, object, generated);
    written = !options.dryRun;
    return response;
  } finally {
    reservations.settle(written);
  }
}

export interface Received {
  readonly object: KubeObject;
  readonly strictErrors?: readonly string[];
  readonly tracked?: boolean;
}

async function store(call: ResourceCall, options: WriteOptions, object: KubeObject, generated: boolean): Promise<ApiResponse> {
  const { definition } = call.served;
  const { metadata } = object;
  const { storage, cache } = call.context;
  for (let attempt = 1; ; attempt += 1) {
    const key = keyOfCall(call, metadata.name);
    const text = storedText(call, object);
    if (options.dryRun) {
      await cache.fresh();
      if (objectsOf(cache, definition).get(key) === undefined) return plainResponse(object, 201);
    } else {
      const result = await writeKey(storage, key, text, 0);
      if (result.ok) return objectResponse(call, writtenObject(call, key, text, result.revision), 201);
    }
    if (!generated || attempt === nameAttempts) throw alreadyExists(definition.group, definition.plural, metadata.name ?? '');
    metadata.name = generateName(metadata.generateName ?? '');
  }
}
