import { badRequest } from '#apis/meta/status.ts';
import { apiError } from '#apiserver/errors.ts';
import type { ResourceCall } from '#apiserver/context.ts';
import type { SubresourceRegistry } from '#apiserver/discovery/subresources.ts';
import { negotiateShape } from '#apiserver/negotiation/accept.ts';
import { receiveObject, type ReceivedObject } from '#apiserver/negotiation/body.ts';
import { verbsOf, versionOf, isReviewKind } from '#apiserver/registry/kind-registry.ts';
import type { ApiResponse } from '#apiserver/request.ts';
import { createObject } from '#apiserver/rest/create.ts';
import { readDeleteOptions } from '#apiserver/rest/delete-options.ts';
import { deleteCollection, deleteObject } from '#apiserver/rest/delete.ts';
import { getResponse } from '#apiserver/rest/get.ts';
import { includeOf } from '#apiserver/rest/include-object.ts';
import { listPage, listResponse } from '#apiserver/rest/list.ts';
import { parseListOptions } from '#apiserver/rest/list-options.ts';
import { checkNamespace } from '#apiserver/rest/metadata.ts';
import { patchObject } from '#apiserver/rest/patch.ts';
import { Selection } from '#apiserver/rest/resource-scope.ts';
import { scaleSubresource } from '#apiserver/rest/scale.ts';
import { updateObject, type Transition } from '#apiserver/rest/update.ts';
import { watchFrames } from '#apiserver/rest/watch.ts';
import { parseWriteOptions } from '#apiserver/rest/write-options.ts';
import type { KubeObject } from '#apis/meta/object.ts';

/** Answers a create of a kind that is never stored (access reviews and the like). */
export type ReviewHandler = (call: ResourceCall, body: KubeObject) => Promise<ApiResponse>;

export interface Routes {
  readonly subresources: SubresourceRegistry;
  /** By `group/plural`. */
  readonly reviews: ReadonlyMap<string, ReviewHandler>;
}

/** Carries out an authorized request for a resource. Failures are thrown as StatusError. */
export async function dispatch(call: ResourceCall, routes: Routes): Promise<ApiResponse> {
  const { info, served } = call;
  const { definition } = served;
  if (!definition.namespaced && info.namespace !== '' && definition.plural !== 'namespaces') throw apiError('pathNotFound');
  if (definition.namespaced && info.namespace === '' && info.name !== '') throw apiError('pathNotFound');
  if (info.subresource !== '') return subresource(call, routes);
  if (!(verbsOf(definition) as readonly string[]).includes(info.verb)) throw apiError('methodNotAllowed');
  if (definition.namespaced && info.namespace === '' && info.verb === 'create') throw apiError('methodNotAllowed');
  if (info.name !== '' && info.verb === 'create') throw apiError('methodNotAllowed');
  if (info.name === '' && (info.verb === 'update' || info.verb === 'patch')) throw apiError('methodNotAllowed');
  if (isReviewKind(definition)) return review(call, routes);
  switch (info.verb) {
    case 'get':
      return getResponse(call);
    case 'list':
      return list(call);
    case 'watch':
      return watch(call);
    case 'create':
      return create(call);
    case 'update':
      return update(call, 'main');
    case 'patch':
      return patchObject(call, 'main');
    case 'delete':
      return deleteObject(call, await readDeleteOptions(call.request));
    case 'deletecollection':
      return deleteCollection(call, await readDeleteOptions(call.request));
  }
}

async function subresource(call: ResourceCall, routes: Routes): Promise<ApiResponse> {
  const { info, served } = call;
  const { definition } = served;
  const registered = routes.subresources.find(definition.group, definition.plural, info.subresource);
  if (registered !== undefined) {
    if (!registered.verbs.includes(info.verb)) throw apiError('methodNotAllowed');
    return registered.run(call);
  }
  if (info.rest !== '') throw apiError('pathNotFound');
  if (info.subresource === 'scale' && definition.scale !== undefined) return scaleSubresource(call, definition.scale);
  if (info.subresource !== 'status' || !definition.hasStatus) throw apiError('pathNotFound');
  if (info.verb === 'get') return getResponse(call);
  if (info.verb === 'update') return update(call, 'status');
  if (info.verb === 'patch') return patchObject(call, 'status');
  throw apiError('methodNotAllowed');
}

async function review(call: ResourceCall, { reviews }: Routes): Promise<ApiResponse> {
  const { definition } = call.served;
  const handler = reviews.get(`${definition.group}/${definition.plural}`);
  if (handler === undefined) throw apiError('methodNotAllowed');
  const { value } = await receiveForCall(call);
  checkNamespace((value as unknown as KubeObject).metadata, definition, call.info.namespace);
  return handler(call, value as unknown as KubeObject);
}

async function list(call: ResourceCall): Promise<ApiResponse> {
  const { query, headers } = call.request;
  const options = parseListOptions(query, false);
  const shape = negotiateShape(headers['accept']);
  const selection = new Selection(call.served, call.info, query);
  const page = await listPage(call.context, selection, options);
  return listResponse(page, selection, shape, includeOf(query), call.context.clock.now());
}

/** Without `timeoutSeconds` a watch ends after half an hour to an hour, so that clients spread over restarted servers. */
const minWatchSeconds = 1800;

async function watch(call: ResourceCall): Promise<ApiResponse> {
  const { query, headers, signal } = call.request;
  const options = parseListOptions(query, true);
  const shape = negotiateShape(headers['accept']);
  const selection = new Selection(call.served, call.info, query);
  const seconds = (options.timeoutSeconds ?? 0) > 0 ? (options.timeoutSeconds ?? 0) : minWatchSeconds * (1 + Math.random());
  const request = { selection, options, shape, include: includeOf(query), signal, timeoutMs: seconds * 1000 };
  const events = watchFrames(call.context, request);
  return { status: 200, headers: {}, body: { kind: 'watch', events, contentType: watchContentType(shape.as) } };
}

function watchContentType(as: 'object' | 'table' | 'metadata'): string {
  return as === 'object'
    ? 'application/json'
    : `application/json;as=${as === 'table' ? 'Table' : 'PartialObjectMetadata'};v=v1;g=meta.k8s.io`;
}

function receiveForCall({ request, served }: ResourceCall): Promise<ReceivedObject> {
  return receiveObject(request, { apiVersion: versionOf(served), kind: served.definition.kind, schema: served.version.schema });
}

async function create(call: ResourceCall): Promise<ApiResponse> {
  const options = parseWriteOptions(call, 'CreateOptions');
  const { value, duplicates } = await receiveForCall(call);
  return createObject(call, options, { object: value as unknown as KubeObject, strictErrors: duplicates });
}

/** Replaces the object, or the part of it that a subresource stands for. */
export async function update(call: ResourceCall, part: Transition['part']): Promise<ApiResponse> {
  const options = parseWriteOptions(call, 'UpdateOptions');
  const { value, duplicates } = await receiveForCall(call);
  const received = value as unknown as KubeObject;
  checkNamespace(received.metadata, call.served.definition, call.info.namespace);
  if ((received.metadata.name ?? '') !== call.info.name)
    throw badRequest(`the name of the object (${received.metadata.name ?? ''}) does not match the name on the URL (${call.info.name})`);
  return updateObject(call, options, {
    subresource: call.info.subresource,
    part,
    strictErrors: duplicates,
    next: () => structuredClone(received),
  });
}
