import { isObject, type JsonObject } from './deep.ts';

/**
 * A set of field paths in the form of FieldsV1: a tree of path elements, `f:name`, `k:{"name":"x"}` (item of a list map),
 * `v:"x"` (item of a set) and `i:0`. A path is in the set when its node is empty or holds `.`. The root is no path.
 *
 * All operations leave their arguments as they are and return one of them where nothing changes, so that "did it change?" is
 * an identity check.
 */
export interface FieldSet {
  readonly [element: string]: FieldSet;
}

export const emptySet: FieldSet = Object.freeze({});
/** A node of a path that is in the set and has nothing below. */
export const leaf: FieldSet = emptySet;

export function isEmptySet(set: FieldSet): boolean {
  for (const _ in set) return false;
  return true;
}

/** True when the path of this node is in the set. */
export function isMember(node: FieldSet): boolean {
  return '.' in node || isEmptySet(node);
}

/** Paths of either set. */
export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b || isEmptySet(b)) return a;
  return isEmptySet(a) ? b : unionChildren(a, b, false);
}

function unionNodes(a: FieldSet, b: FieldSet): FieldSet {
  return a === b ? a : unionChildren(a, b, isMember(a) || isMember(b));
}

function unionChildren(a: FieldSet, b: FieldSet, member: boolean): FieldSet {
  let result: Record<string, FieldSet> | undefined;
  for (const element in b) {
    if (element === '.') continue;
    const before = a[element];
    const after = before === undefined ? (b[element] as FieldSet) : unionNodes(before, b[element] as FieldSet);
    if (after !== before) (result ??= { ...a })[element] = after;
  }
  const merged = result ?? a;
  return member && !isMember(merged) ? { '.': leaf, ...merged } : merged;
}

/** Paths of `a` that are not in `b`. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  return isEmptySet(b) ? a : (differenceNodes(a, b, false, false) ?? emptySet);
}

/** Undefined when nothing is left of the node. */
function differenceNodes(a: FieldSet, b: FieldSet, inA: boolean, inB: boolean): FieldSet | undefined {
  let result: Record<string, FieldSet> | undefined;
  for (const element in b) {
    const before = element === '.' ? undefined : a[element];
    if (before === undefined) continue;
    const other = b[element] as FieldSet;
    const after = differenceNodes(before, other, isMember(before), isMember(other));
    if (after === before) continue;
    result ??= { ...a };
    if (after === undefined) delete result[element];
    else result[element] = after;
  }
  const keeps = inA && !inB;
  if (inA && inB && '.' in a) delete (result ??= { ...a })['.'];
  const left = result ?? a;
  if (!isEmptySet(left)) return onlyMark(left) ? leaf : left;
  return keeps ? leaf : undefined;
}

function onlyMark(node: FieldSet): boolean {
  for (const element in node) if (element !== '.') return false;
  return true;
}

/** Paths in both sets; undefined for none. */
export function intersection(a: FieldSet, b: FieldSet): FieldSet | undefined {
  return intersectNodes(a, b, false);
}

function intersectNodes(a: FieldSet, b: FieldSet, member: boolean): FieldSet | undefined {
  let result: Record<string, FieldSet> | undefined;
  for (const element in a) {
    const other = element === '.' ? undefined : b[element];
    if (other === undefined) continue;
    const mine = a[element] as FieldSet;
    const both = intersectNodes(mine, other, isMember(mine) && isMember(other));
    if (both !== undefined) (result ??= {})[element] = both;
  }
  if (result === undefined) return member ? leaf : undefined;
  return member ? { '.': leaf, ...result } : result;
}

export function setsEqual(a: FieldSet, b: FieldSet): boolean {
  if (a === b) return true;
  let count = 0;
  for (const element in a) {
    const other = b[element];
    if (other === undefined || !setsEqual(a[element] as FieldSet, other)) return false;
    count += 1;
  }
  for (const _ in b) count -= 1;
  return count === 0;
}

/** Every path of the set as Kubernetes prints it: `.spec.containers[name="a"].image`. */
export function pathsOf(set: FieldSet): string[] {
  const paths: string[] = [];
  const walk = (node: FieldSet, path: string): void => {
    for (const element in node) {
      if (element === '.') continue;
      const inner = node[element] as FieldSet;
      const innerPath = path + elementText(element);
      if (isMember(inner)) paths.push(innerPath);
      walk(inner, innerPath);
    }
  };
  walk(set, '');
  return paths;
}

function elementText(element: string): string {
  const body = element.slice(2);
  switch (element[0]) {
    case 'f':
      return `.${body}`;
    case 'v':
      return `[=${body}]`;
    case 'k': {
      const keys = Object.entries(JSON.parse(body) as JsonObject);
      return `[${keys.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(',')}]`;
    }
    default:
      return `[${body}]`;
  }
}

const maxDepth = 400;

/** True for a well-formed tree; what clients send as FieldsV1 is checked before it is used. */
export function isFieldSet(value: unknown, depth = 0): value is FieldSet {
  if (!isObject(value) || depth > maxDepth) return false;
  for (const key of Object.keys(value)) if (!isElement(key) || !isFieldSet(value[key], depth + 1)) return false;
  return true;
}

function isElement(text: string): boolean {
  if (text === '.' || text.startsWith('f:')) return true;
  if (/^i:\d+$/.test(text)) return true;
  if (!text.startsWith('k:') && !text.startsWith('v:')) return false;
  try {
    const parsed: unknown = JSON.parse(text.slice(2));
    return text.startsWith('v:') || isObject(parsed);
  } catch {
    return false;
  }
}
