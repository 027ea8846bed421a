import { isObject, own } from './deep.ts';
import { compareQuantities, tryParseQuantity } from '#apis/meta/quantity.ts';
import type { Schema } from '#apis/schema.ts';

/**
 * Equality as apiequality.Semantic.DeepEqual sees it: absent, null, empty list and empty object are one; with a schema,
 * quantities compare by value (`1` = `1000m`).
 */
export function semanticEqual(a: unknown, b: unknown, schema?: Schema): boolean {
  if (a === b) return true;
  const noA = isEmpty(a);
  if (noA || isEmpty(b)) return noA && isEmpty(b);
  if (schema?.format === 'quantity') return quantitiesEqual(a, b);
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    return a.every((item, index) => semanticEqual(item, b[index], schema?.items));
  }
  if (!isObject(a) || !isObject(b)) return false;
  const values = typeof schema?.additionalProperties === 'object' ? schema.additionalProperties : undefined;
  for (const key of Object.keys(a)) if (!semanticEqual(a[key], own(b, key), own(schema?.properties, key) ?? values)) return false;
  for (const key of Object.keys(b)) if (!Object.hasOwn(a, key) && !isEmpty(b[key])) return false;
  return true;
}

/** Nothing, or a list or object that holds nothing but such. */
function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  if (Array.isArray(value)) return value.length === 0;
  if (!isObject(value)) return false;
  for (const key of Object.keys(value)) if (!isEmpty(value[key])) return false;
  return true;
}

function quantitiesEqual(a: unknown, b: unknown): boolean {
  const [left, right] = [tryParseQuantity(a), tryParseQuantity(b)];
  return left !== undefined && right !== undefined && compareQuantities(left, right) === 0;
}
