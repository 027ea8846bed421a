import { schemaName, type Schema } from '#apis/schema.ts';
import { jsonEqual } from '#apis/meta/equal.ts';
import { isObject, own, type JsonObject, type JsonValue } from './deep.ts';
import { emptySet, leaf, type FieldSet } from './field-set.ts';

/** How apply sees a value: as a whole, by member, or by item. */
export type Shape = 'leaf' | 'map' | 'list';

/** Lists without a list type and maps marked atomic are one field; so are scalars. Values no schema describes are maps of members. */
export function shapeOf(value: JsonValue | undefined, schema: Schema | undefined): Shape {
  if (isObject(value)) return schema?.['x-kubernetes-map-type'] === 'atomic' ? 'leaf' : 'map';
  if (!Array.isArray(value)) return 'leaf';
  const type = schema?.['x-kubernetes-list-type'];
  return type === 'map' || type === 'set' ? 'list' : 'leaf';
}

export function memberSchema(schema: Schema | undefined, key: string): Schema | undefined {
  const property = own(schema?.properties, key);
  if (property !== undefined) return property;
  return typeof schema?.additionalProperties === 'object' ? schema.additionalProperties : undefined;
}

/** True for a field the schema names, as opposed to an entry of a map. */
export function isNamedField(schema: Schema | undefined, key: string): boolean {
  return schema?.properties !== undefined && Object.hasOwn(schema.properties, key);
}

/** The path element of a list item: `v:…` in a set, `k:{…}` in a list map (missing keys take their default). */
export function itemElement(item: JsonValue, schema: Schema | undefined): string {
  if (schema?.['x-kubernetes-list-type'] !== 'map') return `v:${JSON.stringify(item)}`;
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  let text = '';
  for (const key of keys.length > 1 ? [...keys].sort() : keys) {
    const value = (isObject(item) ? own(item, key) : undefined) ?? own(schema.items?.properties, key)?.default;
    if (value !== undefined) text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${JSON.stringify(value)}`;
  }
  return `k:{${text}}`;
}

/** The fields an apply configuration names. */
export function fieldsOf(value: JsonObject, schema: Schema | undefined): FieldSet {
  return membersSet(value, schema, false);
}

function membersSet(value: JsonObject, schema: Schema | undefined, marksAll: boolean): FieldSet {
  const result: Record<string, FieldSet> = {};
  for (const key of Object.keys(value)) {
    const member = value[key] as JsonValue;
    const mark = marksAll || !isNamedField(schema, key);
    const node = nodeOf(member, memberSchema(schema, key), mark, marksAll);
    if (node !== undefined) result[`f:${key}`] = node;
  }
  return result;
}

/** The node of a value; undefined when it holds no field at all (an empty list merged by item). */
function nodeOf(value: JsonValue, schema: Schema | undefined, mark: boolean, marksAll: boolean): FieldSet | undefined {
  const shape = shapeOf(value, schema);
  if (shape === 'leaf') return leaf;
  let inner: FieldSet;
  if (shape === 'map') {
    inner = membersSet(value as JsonObject, schema, marksAll);
    for (const _ in inner) return mark ? { '.': leaf, ...inner } : inner;
    return leaf;
  }
  inner = itemsSet(value as JsonValue[], schema, marksAll);
  for (const _ in inner) return mark ? { '.': leaf, ...inner } : inner;
  return mark ? leaf : undefined;
}

function itemsSet(list: readonly JsonValue[], schema: Schema | undefined, marksAll: boolean): FieldSet {
  const result: Record<string, FieldSet> = {};
  for (const item of list) {
    const node = nodeOf(item, schema?.items, true, marksAll) ?? leaf;
    result[itemElement(item, schema)] = node;
  }
  return result;
}

/** What changed from one object to the next. */
export interface Comparison {
  /** Paths added or given another value. */
  readonly changed: FieldSet;
  readonly removed: FieldSet;
}

/** Undefined where nothing changed. Only the parts that differ are looked at twice. */
export function compareFields(before: JsonObject, after: JsonObject, schema: Schema | undefined): Comparison | undefined {
  const result = { changed: emptySet, removed: emptySet };
  compareMaps(before, after, schema, result);
  return result.changed === emptySet && result.removed === emptySet ? undefined : result;
}

interface MutableComparison {
  changed: FieldSet;
  removed: FieldSet;
}

function compareMaps(before: JsonObject, after: JsonObject, schema: Schema | undefined, out: MutableComparison): void {
  for (const key of Object.keys(after)) {
    const [old, now] = [own(before, key), after[key] as JsonValue];
    if (old !== now) compareMembers(`f:${key}`, old, now, memberSchema(schema, key), out);
  }
  for (const key of Object.keys(before))
    if (before[key] !== undefined && !Object.hasOwn(after, key))
      compareMembers(`f:${key}`, before[key], undefined, memberSchema(schema, key), out);
}

function compareMembers(
  element: string,
  old: JsonValue | undefined,
  now: JsonValue | undefined,
  schema: Schema | undefined,
  out: MutableComparison,
): void {
  if (now === undefined) {
    if (old !== undefined) out.removed = withElement(out.removed, element, nodeOf(old, schema, true, true) ?? leaf);
    return;
  }
  if (old === undefined) {
    out.changed = withElement(out.changed, element, nodeOf(now, schema, true, true) ?? leaf);
    return;
  }
  const shape = shapeOf(now, schema);
  if (shape === 'leaf' || shapeOf(old, schema) !== shape) {
    if (!jsonEqual(old, now)) out.changed = withElement(out.changed, element, leaf);
    return;
  }
  const inner = { changed: emptySet, removed: emptySet };
  if (shape === 'map') compareMaps(old as JsonObject, now as JsonObject, schema, inner);
  else compareLists(old as JsonValue[], now as JsonValue[], schema, inner);
  if (inner.changed !== emptySet) out.changed = withElement(out.changed, element, inner.changed);
  if (inner.removed !== emptySet) out.removed = withElement(out.removed, element, inner.removed);
}

function compareLists(before: readonly JsonValue[], after: readonly JsonValue[], schema: Schema | undefined, out: MutableComparison): void {
  const old = new Map<string, JsonValue>();
  for (const item of before) old.set(itemElement(item, schema), item);
  const seen = new Set<string>();
  for (const item of after) {
    const element = itemElement(item, schema);
    if (seen.has(element)) continue;
    seen.add(element);
    const was = old.get(element);
    if (was !== item) compareMembers(element, was, item, schema?.items, out);
  }
  for (const [element, item] of old) if (!seen.has(element)) compareMembers(element, item, undefined, schema?.items, out);
}

function withElement(set: FieldSet, element: string, node: FieldSet): FieldSet {
  if (set === emptySet) return { [element]: node };
  (set as Record<string, FieldSet>)[element] = node;
  return set;
}

const untrackedMeta = new Set([
  'name',
  'namespace',
  'creationTimestamp',
  'selfLink',
  'uid',
  'generation',
  'managedFields',
  'resourceVersion',
]);

/** The object without what nobody owns: its type, its identity and what the server alone writes. */
export function trackable(object: JsonObject): JsonObject {
  const { apiVersion: _version, kind: _kind, metadata, ...rest } = object;
  if (!isObject(metadata)) return rest;
  const kept: JsonObject = {};
  let any = false;
  for (const key of Object.keys(metadata)) {
    if (untrackedMeta.has(key)) continue;
    kept[key] = metadata[key] as JsonValue;
    any = true;
  }
  return any ? { metadata: kept, ...rest } : rest;
}

/** Kubernetes' own kinds are Go structs in its API server, all others (custom ones, also Knative's) are maps. */
export function isGoType(schema: Schema): boolean {
  return schema[schemaName]?.startsWith('io.k8s.') === true;
}

/**
 * What is there before a create: metadata, and in built-in kinds the structs and lists that Go always writes, because they have no way of
 * being absent. Whoever fills these owns what is inside, not the struct itself.
 */
export function zeroOf(schema: Schema): JsonObject {
  return isGoType(schema) ? { ...zeroMembers(schema), metadata: {} } : { metadata: {} };
}

function zeroMembers(schema: Schema): JsonObject {
  const zero: JsonObject = {};
  for (const [key, property] of Object.entries(schema.properties ?? {})) {
    const isStruct = property.properties !== undefined && isObject(property.default);
    if (isStruct) zero[key] = zeroMembers(property);
    else if (property.type === 'array' && schema.required?.includes(key) === true) zero[key] = [];
  }
  return zero;
}
