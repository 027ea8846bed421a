import type { Schema } from '#apis/schema.ts';
import { own, setOwn, type JsonObject, type JsonValue } from './deep.ts';
import { isNamedField, itemElement, memberSchema, shapeOf } from './field-paths.ts';
import { isMember, type FieldSet } from './field-set.ts';

/** The live object with an apply configuration laid over it; neither changes, the result shares their parts. */
export function mergeApplied(live: JsonObject, config: JsonObject, schema: Schema | undefined): JsonObject {
  const result: JsonObject = { ...live };
  for (const key of Object.keys(config)) {
    const [before, after] = [own(live, key), config[key] as JsonValue];
    setOwn(result, key, before === undefined ? after : mergeValues(before, after, memberSchema(schema, key)));
  }
  return result;
}

function mergeValues(before: JsonValue, after: JsonValue, schema: Schema | undefined): JsonValue {
  const shape = shapeOf(after, schema);
  if (shape === 'leaf' || shapeOf(before, schema) !== shape) return after;
  if (shape === 'map') return mergeApplied(before as JsonObject, after as JsonObject, schema);
  return mergeItems(before as JsonValue[], after as JsonValue[], schema);
}

/**
 * Items of both lists merge; the configuration's order wins among the items it names, and items only the live list has keep
 * their place before the named item they preceded.
 */
function mergeItems(live: readonly JsonValue[], config: readonly JsonValue[], schema: Schema | undefined): JsonValue[] {
  const keyed = (list: readonly JsonValue[]): [string, JsonValue][] => list.map((item) => [itemElement(item, schema), item]);
  const [left, right] = [keyed(live), keyed(config)];
  const liveItems = new Map(left);
  const configItems = new Set(right.map(([element]) => element));
  const shared = right.filter(([element]) => liveItems.has(element)).map(([element]) => element);
  const merged = new Set<string>();
  const result: JsonValue[] = [];
  let [l, r, nextShared] = [0, 0, 0];
  while (l < left.length || r < right.length) {
    const [leftElement, leftItem] = left[l] ?? [undefined, null];
    const [rightElement, rightItem] = right[r] ?? [undefined, null];
    if (leftElement !== undefined && (rightElement === undefined || leftElement !== rightElement)) {
      const known = configItems.has(leftElement);
      if (!known) result.push(leftItem);
      if (!known || merged.has(leftElement) || shared[nextShared] !== leftElement) {
        l += 1;
        continue;
      }
    }
    if (rightElement === undefined) break;
    const before = liveItems.get(rightElement);
    result.push(before === undefined ? rightItem : mergeValues(before, rightItem, schema?.items));
    merged.add(rightElement);
    if (before !== undefined) nextShared += 1;
    if (leftElement === rightElement) l += 1;
    r += 1;
  }
  return result;
}

/** The object without the fields of `last` that are in no set of `owned`; containers left empty by that go too. */
export function pruneUnowned(value: JsonObject, schema: Schema | undefined, last: FieldSet, owned: FieldSet): JsonObject {
  let result: JsonObject | undefined;
  for (const key of Object.keys(value)) {
    const mine = last[`f:${key}`];
    if (mine === undefined) continue;
    const theirs = owned[`f:${key}`];
    const named = isNamedField(schema, key);
    const before = value[key] as JsonValue;
    const after =
      has(mine, named) && !(theirs !== undefined && has(theirs, named))
        ? undefined
        : pruneValue(before, memberSchema(schema, key), mine, theirs ?? {});
    if (after === before) continue;
    result ??= { ...value };
    if (after === undefined) delete result[key];
    else result[key] = after;
  }
  return result ?? value;
}

/** Named fields count as owned with anything below them. */
function has(node: FieldSet, named: boolean): boolean {
  return named || isMember(node);
}

function pruneValue(value: JsonValue, schema: Schema | undefined, last: FieldSet, owned: FieldSet): JsonValue | undefined {
  const shape = shapeOf(value, schema);
  if (shape === 'map') {
    const after = pruneUnowned(value as JsonObject, schema, last, owned);
    return after !== value && Object.keys(after).length === 0 ? undefined : after;
  }
  if (shape === 'leaf') return value;
  const list = value as JsonValue[];
  const kept: JsonValue[] = [];
  let changed = false;
  for (const item of list) {
    const element = itemElement(item, schema);
    const [mine, theirs] = [last[element], owned[element]];
    if (mine !== undefined && isMember(mine) && !(theirs !== undefined && isMember(theirs))) {
      changed = true;
      continue;
    }
    const after = mine === undefined ? item : pruneValue(item, schema?.items, mine, theirs ?? {});
    changed ||= after !== item;
    if (after !== undefined) kept.push(after);
  }
  if (!changed) return value;
  return kept.length === 0 ? undefined : kept;
}

/** Why a configuration cannot be applied: two items of a list map or set that are the same. Undefined when fine. */
export function duplicateItem(value: JsonValue, schema: Schema | undefined, path = ''): string | undefined {
  const shape = shapeOf(value, schema);
  if (shape === 'map') {
    for (const [key, member] of Object.entries(value as JsonObject)) {
      const problem = duplicateItem(member, memberSchema(schema, key), `${path}.${key}`);
      if (problem !== undefined) return problem;
    }
  }
  if (shape !== 'list') return undefined;
  const seen = new Set<string>();
  for (const item of value as JsonValue[]) {
    const element = itemElement(item, schema);
    if (seen.has(element)) return `${path}: duplicate entries for key ${keyText(element)}`;
    seen.add(element);
    const problem = duplicateItem(item, schema?.items, `${path}${keyText(element)}`);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function keyText(element: string): string {
  if (element.startsWith('v:')) return `[=${element.slice(2)}]`;
  const keys = Object.entries(JSON.parse(element.slice(2)) as JsonObject);
  return `[${keys.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(',')}]`;
}
