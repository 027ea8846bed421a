import type { KubeObject, ListMeta } from '#apis/meta/object.ts';
import { conflict, forbidden, isReason, notFound, StatusError } from '#apis/meta/status.ts';
import { CachedObject } from '#apiserver/cache/cached-object.ts';
import { keyOfCall, type ResourceCall } from '#apiserver/context.ts';
import { versionOf } from '#apiserver/registry/kind-registry.ts';
import type { ApiResponse } from '#apiserver/request.ts';
import { objectResponse, plainResponse, storedText, writeKey, writtenObject } from '#apiserver/rest/commit.ts';
import type { ParsedDeleteOptions } from '#apiserver/rest/delete-options.ts';
import { finalizersFor, graceOf, isHeld, markTerminating, propagationOf } from '#apiserver/rest/deletion-policy.ts';
import { listPage } from '#apiserver/rest/list.ts';
import { parseListOptions } from '#apiserver/rest/list-options.ts';
import { Selection, viewOf } from '#apiserver/rest/resource-scope.ts';
import { draftOf, requestFor, Reservations } from '#apiserver/rest/stages.ts';
import { currentState } from '#apiserver/rest/update.ts';
import { rfc3339 } from '#core/clock.ts';

const attempts = 10;
const immortalNamespaces = new Set(['default', 'kube-system', 'kube-public', 'kube-node-lease']);

/**
 * Deletes one object: at once, or, while a grace period or finalizers hold it, by marking it. Answers the marked object, or
 * a Status when it is gone.
 */
export async function deleteObject(call: ResourceCall, options: ParsedDeleteOptions): Promise<ApiResponse> {
  const key = keyOfCall(call);
  let current = await currentState(call, key);
  refuseImmortal(call);
  for (let attempt = 1; ; attempt += 1) {
    checkPreconditions(call, current, options);
    await admitDeletion(call, current, options.dryRunAll);
    const marked = markedState(call, current.objectIn(viewOf(call.served)), options);
    if (marked === 'unchanged') return objectResponse(call, current);
    if (options.dryRunAll) return marked === 'gone' ? goneResponse(call, current) : plainResponse(marked);
    const text = marked === 'gone' ? null : storedText(call, marked);
    const result = await writeKey(call.context.storage, key, text, current.revision);
    if (result.ok)
      return text === null ? goneResponse(call, current) : objectResponse(call, writtenObject(call, key, text, result.revision));
    if (result.current === undefined) throw notFound(call.served.definition.group, call.served.definition.plural, call.info.name);
    if (attempt === attempts)
      throw conflict(call.served.definition.group, call.served.definition.plural, call.info.name, 'too many concurrent changes');
    current = new CachedObject(key, result.current.modRevision, result.current.value);
  }
}

async function admitDeletion(call: ResourceCall, current: CachedObject, dryRun: boolean): Promise<void> {
  const reservations = new Reservations();
  try {
    const request = requestFor(call, 'delete', { object: current.object, old: current.object, subresource: '', dryRun }, reservations);
    await call.context.admission.admit(request);
    await call.context.admission.check(request);
  } finally {
    reservations.settle(false);
  }
}

function refuseImmortal({ served, info }: ResourceCall): void {
  if (served.definition.group !== '' || served.definition.plural !== 'namespaces' || !immortalNamespaces.has(info.name)) return;
  throw forbidden('', 'namespaces', info.name, 'this namespace may not be deleted');
}

function checkPreconditions({ served, info }: ResourceCall, current: CachedObject, { preconditions }: ParsedDeleteOptions): void {
  const { group, plural } = served.definition;
  const uid = current.object.metadata.uid ?? '';
  const revision = String(current.revision);
  if (preconditions?.uid !== undefined && preconditions.uid !== uid)
    throw conflict(group, plural, info.name, `Precondition failed: UID in precondition: ${preconditions.uid}, UID in object meta: ${uid}`);
  if (preconditions?.resourceVersion !== undefined && preconditions.resourceVersion !== revision) {
    const text = `Precondition failed: ResourceVersion in precondition: ${preconditions.resourceVersion}, ResourceVersion in object meta: ${revision}`;
    throw conflict(group, plural, info.name, text);
  }
}

/** The state that deletion leaves behind: none, the one there is, or one marked as going. */
function markedState(call: ResourceCall, stored: KubeObject, options: ParsedDeleteOptions): KubeObject | 'gone' | 'unchanged' {
  const { definition } = call.served;
  const { deletionTimestamp, deletionGracePeriodSeconds } = stored.metadata;
  const next = draftOf(stored);
  const finalizers = finalizersFor(stored, propagationOf(definition, stored, options));
  if (finalizers.length === 0) delete next.metadata.finalizers;
  else next.metadata.finalizers = finalizers;
  const going = deletionTimestamp !== undefined;
  const grace = graceOf(definition, stored, options) ?? 0;
  if (grace === 0 && !isHeld(definition, next)) return 'gone';
  const sameFinalizers = String(finalizers) === String(stored.metadata.finalizers ?? []);
  // A grace period can only be shortened.
  const sooner = !going || grace < (deletionGracePeriodSeconds ?? 0);
  if (!sooner && sameFinalizers) return 'unchanged';
  if (sooner) {
    const start = going ? Date.parse(deletionTimestamp) - (deletionGracePeriodSeconds ?? 0) * 1000 : Date.parse(call.now);
    next.metadata.deletionTimestamp = rfc3339(start + grace * 1000);
    next.metadata.deletionGracePeriodSeconds = grace;
  }
  if (!going && definition.hasGeneration) next.metadata.generation = (stored.metadata.generation ?? 0) + 1;
  markTerminating(definition, next);
  return next;
}

function goneResponse(call: ResourceCall, current: CachedObject): ApiResponse {
  const { group, plural } = call.served.definition;
  const details = { name: current.name, ...(group === '' ? {} : { group }), kind: plural, uid: current.object.metadata.uid };
  return plainResponse({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details });
}

/** Deletes what a list with the same parameters would give, one by one; answers the list. */
export async function deleteCollection(call: ResourceCall, options: ParsedDeleteOptions): Promise<ApiResponse> {
  const query = new URLSearchParams(call.request.query);
  query.delete('dryRun');
  const selection = new Selection(call.served, call.info, query);
  const page = await listPage(call.context, selection, parseListOptions(query, false));
  for (const object of page.objects) {
    const info = { ...call.info, name: object.name, namespace: object.namespace };
    try {
      await deleteObject({ ...call, info }, options);
    } catch (error) {
      // Somebody else's deletion, or a namespace that may not go, does not stop the others.
      if (!isReason(error, 'NotFound') && !(error instanceof StatusError && error.reason === 'Forbidden')) throw error;
    }
  }
  const metadata: ListMeta = page.metadata;
  const items = page.objects.map((object) => object.objectIn(selection.view));
  return plainResponse({ kind: call.served.definition.listKind, apiVersion: versionOf(call.served), metadata, items });
}
