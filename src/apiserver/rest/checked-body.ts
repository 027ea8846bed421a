import type { AdmissionContext, KindDefinition } from '#apis/definition.ts';
import { invalid } from '#apis/meta/field-error.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import { badRequest } from '#apis/meta/status.ts';
import type { Schema } from '#apis/schema.ts';
import type { ResourceCall } from '#apiserver/context.ts';
import { receiveObject } from '#apiserver/negotiation/body.ts';
import { apiVersionOf } from '#apis/definition.ts';
import { decode, DecodeError } from '#machinery/decode.ts';
import { validateSchema } from '#machinery/validate.ts';

/** Reads a body that is no stored object (a review, a binding, an eviction) and holds it against its definition. */
export async function receiveChecked<T extends KubeObject>(call: ResourceCall, definition: KindDefinition<T>): Promise<T> {
  const { schema, name } = definition.versions[0] ?? { schema: {}, name: 'v1' };
  const apiVersion = apiVersionOf({ group: definition.group, version: name });
  const { value } = await receiveObject(call.request, { apiVersion, kind: definition.kind, schema });
  return checkedBody(call, definition, value as unknown as KubeObject);
}

/** 400 for wrong types, 422 for findings of the schema or the definition. */
export function checkedBody<T extends KubeObject>(call: ResourceCall, definition: KindDefinition<T>, value: KubeObject): T {
  const { schema = {} } = definition.versions[0] ?? {};
  const context: AdmissionContext<T> = {
    operation: 'create',
    subresource: call.info.subresource,
    user: call.user,
    dryRun: false,
    now: call.now,
    config: () => undefined,
    warn: (message) => call.warnings.push(message),
  };
  const object = decodedBody(value, schema) as T;
  const structural = validateSchema(object, schema);
  if (structural.length === 0) definition.default?.(object, context);
  const errors = structural.length > 0 ? structural : (definition.validate?.(object, context) ?? []);
  if (errors.length > 0) throw invalid(definition.group, definition.kind, object.metadata.name ?? '', errors);
  return object;
}

/** The value held against the types of its schema alone. */
export function decodedBody(value: unknown, schema: Schema): KubeObject {
  try {
    return decode(value, schema).value as unknown as KubeObject;
  } catch (error) {
    throw error instanceof DecodeError ? badRequest(error.message, error) : error;
  }
}
