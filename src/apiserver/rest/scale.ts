import type { ScalePaths } from '#apis/definition.ts';
import { scaleSchema, type Scale } from '#apis/autoscaling/v1/scale.ts';
import { fieldInvalid, invalid } from '#apis/meta/field-error.ts';
import { formatSelector, fromLabelSelector } from '#apis/meta/label-selector.ts';
import type { KubeObject, LabelSelector } from '#apis/meta/object.ts';
import { badRequest } from '#apis/meta/status.ts';
import { apiError } from '#apiserver/errors.ts';
import { keyOfCall, type ResourceCall } from '#apiserver/context.ts';
import { contentTypeOf, receiveDocument, receiveObject } from '#apiserver/negotiation/body.ts';
import type { ApiResponse } from '#apiserver/request.ts';
import { plainResponse } from '#apiserver/rest/commit.ts';
import { viewOf } from '#apiserver/rest/resource-scope.ts';
import { draftOf } from '#apiserver/rest/stages.ts';
import { currentState, updateObject } from '#apiserver/rest/update.ts';
import { parseWriteOptions } from '#apiserver/rest/write-options.ts';
import { deepClone, isObject, type JsonObject, type JsonValue } from '#machinery/deep.ts';
import { decode, DecodeError } from '#machinery/decode.ts';
import { applyJsonPatch } from '#machinery/json-patch.ts';
import { applyMergePatch } from '#machinery/merge-patch.ts';
import { applyStrategicMergePatch } from '#machinery/strategic-merge.ts';

const expectation = { apiVersion: 'autoscaling/v1', kind: 'Scale', schema: scaleSchema } as const;

/** Serves `scale`: an autoscaling/v1 Scale read from, and written to, the fields the definition names. */
export async function scaleSubresource(call: ResourceCall, paths: ScalePaths): Promise<ApiResponse> {
  switch (call.info.verb) {
    case 'get': {
      const current = await currentState(call, keyOfCall(call));
      return plainResponse(scaleOf(current.objectIn(viewOf(call.served)), paths));
    }
    case 'update': {
      const { value } = await receiveObject(call.request, expectation);
      return write(call, paths, () => value);
    }
    case 'patch': {
      const type = contentTypeOf(call.request);
      const { value } = await receiveDocument(call.request, type.endsWith('+yaml') ? 'yaml' : 'json');
      return write(call, paths, (scale) => patched(type, scale, value));
    }
    default:
      throw apiError('methodNotAllowed');
  }
}

function patched(type: string, scale: JsonObject, patch: JsonValue): JsonValue {
  if (type === 'application/json-patch+json') return applyJsonPatch(scale, patch);
  if (!isObject(patch)) throw badRequest('error decoding patch: must be one object');
  if (type === 'application/strategic-merge-patch+json') return applyStrategicMergePatch(scale, patch, scaleSchema);
  if (type === 'application/merge-patch+json' || type === 'application/apply-patch+yaml') return applyMergePatch(scale, patch);
  throw apiError(
    'unsupportedMediaType',
    'application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json',
  );
}

async function write(call: ResourceCall, paths: ScalePaths, next: (scale: JsonObject) => JsonValue): Promise<ApiResponse> {
  const apply = contentTypeOf(call.request) === 'application/apply-patch+yaml';
  const options = parseWriteOptions(call, call.info.verb === 'update' ? 'UpdateOptions' : 'PatchOptions', apply);
  const response = await updateObject(call, options, {
    subresource: 'scale',
    part: 'main',
    next: (stored) => {
      const scale = decodeScale(next(deepClone(scaleOf(stored, paths)) as unknown as JsonObject));
      const object = draftOf(stored);
      checkScale(call, scale);
      writePath(object, paths.specReplicasPath, scale.spec.replicas ?? 0);
      object.metadata.resourceVersion = scale.metadata.resourceVersion ?? '';
      return object;
    },
  });
  if (response.body.kind !== 'object') throw apiError('internal', 'an update answers with an object');
  return plainResponse(scaleOf(response.body.object as KubeObject, paths));
}

function decodeScale(value: JsonValue): Scale {
  try {
    return decode(value, scaleSchema).value as unknown as Scale;
  } catch (error) {
    throw error instanceof DecodeError ? badRequest(`error decoding Scale: ${error.message}`, error) : error;
  }
}

function checkScale({ info }: ResourceCall, { metadata, spec }: Scale): void {
  if (metadata.name !== undefined && metadata.name !== info.name)
    throw badRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${info.name})`);
  const replicas = spec.replicas ?? 0;
  if (replicas >= 0) return;
  throw invalid('autoscaling', 'Scale', info.name, [fieldInvalid('spec.replicas', replicas, 'must be greater than or equal to 0')]);
}

function scaleOf(object: KubeObject, paths: ScalePaths): Scale {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const selector = paths.labelSelectorPath === undefined ? undefined : readPath(object, paths.labelSelectorPath);
  const metadata = JSON.parse(JSON.stringify({ name, namespace, uid, resourceVersion, creationTimestamp })) as Scale['metadata'];
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata,
    spec: { replicas: asNumber(readPath(object, paths.specReplicasPath)) },
    status: {
      replicas: asNumber(readPath(object, paths.statusReplicasPath)),
      ...(selector === undefined ? {} : { selector: selectorText(selector) }),
    },
  };
}

/** Custom kinds keep the selector as text, built-in ones as a LabelSelector (or, older ones, as a map). */
function selectorText(selector: unknown): string {
  if (typeof selector === 'string') return selector;
  const labels = selector as LabelSelector | Record<string, string>;
  const isSelector = 'matchLabels' in labels || 'matchExpressions' in labels;
  return formatSelector(fromLabelSelector(isSelector ? (labels as LabelSelector) : { matchLabels: labels as Record<string, string> }));
}

function asNumber(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}

/** Segments of a simple JSON path such as `.spec.replicas`. */
function segmentsOf(path: string): readonly string[] {
  return path.split('.').filter((segment) => segment !== '');
}

function readPath(object: KubeObject, path: string): unknown {
  let value: unknown = object;
  for (const segment of segmentsOf(path)) value = (value as Record<string, unknown> | undefined | null)?.[segment];
  return value;
}

function writePath(object: KubeObject, path: string, value: unknown): void {
  const segments = segmentsOf(path);
  let parent = object as unknown as Record<string, unknown>;
  for (const segment of segments.slice(0, -1)) {
    parent[segment] ??= {};
    parent = parent[segment] as Record<string, unknown>;
  }
  parent[segments.at(-1) ?? ''] = value;
}
