import type { KubeObject } from '#apis/meta/object.ts';
import { fieldInvalid, invalid } from '#apis/meta/field-error.ts';
import { badRequest, isReason, StatusError } from '#apis/meta/status.ts';
import { apiError } from '#apiserver/errors.ts';
import { keyOfCall, type ResourceCall } from '#apiserver/context.ts';
import { contentTypeOf, normalizeMetadata, receiveDocument } from '#apiserver/negotiation/body.ts';
import { versionOf } from '#apiserver/registry/kind-registry.ts';
import type { ApiResponse } from '#apiserver/request.ts';
import { patchUndecodable } from '#apiserver/rest/patch-failure.ts';
import { applyPatchType, jsonPatchType, mergePatchType, patchTypesOf, strategicPatchType } from '#apiserver/rest/patch-types.ts';
import { undecodedCopy } from '#apiserver/rest/stages.ts';
import { createObject } from '#apiserver/rest/create.ts';
import { updateObject, type Transition } from '#apiserver/rest/update.ts';
import { parseWriteOptions, type WriteOptions } from '#apiserver/rest/write-options.ts';
import { applyServerSide } from '#machinery/apply.ts';
import { deepClone, isObject, type JsonObject, type JsonValue } from '#machinery/deep.ts';
import type { DecodeError } from '#machinery/decode.ts';
import { jsonTypeName } from '#machinery/go-types.ts';
import { applyJsonPatch } from '#machinery/json-patch.ts';
import { applyMergePatch } from '#machinery/merge-patch.ts';
import { patchDoesNotApply } from '#machinery/patch-errors.ts';
import { applyStrategicMergePatch } from '#machinery/strategic-merge.ts';

/** Patches the object, or a stored subresource of it. Apply creates what is not there (201). */
export async function patchObject(call: ResourceCall, part: Transition['part']): Promise<ApiResponse> {
  const type = contentTypeOf(call.request);
  const accepted = patchTypesOf(call.served);
  if (!accepted.includes(type)) throw apiError('unsupportedMediaType', accepted.join(', '));
  if (type === applyPatchType) return apply(call, part);
  const options = parseWriteOptions(call, 'PatchOptions');
  const { value: patch, duplicates } = await receiveDocument(call.request, 'json');
  return updateObject(call, options, {
    subresource: call.info.subresource,
    part,
    strictErrors: duplicates,
    next: (stored) => patched(call, type, stored, patch),
    undecodable: (result, error) => patchUndecodable(type, patch, result, error),
  });
}

/** The stored object with the patch applied; its name, kind and namespace have to stay. */
function patched(call: ResourceCall, type: string, stored: KubeObject, patch: JsonValue): KubeObject {
  const result = patchResult(call, type, stored as unknown as JsonObject, patch);
  // A strategic merge is one into the typed object, whose type is not part of it.
  if (type === strategicPatchType && isObject(result)) Object.assign(result, { apiVersion: stored.apiVersion, kind: stored.kind });
  return soundResult(call, result, (error) => patchUndecodable(type, patch, result, error));
}

/** A document that is nobody else's, as far as what follows changes it. */
function patchResult(call: ResourceCall, type: string, document: JsonObject, patch: JsonValue): JsonValue {
  if (type !== mergePatchType) return deepClone(applyPatch(call, type, deepClone(document), patch));
  const result = applyPatch(call, type, document, patch);
  return isObject(result) ? undecodedCopy(call, result) : result;
}

function applyPatch(call: ResourceCall, type: string, document: JsonObject, patch: JsonValue): JsonValue {
  if (type === jsonPatchType) return applyJsonPatch(document, patch);
  if (!isObject(patch))
    throw badRequest(
      `${type === mergePatchType ? 'error decoding patch: ' : ''}json: cannot unmarshal ${jsonTypeName(patch)} into Go value of type map[string]interface {}`,
    );
  if (type === mergePatchType) return applyMergePatch(document, patch);
  return applyStrategicMergePatch(document, patch, call.served.version.schema);
}

/** What a patch has made is still this object; a resourceVersion in it is a precondition. */
function soundResult(call: ResourceCall, value: JsonValue, undecodable: (error: DecodeError) => StatusError): KubeObject {
  const { definition } = call.served;
  const refuse = (field: string, given: unknown, text: string) =>
    invalid(definition.group, definition.kind, call.info.name, [fieldInvalid(field, given, text)]);
  if (!isObject(value)) throw patchDoesNotApply('the patch does not leave an object');
  normalizeMetadata(value, undecodable);
  const { metadata, apiVersion, kind } = value as unknown as KubeObject;
  if (kind !== definition.kind) throw refuse('kind', kind ?? '', 'must be the kind of the resource');
  if (apiVersion !== versionOf(call.served)) throw refuse('apiVersion', apiVersion ?? '', 'must be the version of the request');
  if (metadata.name !== call.info.name)
    throw badRequest(`the name of the object (${metadata.name ?? ''}) does not match the name on the URL (${call.info.name})`);
  if (definition.namespaced && metadata.namespace !== call.info.namespace)
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  return value as unknown as KubeObject;
}

async function apply(call: ResourceCall, part: Transition['part']): Promise<ApiResponse> {
  const options = parseWriteOptions(call, 'PatchOptions', true);
  const { value, duplicates } = await receiveDocument(call.request, 'yaml');
  if (!isObject(value)) throw badRequest('error decoding YAML: the body must be one object');
  const config = checkedConfig(call, value);
  if (duplicates.length > 0 && options.fieldValidation === 'Strict')
    throw badRequest(`error decoding YAML: strict decoding error: ${duplicates.join(', ')}`);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await updateObject(call, options, {
        subresource: call.info.subresource,
        part,
        strictErrors: duplicates,
        tracked: true,
        next: (stored) => merged(call, options, config, stored),
      });
    } catch (error) {
      if (!isReason(error, 'NotFound') || call.info.subresource !== '') throw error;
    }
    const created = await applyNew(call, options, config, duplicates);
    if (created !== undefined) return created;
    if (attempt === 5) throw apiError('internal', `${keyOfCall(call)} keeps coming and going`);
  }
}

/** Undefined when somebody else has created the object meanwhile. */
async function applyNew(
  call: ResourceCall,
  options: WriteOptions,
  config: JsonObject,
  strictErrors: readonly string[],
): Promise<ApiResponse | undefined> {
  const { uid = '', resourceVersion = '' } = config['metadata'] as Record<string, string>;
  if (uid !== '' || resourceVersion !== '') throw missingForPrecondition(call, uid);
  try {
    return await createObject(call, options, { object: merged(call, options, config, undefined), strictErrors, tracked: true });
  } catch (error) {
    if (isReason(error, 'AlreadyExists')) return undefined;
    throw error;
  }
}

function missingForPrecondition({ served, info }: ResourceCall, uid: string): StatusError {
  const { group, plural } = served.definition;
  return new StatusError(
    'Conflict',
    `Operation cannot be fulfilled on ${plural}${group === '' ? '' : `.${group}`} "${info.name}": uid mismatch: the provided object specified uid ${uid}, and no existing object was found`,
  );
}

function checkedConfig(call: ResourceCall, value: JsonObject): JsonObject {
  const { apiVersion, kind } = value;
  const { definition } = call.served;
  if (kind === undefined || kind === '') throw badRequest("Object 'Kind' is missing in the apply configuration");
  if (kind !== definition.kind)
    throw badRequest(`the kind in the data (${JSON.stringify(kind)}) does not match the expected kind (${definition.kind})`);
  if (apiVersion !== versionOf(call.served))
    throw badRequest(
      `Incorrect version specified in apply patch. Specified patch version: ${JSON.stringify(apiVersion ?? '')}, expected: ${versionOf(call.served)}`,
    );
  normalizeMetadata(value);
  const metadata = value['metadata'] as JsonObject;
  if (metadata['managedFields'] !== undefined && metadata['managedFields'] !== null) throw badRequest('metadata.managedFields must be nil');
  if (metadata['name'] !== undefined && metadata['name'] !== call.info.name)
    throw badRequest(`the name of the object (${JSON.stringify(metadata['name'])}) does not match the name on the URL (${call.info.name})`);
  metadata['name'] = call.info.name;
  if (definition.namespaced) {
    if (metadata['namespace'] !== undefined && metadata['namespace'] !== '' && metadata['namespace'] !== call.info.namespace)
      throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
    metadata['namespace'] = call.info.namespace;
  }
  return value;
}

function merged(call: ResourceCall, options: WriteOptions, config: JsonObject, live: KubeObject | undefined): KubeObject {
  const { object } = applyServerSide({
    schema: call.served.version.schema,
    ...(live === undefined ? {} : { live }),
    config: deepClone(config),
    manager: options.fieldManager,
    apiVersion: versionOf(call.served),
    ...(call.info.subresource === '' ? {} : { subresource: call.info.subresource }),
    force: options.force ?? false,
    now: call.now,
  });
  return deepClone(object) as KubeObject;
}
