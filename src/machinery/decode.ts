import { objectMetaSchema } from '#apis/meta/object.ts';
import { badRequest, type StatusError } from '#apis/meta/status.ts';
import type { Schema } from '#apis/schema.ts';
import { summarizeBody } from './body.ts';
import { deepClone, isObject, type JsonObject, type JsonValue } from './deep.ts';
import { decodeScalar, DecodeError, goTypeName, jsonTypeName, restoringText, structName, zeroValue } from './go-types.ts';

export { DecodeError };

export interface DecodeOptions {
  /** Custom resources: wrong types are left for `validateSchema` to report. Built-in kinds: they throw, as Go's decoder does. */
  readonly custom?: boolean;
  /** Fill schema defaults (default true). Off for apply configurations, where a default must not become owned. */
  readonly defaults?: boolean;
}

export interface Decoded {
  /** A new object; the given one is left as it was. */
  readonly value: JsonObject;
  /** `unknown field "spec.foo"` for everything pruned, at most 100. */
  readonly strictErrors: readonly string[];
}

const maxStrictErrors = 100;
const maxDepth = 500;

/**
 * Makes an incoming object fit its schema in one pass: prunes what the schema does not know, checks types, drops nulls that
 * mean nothing, fills defaults. `apiVersion`, `kind` and `metadata` are kept at the root and in embedded resources.
 * Throws DecodeError with Go's text; `decodeFailure` makes it the 400 of kube-apiserver.
 */
export function decode(value: unknown, schema: Schema, options: DecodeOptions = {}): Decoded {
  const decoder = new Decoder(options.custom === true, options.defaults !== false);
  if (!isObject(value)) {
    throw new DecodeError(`json: cannot unmarshal ${jsonTypeName(value)} into Go value of type ${goTypeName(schema)}`);
  }
  return { value: decoder.object(value, schema, true), strictErrors: decoder.strictErrors };
}

class Decoder {
  readonly strictErrors: string[] = [];
  #custom: boolean;
  readonly #defaults: boolean;
  /** Field names and list indexes down to the value at hand, for messages alone. */
  readonly #path: (string | number)[] = [];
  /** The struct fields among them: Go's messages leave out indexes and map keys. */
  readonly #fields: string[] = [];
  #owner = '';

  constructor(custom: boolean, defaults: boolean) {
    this.#custom = custom;
    this.#defaults = defaults;
  }

  /** The value as it is to be stored; undefined when it is to be dropped. */
  #value(value: JsonValue, schema: Schema): JsonValue | undefined {
    if (value === null) return this.#custom || schema.nullable === true ? null : undefined;
    if (schema.type === 'object' || schema.properties !== undefined) {
      if (isObject(value)) return this.object(value, schema, schema['x-kubernetes-embedded-resource'] === true);
    } else if (schema.type === 'array') {
      if (Array.isArray(value)) return this.#list(value, schema);
    } else if (schema.type === undefined && schema['x-kubernetes-int-or-string'] !== true) {
      return this.#untyped(value, schema);
    } else if (this.#custom) {
      return value;
    } else {
      const scalar = decodeScalar(value, schema);
      if (scalar !== undefined) return scalar;
    }
    if (this.#custom) return value;
    throw this.#mismatch(value, schema);
  }

  /** Without a type: custom schemas may still say what is inside; anything else is kept whole. */
  #untyped(value: JsonValue, schema: Schema): JsonValue {
    if (isObject(value) && schema['x-kubernetes-embedded-resource'] === true) return this.object(value, schema, true);
    return value;
  }

  object(value: JsonObject, schema: Schema, isResource: boolean): JsonObject {
    if (this.#path.length > maxDepth) throw new DecodeError('exceeded max depth');
    const properties = schema.properties;
    const others = schema.additionalProperties;
    const keepsUnknown = schema['x-kubernetes-preserve-unknown-fields'] === true || others === true;
    const owner = this.#owner;
    if (properties !== undefined) this.#owner = structName(schema);
    const result: JsonObject = {};
    for (const key in value) {
      if (!Object.hasOwn(value, key)) continue;
      const member = value[key] as JsonValue;
      let inner = properties !== undefined && Object.hasOwn(properties, key) ? properties[key] : undefined;
      if (isResource) inner = resourceField(key, inner);
      inner ??= typeof others === 'object' ? others : undefined;
      if (inner === undefined || key === '__proto__') {
        if (keepsUnknown && key !== '__proto__') result[key] = member;
        else this.#unknown(key);
        continue;
      }
      const inMap = properties === undefined && !isResource;
      this.#path.push(key);
      if (!inMap) this.#fields.push(key);
      const decoded = isResource && key === 'metadata' ? this.#metadata(member, inner) : this.#member(member, inner, inMap);
      this.#path.pop();
      if (!inMap) this.#fields.pop();
      if (decoded !== undefined) result[key] = decoded;
    }
    if (this.#defaults && properties !== undefined) this.#fillDefaults(result, schema);
    this.#owner = owner;
    return result;
  }

  #member(value: JsonValue, schema: Schema, inMap: boolean): JsonValue | undefined {
    return value === null ? this.#nullMember(schema, inMap) : this.#value(value, schema);
  }

  /** Metadata is typed in every kind. */
  #metadata(value: JsonValue, schema: Schema): JsonValue | undefined {
    const custom = this.#custom;
    this.#custom = false;
    const decoded = this.#member(value, schema, false);
    this.#custom = custom;
    return decoded;
  }

  /** A null member: kept where allowed, else gone, so that a default can take its place; in a built-in map, the zero value. */
  #nullMember(schema: Schema, inMap: boolean): JsonValue | undefined {
    if (schema.nullable === true || isAnything(schema)) return this.#custom || isAnything(schema) ? null : undefined;
    return inMap && !this.#custom ? zeroValue(schema) : undefined;
  }

  #list(value: readonly JsonValue[], schema: Schema): JsonValue[] {
    const items = schema.items;
    if (items === undefined) return [...value];
    const result: JsonValue[] = [];
    for (const [index, item] of value.entries()) {
      this.#path.push(index);
      const decoded = this.#value(item, items);
      result.push(decoded === undefined ? zeroValue(items) : decoded);
      this.#path.pop();
    }
    return result;
  }

  #fillDefaults(object: JsonObject, schema: Schema): void {
    for (const [key, property] of defaultsOf(schema)) {
      if (Object.hasOwn(object, key)) continue;
      this.#path.push(key);
      object[key] = this.#value(deepClone(property.default) as JsonValue, property) ?? null;
      this.#path.pop();
    }
  }

  #unknown(key: string): void {
    if (this.strictErrors.length >= maxStrictErrors) return;
    this.#path.push(key);
    this.strictErrors.push(`unknown field "${pathText(this.#path)}"`);
    this.#path.pop();
  }

  #mismatch(value: JsonValue, schema: Schema): DecodeError {
    const field = `${this.#owner}.${this.#fields.join('.')}`;
    const text = `json: cannot unmarshal ${jsonTypeName(value, schema)} into Go struct field ${field} of type ${goTypeName(schema)}`;
    return new DecodeError(text, undefined, restoringText(value, schema));
  }
}

const stringSchema: Schema = { type: 'string' };

/** What every resource has, whatever its schema says; custom schemas leave metadata open. */
function resourceField(key: string, declared: Schema | undefined): Schema | undefined {
  if (key === 'metadata')
    return declared?.properties === undefined || !('managedFields' in declared.properties) ? objectMetaSchema : declared;
  if (key === 'apiVersion' || key === 'kind') return declared ?? stringSchema;
  return declared;
}

function isAnything(schema: Schema): boolean {
  return schema.type === undefined && schema['x-kubernetes-preserve-unknown-fields'] === true;
}

const defaultsCache = new WeakMap<Schema, readonly (readonly [string, Schema])[]>();

function defaultsOf(schema: Schema): readonly (readonly [string, Schema])[] {
  let defaults = defaultsCache.get(schema);
  if (defaults === undefined) {
    defaults = Object.entries(schema.properties ?? {}).filter(([, property]) => property.default !== undefined);
    defaultsCache.set(schema, defaults);
  }
  return defaults;
}

/** `spec.containers[0].name`. */
function pathText(path: readonly (string | number)[]): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else text += text === '' ? part : `.${part}`;
  }
  return text;
}

/** The text of `fieldValidation=Strict` for its findings. */
export function strictDecodingError(errors: readonly string[]): DecodeError {
  return new DecodeError(`strict decoding error: ${errors.join(', ')}`);
}

/**
 * The 400 of kube-apiserver for a body that cannot be taken. With a readable kind in the body: `Foo in version "v1" cannot
 * be handled as a Deployment: …`; without: `the object provided is unrecognized (must be of type Deployment): …`.
 */
export function decodeFailure(
  error: Error,
  expectedKind: string,
  given: { version: string; kind: string } | undefined,
  body: Uint8Array,
): StatusError {
  if (given !== undefined && given.kind !== '')
    return badRequest(
      `${given.kind} in version ${JSON.stringify(given.version)} cannot be handled as a ${expectedKind}: ${error.message}`,
      error,
    );
  return badRequest(
    `the object provided is unrecognized (must be of type ${expectedKind}): ${error.message} (${summarizeBody(body)})`,
    error,
  );
}
