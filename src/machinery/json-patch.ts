import { jsonEqual } from '#apis/meta/equal.ts';
import { deepClone, isObject, own, setOwn, type JsonObject, type JsonValue } from './deep.ts';
import { malformedPatch, patchDoesNotApply, patchTooLarge } from './patch-errors.ts';

const maxOperations = 10_000;
/** Bytes that `copy` may add in all, as in kube-apiserver: a few operations could double a document ten times over. */
const maxCopiedBytes = 3 * 1024 * 1024;

interface Operation {
  readonly op: string;
  readonly path: string;
  readonly from: string;
  readonly value: JsonValue | undefined;
}

/**
 * The document with a JSON patch applied (RFC 6902), all of it or nothing; the argument does not change. Throws 400 for what is
 * no patch, 413 beyond 10,000 operations, 422 for an operation that does not apply.
 */
export function applyJsonPatch(document: JsonValue, patch: unknown): JsonValue {
  const target: JsonObject = { '': deepClone(document) };
  const budget = { bytes: maxCopiedBytes };
  for (const operation of readOperations(patch)) applyOperation(target, operation, budget);
  return target[''] ?? null;
}

function readOperations(patch: unknown): Operation[] {
  if (!Array.isArray(patch)) {
    const kind = isObject(patch) ? 'object' : patch === null ? 'null' : typeof patch;
    throw malformedPatch(`error decoding patch: json: cannot unmarshal ${kind} into Go value of type []handlers.jsonPatchOp`);
  }
  if (patch.length > maxOperations)
    throw patchTooLarge(`The allowed maximum operations in a JSON patch is ${maxOperations}, got ${patch.length}`);
  return patch.map((one: unknown) => {
    if (!isObject(one)) throw malformedPatch('error decoding patch: every operation must be an object');
    const { op, path, from = '' } = one;
    if (typeof op !== 'string' || typeof path !== 'string' || typeof from !== 'string')
      throw malformedPatch('error decoding patch: an operation needs "op" and "path", both strings');
    return { op, path, from, value: own(one, 'value') };
  });
}

/** The document hangs below the empty name of `target`, so that its root is a place like any other. */
function applyOperation(target: JsonObject, operation: Operation, budget: { bytes: number }): void {
  const { op, path, from } = operation;
  switch (op) {
    case 'add':
      return add(target, path, valueOf(operation), op);
    case 'remove':
      remove(target, path, op);
      return;
    case 'replace':
      return replace(target, path, valueOf(operation));
    case 'move': {
      if (path.startsWith(`${from}/`)) throw patchDoesNotApply(`move operation does not apply: ${path} lies inside ${from}`);
      return add(target, path, remove(target, from, op), op);
    }
    case 'copy': {
      const value = read(target, from);
      if (value === undefined) throw patchDoesNotApply(`copy operation does not apply: doc is missing from path: "${from}": missing value`);
      budget.bytes -= JSON.stringify(value).length;
      if (budget.bytes < 0) throw patchTooLarge(`the copies of a JSON patch may add at most ${maxCopiedBytes} bytes`);
      return add(target, path, deepClone(value), op);
    }
    case 'test': {
      const expected = operation.value ?? null;
      if (!jsonEqual(read(target, path) ?? null, expected)) throw patchDoesNotApply(`testing value ${path} failed: test failed`);
      return;
    }
    default:
      throw patchDoesNotApply(`Unexpected kind: ${op}`);
  }
}

function valueOf({ op, path, value }: Operation): JsonValue {
  if (value === undefined) throw malformedPatch(`error decoding patch: the ${op} of ${path} needs a "value"`);
  return deepClone(value);
}

function segments(path: string): string[] {
  if (path !== '' && !path.startsWith('/')) throw patchDoesNotApply(`a path starts with "/": ${JSON.stringify(path)}`);
  return path.split('/').map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'));
}

interface Place {
  readonly parent: JsonObject | JsonValue[];
  readonly key: string;
}

function place(target: JsonObject, path: string): Place | undefined {
  const names = segments(path);
  const key = names.pop() ?? '';
  let parent: JsonValue | undefined = target;
  for (const name of names) parent = member(parent, name);
  return typeof parent === 'object' && parent !== null ? { parent, key } : undefined;
}

function member(parent: JsonValue | undefined, name: string): JsonValue | undefined {
  if (Array.isArray(parent)) return /^(?:0|[1-9]\d*)$/.test(name) ? parent[Number(name)] : undefined;
  return isObject(parent) ? own(parent, name) : undefined;
}

function read(target: JsonObject, path: string): JsonValue | undefined {
  const found = place(target, path);
  return found === undefined ? undefined : member(found.parent, found.key);
}

function add(target: JsonObject, path: string, value: JsonValue, op: string): void {
  const found = place(target, path);
  if (found === undefined) throw missing(op, path);
  const { parent, key } = found;
  if (!Array.isArray(parent)) return setOwn(parent, key, value);
  const index = key === '-' ? parent.length : /^(?:0|[1-9]\d*)$/.test(key) ? Number(key) : -1;
  if (index < 0 || index > parent.length)
    throw patchDoesNotApply(`${op} operation does not apply: Unable to access invalid index: ${key}: invalid index referenced`);
  parent.splice(index, 0, value);
}

function remove(target: JsonObject, path: string, op: string): JsonValue {
  const found = place(target, path);
  const value = found === undefined ? undefined : member(found.parent, found.key);
  if (found === undefined || value === undefined) throw missing(op, path);
  if (Array.isArray(found.parent)) found.parent.splice(Number(found.key), 1);
  else delete found.parent[found.key];
  return value;
}

function replace(target: JsonObject, path: string, value: JsonValue): void {
  const found = place(target, path);
  if (found === undefined || member(found.parent, found.key) === undefined) throw missing('replace', path);
  if (Array.isArray(found.parent)) found.parent[Number(found.key)] = value;
  else setOwn(found.parent, found.key, value);
}

function missing(op: string, path: string): Error {
  return patchDoesNotApply(`${op} operation does not apply: doc is missing path: "${path}": missing value`);
}
