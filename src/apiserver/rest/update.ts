import type { KubeObject } from '#apis/meta/object.ts';
import { conflict, notFound, type StatusError } from '#apis/meta/status.ts';
import { CachedObject } from '#apiserver/cache/cached-object.ts';
import { keyOfCall, objectsOf, type ResourceCall } from '#apiserver/context.ts';
import { modifiedMessage } from '#apiserver/errors.ts';
import type { ApiResponse } from '#apiserver/request.ts';
import {
  changesGeneration,
  objectResponse,
  plainResponse,
  sameState,
  storedText,
  writeKey,
  writtenObject,
} from '#apiserver/rest/commit.ts';
import { isFinished } from '#apiserver/rest/deletion-policy.ts';
import { setManagedFields, stampUpdate } from '#apiserver/rest/metadata.ts';
import { viewOf } from '#apiserver/rest/resource-scope.ts';
import { draftOf, refine, Reservations, undecodedCopy } from '#apiserver/rest/stages.ts';
import type { WriteOptions } from '#apiserver/rest/write-options.ts';
import type { DecodeError } from '#machinery/decode.ts';
import type { JsonObject } from '#machinery/deep.ts';
import { trackUpdate } from '#machinery/managed-fields.ts';

/** How an update makes the next state. */
export interface Transition {
  /** Empty for the object itself. */
  readonly subresource: string;
  /**
   * The next state from the stored one (frozen, at the request's version); a private object. A resourceVersion or uid in its
   * metadata is a precondition. Called again when another write came between.
   */
  next(stored: KubeObject): KubeObject | Promise<KubeObject>;
  readonly strictErrors?: readonly string[];
  /** What to answer when the next state does not decode, if not the 400 of a body. */
  undecodable?(result: object, error: DecodeError): StatusError;
  /** Which part of the next state this kind of update may change; the rest is taken from the stored object. */
  readonly part: 'main' | 'status' | 'all' | Share;
  /** Managed fields are set by `next` already (apply). */
  readonly tracked?: boolean;
}

/** Takes from what was received the share of the object that a subresource may change. */
export type Share = (received: KubeObject, draft: KubeObject) => void;

const attempts = 10;

/**
 * Reads, changes, checks, writes; again with the newer state when another write came between. A client that named a
 * resourceVersion hears of it then: its next state still carries the old one.
 */
export async function updateObject(call: ResourceCall, options: WriteOptions, transition: Transition): Promise<ApiResponse> {
  const key = keyOfCall(call);
  let current = await currentState(call, key);
  for (let attempt = 1; ; attempt += 1) {
    const outcome = await attemptUpdate(call, options, transition, key, current);
    if ('response' in outcome) return outcome.response;
    if (outcome.current === undefined) throw missing(call);
    if (attempt === attempts) throw lostRace(call);
    current = new CachedObject(key, outcome.current.modRevision, outcome.current.value);
  }
}

/** The state as of now; 404 when there is none. */
export async function currentState(call: ResourceCall, key: string): Promise<CachedObject> {
  const { cache } = call.context;
  await cache.fresh();
  const current = objectsOf(cache, call.served.definition).get(key);
  if (current === undefined) throw missing(call);
  return current;
}

type Outcome =
  | { readonly response: ApiResponse }
  | { readonly current: { readonly value: string; readonly modRevision: number } | undefined };

async function attemptUpdate(
  call: ResourceCall,
  options: WriteOptions,
  transition: Transition,
  key: string,
  current: CachedObject,
): Promise<Outcome> {
  const { definition } = call.served;
  const stored = current.objectIn(viewOf(call.served));
  const raw = await transition.next(stored);
  checkPreconditions(call, raw, current);
  stampUpdate(raw, stored);
  restrict(call, raw, stored, transition.part);
  const reservations = new Reservations();
  let written = false;
  try {
    const { subresource } = transition;
    const object = await refine({ call, object: raw, old: stored, ...options, ...transition }, reservations);
    if (definition.hasGeneration && transition.part !== 'status' && changesGeneration(call, object, stored))
      object.metadata.generation = (stored.metadata.generation ?? 0) + 1;
    if (transition.tracked !== true) track(call, options, subresource, object, stored);
    if (sameState(object, stored)) return { response: objectResponse(call, current) };
    if (options.dryRun) {
      object.metadata.resourceVersion = String(current.revision);
      return { response: plainResponse(object) };
    }
    const text = storedText(call, object);
    const finished = isFinished(definition, object);
    const result = await writeKey(call.context.storage, key, finished ? null : text, current.revision);
    if (!result.ok) return { current: result.current };
    written = true;
    if (finished) return { response: plainResponse(withRevision(object, result.revision)) };
    return { response: objectResponse(call, writtenObject(call, key, text, result.revision)) };
  } finally {
    reservations.settle(written);
  }
}

/** 409 when the revision or uid that the client insists on is not that of the stored object. */
function checkPreconditions(call: ResourceCall, object: KubeObject, current: CachedObject): void {
  const { resourceVersion = '', uid = '' } = object.metadata;
  const { group, plural } = call.served.definition;
  const storedUid = current.object.metadata.uid ?? '';
  if (uid !== '' && uid !== storedUid)
    throw conflict(group, plural, call.info.name, `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${storedUid}`);
  if (resourceVersion !== '' && resourceVersion !== String(current.revision)) throw lostRace(call);
}

function restrict(call: ResourceCall, object: KubeObject, stored: KubeObject, part: Transition['part']): void {
  if (part === 'all') return;
  const next = object as KubeObject & Record<string, unknown>;
  // A share of it may be changed in place.
  const kept = (typeof part === 'function' ? draftOf(stored) : undecodedCopy(call, stored as object as JsonObject)) as KubeObject &
    Record<string, unknown>;
  if (part === 'main') {
    if (!call.served.definition.hasStatus) return;
    if (kept['status'] === undefined) delete next['status'];
    else next['status'] = kept['status'];
    return;
  }
  const received = { ...next };
  for (const field of Object.keys(next)) delete next[field];
  Object.assign(next, kept);
  delete next.metadata.resourceVersion;
  const { managedFields } = received.metadata;
  if (managedFields !== undefined) next.metadata.managedFields = managedFields;
  if (part !== 'status') return part(received, next);
  const { status } = received as KubeObject & Record<string, unknown>;
  if (status === undefined) delete next['status'];
  else next['status'] = status;
}

function track(call: ResourceCall, options: WriteOptions, subresource: string, object: KubeObject, old: KubeObject): void {
  const { apiVersion = '' } = object;
  const { schema } = call.served.version;
  const input = { schema, old, object, manager: options.fieldManager, apiVersion, now: call.now };
  setManagedFields(object, trackUpdate({ ...input, ...(subresource === '' ? {} : { subresource }) }));
}

function withRevision(object: KubeObject, revision: number): KubeObject {
  object.metadata.resourceVersion = String(revision);
  return object;
}

function lostRace({ served, info }: ResourceCall): Error {
  return conflict(served.definition.group, served.definition.plural, info.name, modifiedMessage);
}

function missing({ served, info }: ResourceCall): Error {
  return notFound(served.definition.group, served.definition.plural, info.name);
}
