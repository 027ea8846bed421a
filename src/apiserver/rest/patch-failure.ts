import { fieldInvalid, invalid } from '#apis/meta/field-error.ts';
import type { StatusError } from '#apis/meta/status.ts';
import { strategicPatchType } from '#apiserver/rest/patch-types.ts';
import { isObject, type JsonValue } from '#machinery/deep.ts';
import type { DecodeError } from '#machinery/decode.ts';

/**
 * The 422 of kube-apiserver for a patch whose result does not decode. It shows that result, or for a strategic merge, which
 * Kubernetes applies to typed objects, the patch itself as Go prints maps.
 */
export function patchUndecodable(type: string, patch: JsonValue, result: unknown, error: DecodeError): StatusError {
  const isStrategic = type === strategicPatchType;
  const shown = isStrategic ? goText(patch) : goJson(result);
  return invalid('', '', '', [fieldInvalid('patch', shown, isStrategic ? error.restoring : error.message)]);
}

/** JSON as Go writes it: safe inside HTML. */
function goJson(value: unknown): string {
  return JSON.stringify(value).replace(/[<>&]/g, (character) => `\\u00${character.charCodeAt(0).toString(16)}`);
}

/** A value as Go's `%v` prints it: `map[a:1 b:[x y]]`. */
function goText(value: JsonValue): string {
  if (Array.isArray(value)) return `[${value.map(goText).join(' ')}]`;
  if (!isObject(value)) return value === null ? '<nil>' : String(value);
  const members = Object.keys(value).sort();
  return `map[${members.map((key) => `${key}:${goText(value[key] as JsonValue)}`).join(' ')}]`;
}
