import type { Schema } from '#apis/schema.ts';
import { jsonEqual } from '#apis/meta/equal.ts';
import { isObject, own, setOwn, type JsonObject, type JsonValue } from './deep.ts';
import { malformedPatch, mergeDoesNotApply } from './patch-errors.ts';

const directive = '$patch';
const retainKeys = '$retainKeys';
const setElementOrder = '$setElementOrder/';
const deleteFromPrimitiveList = '$deleteFromPrimitiveList/';

/**
 * The document with a strategic merge patch applied: lists with a merge strategy merge by key, in the order kubectl asks for;
 * everything else is a JSON merge. Neither argument changes. Throws 400 for malformed directives, 422 where keys are missing.
 */
export function applyStrategicMergePatch(document: JsonObject, patch: unknown, schema: Schema): JsonObject {
  if (!isObject(patch)) throw malformedPatch('a strategic merge patch must be an object');
  return mergeMaps(document, patch, schema);
}

interface ListStrategy {
  readonly merges: boolean;
  readonly mergeKey: string;
  readonly items: Schema | undefined;
}

function listStrategy(schema: Schema | undefined): ListStrategy {
  return {
    merges: strategies(schema).includes('merge'),
    mergeKey: schema?.['x-kubernetes-patch-merge-key'] ?? '',
    items: schema?.items,
  };
}

function strategies(schema: Schema | undefined): readonly string[] {
  return schema?.['x-kubernetes-patch-strategy']?.split(',') ?? [];
}

function memberSchema(schema: Schema | undefined, key: string): Schema | undefined {
  const property = own(schema?.properties, key);
  if (property !== undefined) return property;
  return typeof schema?.additionalProperties === 'object' ? schema.additionalProperties : undefined;
}

function mergeMaps(original: JsonObject, patch: JsonObject, schema: Schema | undefined): JsonObject {
  const kind = own(patch, directive);
  if (kind !== undefined) {
    if (kind === 'replace') return stripped(without(patch, [directive])) as JsonObject;
    if (kind === 'delete') return {};
    if (kind !== 'merge') throw malformedPatch(`unknown patch type found: ${JSON.stringify(kind)}`);
  }
  const result = retained(original, patch);
  const done = new Set<string>([directive, retainKeys]);
  for (const key of Object.keys(patch)) {
    if (!key.startsWith(setElementOrder)) continue;
    const name = key.slice(setElementOrder.length);
    done.add(key);
    if (orderList(result, name, patch, patch[key] as JsonValue, memberSchema(schema, name))) done.add(name);
  }
  for (const key of Object.keys(patch)) if (!done.has(key)) mergeMember(result, key, patch[key] as JsonValue, schema);
  return result;
}

function mergeMember(result: JsonObject, key: string, value: JsonValue, schema: Schema | undefined): void {
  if (key.startsWith(deleteFromPrimitiveList)) {
    const name = key.slice(deleteFromPrimitiveList.length);
    const list = own(result, name);
    if (!Array.isArray(value)) throw malformedPatch(`${key} must be a list`);
    if (Array.isArray(list))
      setOwn(
        result,
        name,
        list.filter((item) => !value.some((gone) => jsonEqual(gone, item))),
      );
    return;
  }
  if (value === null) {
    delete result[key];
    return;
  }
  const before = own(result, key);
  const inner = memberSchema(schema, key);
  if (isObject(value) && isObject(before)) {
    setOwn(result, key, strategies(inner).includes('replace') ? stripped(value) : mergeMaps(before, value, inner));
  } else if (Array.isArray(value)) {
    setOwn(result, key, Array.isArray(before) ? mergeListOrReplace(before, value, inner) : newList(value, inner));
  } else if (isObject(value)) {
    const kind = own(value, directive);
    if (kind !== 'delete') setOwn(result, key, mergeMaps({}, value, inner));
  } else setOwn(result, key, value);
}

/** What a patch's value becomes where the document has none: nulls and directives stand for nothing there. */
function stripped(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.filter((item) => !isObject(item) || own(item, directive) !== 'delete').map(stripped);
  if (!isObject(value)) return value;
  const result: JsonObject = {};
  for (const key of Object.keys(value)) {
    const member = value[key] as JsonValue;
    if (member === null || key === directive || key === retainKeys || isListDirective(key)) continue;
    setOwn(result, key, stripped(member));
  }
  return result;
}

function isListDirective(key: string): boolean {
  return key.startsWith(setElementOrder) || key.startsWith(deleteFromPrimitiveList);
}

function without(object: JsonObject, keys: readonly string[]): JsonObject {
  const result = { ...object };
  for (const key of keys) delete result[key];
  return result;
}

function retained(original: JsonObject, patch: JsonObject): JsonObject {
  const keep = own(patch, retainKeys);
  if (keep === undefined) return { ...original };
  const wrong = 'the patch contains an invalid $retainKeys list';
  if (!Array.isArray(keep) || !keep.every((key) => typeof key === 'string')) throw malformedPatch(wrong);
  for (const key of Object.keys(patch)) {
    if (key === directive || key === retainKeys || isListDirective(key)) continue;
    if (!keep.includes(key) && patch[key] !== null) throw malformedPatch(wrong);
  }
  const result: JsonObject = {};
  for (const key of Object.keys(original)) if (keep.includes(key)) setOwn(result, key, original[key] as JsonValue);
  return result;
}

function newList(patch: readonly JsonValue[], schema: Schema | undefined): JsonValue[] {
  const strategy = listStrategy(schema);
  if (!strategy.merges || strategy.mergeKey === '') return patch.map(stripped);
  return mergeLists([], patch, strategy);
}

function mergeListOrReplace(original: readonly JsonValue[], patch: readonly JsonValue[], schema: Schema | undefined): JsonValue[] {
  const strategy = listStrategy(schema);
  return strategy.merges ? mergeLists(original, patch, strategy) : patch.map(stripped);
}

function mergeLists(original: readonly JsonValue[], patch: readonly JsonValue[], strategy: ListStrategy): JsonValue[] {
  const { mergeKey } = strategy;
  if (mergeKey === '') {
    if (patch.some((item) => typeof item === 'object')) throw mergeDoesNotApply('cannot merge lists without merge key');
    const merged = distinct([...original, ...patch]);
    return inOrder(merged, patch, original, '');
  }
  const { kept, elements, replaces } = applyElementDirectives(original, patch, mergeKey);
  if (replaces) return elements.map(stripped);
  const merged = [...kept];
  for (const element of elements) {
    const key = own(element, mergeKey);
    if (key === undefined) throw mergeDoesNotApply(`map: ${JSON.stringify(element)} does not contain declared merge key: ${mergeKey}`);
    const at = merged.findIndex((item) => isObject(item) && jsonEqual(own(item, mergeKey), key));
    if (at === -1) merged.push(mergeMaps({}, element, strategy.items));
    else merged[at] = mergeMaps(merged[at] as JsonObject, element, strategy.items);
  }
  return inOrder(merged, elements, original, mergeKey);
}

function applyElementDirectives(
  original: readonly JsonValue[],
  patch: readonly JsonValue[],
  mergeKey: string,
): { kept: readonly JsonValue[]; elements: readonly JsonObject[]; replaces: boolean } {
  let kept = original;
  let replaces = false;
  const elements: JsonObject[] = [];
  for (const element of patch) {
    if (!isObject(element)) throw mergeDoesNotApply('the elements of a list merged by key must be objects');
    const kind = own(element, directive);
    if (kind === undefined) elements.push(element);
    else if (kind === 'replace') replaces = true;
    else if (kind === 'delete') {
      const key = own(element, mergeKey);
      if (key === undefined) throw mergeDoesNotApply(`map: ${JSON.stringify(element)} does not contain declared merge key: ${mergeKey}`);
      kept = kept.filter((item) => !isObject(item) || !jsonEqual(own(item, mergeKey), key));
    } else if (kind === 'merge') elements.push(without(element, [directive]));
    else throw malformedPatch(`unknown patch type found: ${JSON.stringify(kind)}`);
  }
  return { kept, elements, replaces };
}

function distinct(list: readonly JsonValue[]): JsonValue[] {
  const seen = new Set<string>();
  return list.filter((item) => {
    const text = JSON.stringify(item);
    return !seen.has(text) && seen.add(text);
  });
}

/** `$setElementOrder`: merges the list of the same name, if any, then orders it. False where there is no list at all. */
function orderList(result: JsonObject, name: string, patch: JsonObject, order: JsonValue, schema: Schema | undefined): boolean {
  if (!Array.isArray(order)) throw malformedPatch('the patch contains an invalid $setElementOrder list');
  const [before, change] = [own(result, name), own(patch, name)];
  if (change === null || (before === undefined && change === undefined)) return false;
  const original = Array.isArray(before) ? before : [];
  const strategy = listStrategy(schema);
  let merged: readonly JsonValue[] = original;
  if (Array.isArray(change)) {
    if (!strategy.merges) return false;
    merged = mergeLists(original, change, strategy);
  }
  setOwn(result, name, inOrder(merged, order, original, strategy.mergeKey));
  return true;
}

/**
 * Items named by `order` come in that order; the others, known to the server alone, keep their own order and stand before the
 * first named item that followed them on the server.
 */
function inOrder(merged: readonly JsonValue[], order: readonly JsonValue[], server: readonly JsonValue[], mergeKey: string): JsonValue[] {
  const rankIn = (list: readonly JsonValue[]): Map<string, number> => {
    const ranks = new Map<string, number>();
    for (const [index, item] of list.entries()) if (!ranks.has(identity(item, mergeKey))) ranks.set(identity(item, mergeKey), index);
    return ranks;
  };
  const wanted = rankIn(order);
  const known = rankIn(server);
  const rank = (ranks: Map<string, number>, item: JsonValue): number => ranks.get(identity(item, mergeKey)) ?? Number.MAX_SAFE_INTEGER;
  const named = merged.filter((item) => wanted.has(identity(item, mergeKey))).sort((a, b) => rank(wanted, a) - rank(wanted, b));
  const others = merged.filter((item) => !wanted.has(identity(item, mergeKey))).sort((a, b) => rank(known, a) - rank(known, b));
  const serverRank = (item: JsonValue): number => known.get(identity(item, mergeKey)) ?? -1;
  const result: JsonValue[] = [];
  let at = 0;
  for (const other of others) {
    const follows = named.findIndex((item, index) => index >= at && serverRank(other) >= 0 && serverRank(other) < serverRank(item));
    const end = follows === -1 ? named.length : follows;
    result.push(...named.slice(at, end), other);
    at = end;
  }
  return [...result, ...named.slice(at)];
}

function identity(item: JsonValue, mergeKey: string): string {
  return JSON.stringify(mergeKey !== '' && isObject(item) ? (own(item, mergeKey) ?? null) : item);
}
