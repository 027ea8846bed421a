import {
  fieldDuplicate,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  fieldTooLong,
  fieldTooMany,
  fieldTypeInvalid,
  type FieldError,
} from '#apis/meta/field-error.ts';
import type { Schema } from '#apis/schema.ts';
import { jsonEqual } from '#apis/meta/equal.ts';
import { isObject, own, stableStringify, type JsonObject, type JsonValue } from './deep.ts';
import { formatProblem } from './formats.ts';
import { compiledPattern } from './patterns.ts';

const maxErrors = 100;

/**
 * Findings of an object against its structural schema, in the wording kube-apiserver uses for custom resources; at most 100.
 * Expects what `decode` returned (bounded depth, nulls settled).
 */
export function validateSchema(value: unknown, schema: Schema, path = ''): FieldError[] {
  const errors: FieldError[] = [];
  check(value as JsonValue, schema, path, errors);
  return errors;
}

function check(value: JsonValue, schema: Schema, path: string, errors: FieldError[]): void {
  if (errors.length >= maxErrors) return;
  if (value === null && (schema.nullable === true || isOpen(schema))) return;
  if (!hasType(value, schema)) {
    const given = typeName(value);
    errors.push(fieldTypeInvalid(path, given, `${body(path)} must be of type ${expectedType(schema)}: ${JSON.stringify(given)}`));
    return;
  }
  if (schema.enum !== undefined && !schema.enum.some((one) => jsonEqual(one, value))) {
    const texts = schema.enum.map((one) => (typeof one === 'string' ? one : JSON.stringify(one)));
    errors.push(fieldNotSupported(path, value, texts));
  }
  if (typeof value === 'string') checkString(value, schema, path, errors);
  else if (typeof value === 'number') checkNumber(value, schema, path, errors);
  else if (Array.isArray(value)) checkList(value, schema, path, errors);
  else if (isObject(value)) checkObject(value, schema, path, errors);
  if (schema.allOf !== undefined || schema.anyOf !== undefined || schema.oneOf !== undefined || schema.not !== undefined)
    checkLogic(value, schema, path, errors);
}

function isOpen(schema: Schema): boolean {
  return schema.type === undefined && schema['x-kubernetes-int-or-string'] !== true;
}

function hasType(value: JsonValue, schema: Schema): boolean {
  if (schema['x-kubernetes-int-or-string'] === true)
    return typeof value === 'string' || Number.isInteger(value) || (schema.format === 'quantity' && typeof value === 'number');
  switch (schema.type) {
    case 'object':
      return isObject(value);
    case 'array':
      return Array.isArray(value);
    case 'integer':
      return Number.isInteger(value);
    case undefined:
      return true;
    default:
      return typeof value === schema.type;
  }
}

function expectedType(schema: Schema): string {
  return schema['x-kubernetes-int-or-string'] === true ? 'integer,string' : (schema.type ?? 'object');
}

function typeName(value: JsonValue): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (Number.isInteger(value)) return 'integer';
  return typeof value;
}

/** How messages name the place: `spec.x in body`. */
function body(path: string): string {
  return `${path} in body`;
}

function checkString(value: string, schema: Schema, path: string, errors: FieldError[]): void {
  const { minLength, maxLength, pattern, format } = schema;
  if (maxLength !== undefined && value.length > maxLength && Array.from(value).length > maxLength)
    errors.push(fieldTooLong(path, maxLength));
  if (minLength !== undefined && (value.length < minLength || Array.from(value).length < minLength))
    errors.push(fieldInvalid(path, value, `${body(path)} should be at least ${minLength} chars long`));
  if (pattern !== undefined && compiledPattern(pattern)?.test(value) === false)
    errors.push(fieldInvalid(path, value, `${body(path)} should match '${pattern}'`));
  if (format !== undefined && formatProblem(value, format))
    errors.push(fieldTypeInvalid(path, value, `${body(path)} must be of type ${format}: ${JSON.stringify(value)}`));
}

function checkNumber(value: number, schema: Schema, path: string, errors: FieldError[]): void {
  const { minimum, maximum, multipleOf, format } = schema;
  const says = (text: string): void => void errors.push(fieldInvalid(path, value, `${body(path)} ${text}`));
  if (maximum !== undefined && (schema.exclusiveMaximum === true ? value >= maximum : value > maximum))
    says(`should be less than ${schema.exclusiveMaximum === true ? '' : 'or equal to '}${maximum}`);
  if (minimum !== undefined && (schema.exclusiveMinimum === true ? value <= minimum : value < minimum))
    says(`should be greater than ${schema.exclusiveMinimum === true ? '' : 'or equal to '}${minimum}`);
  if (multipleOf !== undefined && multipleOf > 0 && !Number.isInteger(value / multipleOf)) says(`should be a multiple of ${multipleOf}`);
  if (format === 'int32' && (value > 2147483647 || value < -2147483648)) says('must be of type int32');
}

function checkList(value: readonly JsonValue[], schema: Schema, path: string, errors: FieldError[]): void {
  const { minItems, maxItems, items } = schema;
  if (maxItems !== undefined && value.length > maxItems) errors.push(fieldTooMany(path, value.length, maxItems));
  if (minItems !== undefined && value.length < minItems)
    errors.push(fieldInvalid(path, value.length, `${body(path)} should have at least ${minItems} items`));
  if (schema.uniqueItems === true && duplicateIndexes(value, (item) => stableStringify(item)).length > 0)
    errors.push(fieldInvalid(path, '', `${body(path)} shouldn't contain duplicates`));
  const listType = schema['x-kubernetes-list-type'];
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  if (listType === 'set') {
    for (const index of duplicateIndexes(value, stableStringify)) errors.push(fieldDuplicate(`${path}[${index}]`, value[index]));
  } else if (listType === 'map') {
    const keyOf = (item: JsonValue): string => JSON.stringify(itemKeys(item, keys, items));
    for (const index of duplicateIndexes(value, keyOf)) {
      errors.push(fieldDuplicate(`${path}[${index}]`, itemKeys(value[index] as JsonValue, keys, items)));
    }
  }
  if (items === undefined) return;
  for (const [index, item] of value.entries()) check(item, items, `${path}[${index}]`, errors);
}

function itemKeys(item: JsonValue, keys: readonly string[], schema: Schema | undefined): JsonObject {
  const result: JsonObject = {};
  for (const key of keys) {
    const value = (isObject(item) ? own(item, key) : undefined) ?? (own(schema?.properties, key)?.default as JsonValue | undefined);
    if (value !== undefined) result[key] = value;
  }
  return result;
}

function duplicateIndexes(list: readonly JsonValue[], keyOf: (item: JsonValue) => string): number[] {
  if (list.length < 2) return [];
  const seen = new Set<string>();
  const found: number[] = [];
  for (const [index, item] of list.entries()) {
    const key = keyOf(item);
    if (seen.has(key)) found.push(index);
    seen.add(key);
  }
  return found;
}

function checkObject(value: JsonObject, schema: Schema, path: string, errors: FieldError[]): void {
  const { required, properties, additionalProperties, minProperties, maxProperties } = schema;
  if (maxProperties !== undefined || minProperties !== undefined) {
    const count = Object.keys(value).length;
    if (maxProperties !== undefined && count > maxProperties) errors.push(fieldTooMany(path, count, maxProperties));
    if (minProperties !== undefined && count < minProperties)
      errors.push(fieldInvalid(path, count, `${body(path)} should have at least ${minProperties} properties`));
  }
  if (required !== undefined) for (const key of required) if (!Object.hasOwn(value, key)) errors.push(fieldRequired(child(path, key)));
  if (schema['x-kubernetes-embedded-resource'] === true) {
    for (const key of ['apiVersion', 'kind'])
      if (typeof value[key] !== 'string' || value[key] === '') errors.push(fieldRequired(child(path, key), 'must not be empty'));
  }
  if (properties === undefined && typeof additionalProperties !== 'object') return;
  for (const key in value) {
    if (!Object.hasOwn(value, key)) continue;
    const inner =
      properties !== undefined && Object.hasOwn(properties, key)
        ? properties[key]
        : typeof additionalProperties === 'object'
          ? additionalProperties
          : undefined;
    if (inner !== undefined) check(value[key] as JsonValue, inner, child(path, key), errors);
  }
}

function child(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}

function checkLogic(value: JsonValue, schema: Schema, path: string, errors: FieldError[]): void {
  const says = (text: string): void => void errors.push(fieldInvalid(path, '', `${JSON.stringify(path)} must ${text}`));
  const valid = (one: Schema): boolean => validateSchema(value, one, path).length === 0;
  if (schema.anyOf !== undefined && schema.anyOf.length > 0 && !schema.anyOf.some(valid)) says('validate at least one schema (anyOf)');
  if (schema.oneOf !== undefined && schema.oneOf.length > 0) {
    const count = schema.oneOf.filter(valid).length;
    if (count !== 1)
      says(`validate one and only one schema (oneOf). ${count === 0 ? 'Found none valid' : `Found ${count} valid alternatives`}`);
  }
  if (schema.allOf !== undefined) {
    const before = errors.length;
    const failed = schema.allOf.filter((one) => {
      const start = errors.length;
      check(value, one, path, errors);
      return errors.length > start;
    });
    if (errors.length > before) says(`validate all the schemas (allOf)${failed.length === schema.allOf.length ? '. None validated' : ''}`);
  }
  if (schema.not !== undefined && valid(schema.not)) says('not validate the schema (not)');
}
