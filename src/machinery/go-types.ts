import { protobufScalar, schemaName, type Schema } from '#apis/schema.ts';
import type { JsonValue } from './deep.ts';
import { canonicalQuantity, QuantityError } from '#apis/meta/quantity.ts';

/** How built-in kinds read scalars and name types: the behaviour of Go's encoding/json that clients see in messages. */

/** A value that does not fit its type; the message is that of Go's decoder. */
export class DecodeError extends Error {
  /** The same as Kubernetes says it where it takes a map for the struct: in strategic merge patches. */
  readonly restoring: string;

  constructor(message: string, cause?: unknown, restoring = message) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'DecodeError';
    this.restoring = restoring;
  }
}

const int32Max = 2 ** 31 - 1;

/** The scalar as it is to be stored, undefined when its JSON type is wrong. Throws DecodeError for a bad text of the right type. */
export function decodeScalar(value: JsonValue, schema: Schema): JsonValue | undefined {
  if (schema['x-kubernetes-int-or-string'] === true) return intOrString(value, schema);
  switch (schema.type) {
    case 'string':
      if (typeof value !== 'string') return undefined;
      return schema[protobufScalar] === undefined ? value : specialString(value, schema);
    case 'integer':
      return isGoInteger(value, schema) ? value : undefined;
    case 'number':
      return typeof value === 'number' ? value : undefined;
    case 'boolean':
      return typeof value === 'boolean' ? value : undefined;
    default:
      return undefined;
  }
}

function isGoInteger(value: JsonValue, schema: Schema): boolean {
  if (!Number.isInteger(value)) return false;
  const size = Math.abs(value as number);
  return schema.format === 'int32' ? size <= int32Max || value === -int32Max - 1 : size < 2 ** 63;
}

function intOrString(value: JsonValue, schema: Schema): JsonValue | undefined {
  if (schema.format === 'quantity') return quantity(value);
  if (typeof value === 'string') return value;
  return Number.isInteger(value) && Math.abs(value as number) <= int32Max ? value : undefined;
}

/** Stored in its canonical form, whichever text came: `0.1` is `100m`. */
function quantity(value: JsonValue): string | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined;
  try {
    return canonicalQuantity(typeof value === 'string' ? value.trim() : value);
  } catch (error) {
    if (error instanceof QuantityError) throw new DecodeError(error.message, error);
    throw error;
  }
}

function specialString(value: string, schema: Schema): string {
  switch (schema[protobufScalar]) {
    case 'time':
      return goTime(value, false);
    case 'microTime':
      return goTime(value, true);
    case 'bytes':
      checkBase64(value);
      return value;
    default:
      return value;
  }
}

const canonicalTime = /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$/;
const rfc3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.(\d+))?(?:[Zz]|[+-]\d\d:\d\d)$/;

/** metav1.Time and MicroTime: RFC 3339, stored in UTC with whole seconds or microseconds. */
function goTime(value: string, micro: boolean): string {
  if (!micro && canonicalTime.test(value)) return value;
  const match = rfc3339.exec(value);
  const ms = match === null ? NaN : Date.parse(value);
  if (Number.isNaN(ms)) {
    const layout = micro ? '2006-01-02T15:04:05.000000Z07:00' : '2006-01-02T15:04:05Z07:00';
    throw new DecodeError(`parsing time ${JSON.stringify(value)} as "${layout}": cannot parse ${JSON.stringify(value)} as "2006"`);
  }
  const seconds = new Date(ms).toISOString().slice(0, 19);
  return micro ? `${seconds}.${(match?.[1] ?? '').slice(0, 6).padEnd(6, '0')}Z` : `${seconds}Z`;
}

function checkBase64(value: string): void {
  const text = value.replace(/[\r\n]/g, '');
  const bad = text.search(/[^A-Za-z0-9+/=]/);
  const padding = text.indexOf('=');
  if (bad === -1 && text.length % 4 === 0 && (padding === -1 || /^={1,2}$/.test(text.slice(padding)))) return;
  const at = bad === -1 ? (padding === -1 ? text.length - (text.length % 4) : padding) : bad;
  throw new DecodeError(`illegal base64 data at input byte ${at}`);
}

/** What Go calls a JSON value in messages; numbers that only miss the range show themselves. */
export function jsonTypeName(value: unknown, schema?: Schema): string {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'number') return schema?.type === 'integer' ? `number ${value}` : 'number';
  return value === null ? 'null' : typeof value;
}

/** What Kubernetes' converter of maps to structs says of a value that does not fit. */
export function restoringText(value: JsonValue, schema: Schema): string {
  const given = goKind(value);
  if (schema.type === 'array') return `cannot restore slice from ${given}`;
  if (typeof schema.additionalProperties === 'object') return `cannot restore map from ${given}`;
  if (schema.properties !== undefined) return `cannot restore struct from: ${given}`;
  const wanted = goTypeName(schema);
  const isConvertible = given === 'int64' ? wanted !== 'bool' : given === 'float64' && wanted.startsWith('int');
  return isConvertible ? `cannot convert ${given} to ${wanted}` : `unrecognized type: ${wanted}`;
}

function goKind(value: JsonValue): string {
  if (Array.isArray(value)) return 'slice';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int64' : 'float64';
  return typeof value === 'boolean' ? 'bool' : typeof value === 'string' ? 'string' : 'map';
}

/** `DeploymentSpec` of `io.k8s.api.apps.v1.DeploymentSpec`. */
export function structName(schema: Schema): string {
  const name = schema[schemaName] ?? '';
  return name.slice(name.lastIndexOf('.') + 1);
}

/** The Go type of a schema: `int32`, `[]v1.Container`, `map[string]string`. */
export function goTypeName(schema: Schema): string {
  if (schema['x-kubernetes-int-or-string'] === true) return schema.format === 'quantity' ? 'resource.Quantity' : 'intstr.IntOrString';
  switch (schema.type) {
    case 'integer':
      return schema.format === 'int32' ? 'int32' : 'int64';
    case 'number':
      return 'float64';
    case 'boolean':
      return 'bool';
    case 'string':
      return schema[protobufScalar] === 'bytes' ? '[]uint8' : 'string';
    case 'array':
      return `[]${schema.items === undefined ? 'interface {}' : goTypeName(schema.items)}`;
    default:
      if (typeof schema.additionalProperties === 'object') return `map[string]${goTypeName(schema.additionalProperties)}`;
      return (schema[schemaName] ?? 'map[string]interface {}').split('.').slice(-2).join('.');
  }
}

/** What Go makes of null where a value must stand: list elements and map values. */
export function zeroValue(schema: Schema): JsonValue {
  if (schema['x-kubernetes-int-or-string'] === true) return schema.format === 'quantity' ? '0' : 0;
  if (schema.type === 'string') return '';
  if (schema.type === 'integer' || schema.type === 'number') return 0;
  if (schema.type === 'boolean') return false;
  if (schema.type === 'array') return [];
  return schema.type === 'object' ? {} : null;
}
