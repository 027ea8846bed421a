import { isObject, own, setOwn, type JsonObject, type JsonValue } from './deep.ts';

/** The document with a JSON merge patch applied (RFC 7386); neither argument changes, the result may share their parts. */
export function applyMergePatch(document: JsonValue, patch: JsonValue): JsonValue {
  if (!isObject(patch)) return patch;
  const result: JsonObject = isObject(document) ? { ...document } : {};
  for (const key of Object.keys(patch)) {
    const value = patch[key] as JsonValue;
    if (value === null) delete result[key];
    else setOwn(result, key, isObject(value) ? applyMergePatch(own(result, key) ?? null, value) : value);
  }
  return result;
}

/** The smallest merge patch that makes `to` of `from`; undefined where they are equal. Objects must not hold nulls. */
export function createMergePatch(from: JsonObject, to: JsonObject): JsonObject | undefined {
  const patch: JsonObject = {};
  for (const key of Object.keys(from)) if (!Object.hasOwn(to, key)) setOwn(patch, key, null);
  for (const key of Object.keys(to)) {
    const [before, after] = [own(from, key), to[key] as JsonValue];
    if (isObject(before) && isObject(after)) {
      const inner = createMergePatch(before, after);
      if (inner !== undefined) setOwn(patch, key, inner);
    } else if (before === undefined || JSON.stringify(before) !== JSON.stringify(after)) setOwn(patch, key, after);
  }
  return Object.keys(patch).length === 0 ? undefined : patch;
}
