export type JsonValue = string | number | boolean | null | JsonValue[] | JsonObject;
export interface JsonObject {
  [key: string]: JsonValue;
}

/** True for what JSON calls an object. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The own property, never one of Object.prototype: names come from clients. */
export function own<T>(object: Readonly<Record<string, T>> | undefined, key: string): T | undefined {
  return object !== undefined && Object.hasOwn(object, key) ? object[key] : undefined;
}

/** Sets an own property whatever its name; `__proto__` stays plain data. */
export function setOwn(object: JsonObject, key: string, value: JsonValue): void {
  if (key === '__proto__') Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
  else object[key] = value;
}

/** A copy of plain JSON that shares nothing with the original and is not frozen. */
export function deepClone<T>(value: T): T {
  return clone(value as JsonValue) as T;
}

function clone(value: JsonValue): JsonValue {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    const list: JsonValue[] = [];
    for (const item of value) list.push(clone(item));
    return list;
  }
  const object: JsonObject = {};
  for (const key of Object.keys(value)) setOwn(object, key, clone(value[key] as JsonValue));
  return object;
}

/** Freezes plain JSON all the way down; stops at what is frozen already, so shared parts cost nothing twice. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const item of Object.values(value)) deepFreeze(item);
  return value;
}

/** JSON with sorted keys: equal values give equal text. */
export function stableStringify(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => (isObject(item) ? sorted(item) : item)) ?? 'null';
}

function sorted(object: JsonObject): JsonObject {
  const result: JsonObject = {};
  for (const key of Object.keys(object).sort()) setOwn(result, key, object[key] as JsonValue);
  return result;
}
