import { setOwn, type JsonObject, type JsonValue } from '#machinery/deep.ts';

/** What the far end of a wire would see of `value`: a private copy, without undefined properties. */
export function jsonCopy<T>(value: T): T {
  return copy(value as JsonValue) as T;
}

function copy(value: JsonValue | undefined): JsonValue {
  if (value === undefined) return null;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(copy);
  const object: JsonObject = {};
  for (const [key, part] of Object.entries(value as Record<string, JsonValue | undefined>)) {
    if (part !== undefined) setOwn(object, key, copy(part));
  }
  return object;
}
