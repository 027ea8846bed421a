import type { KubeObject, ManagedFieldsEntry } from '#apis/meta/object.ts';
import { badRequest, StatusError, type StatusCause } from '#apis/meta/status.ts';
import type { Schema } from '#apis/schema.ts';
import { duplicateItem, mergeApplied, pruneUnowned } from './apply-merge.ts';
import { jsonEqual } from '#apis/meta/equal.ts';
import { isObject, setOwn, type JsonObject } from './deep.ts';
import { compareFields, fieldsOf, trackable } from './field-paths.ts';
import { difference, emptySet, intersection, isEmptySet, pathsOf, setsEqual, union, type FieldSet } from './field-set.ts';
import { capped, fieldsIn, newEntry, ordered, sameManager, withFields } from './managed-fields.ts';

const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';
const kubectlManager = 'kubectl';
const beforeFirstApply = 'before-first-apply';

export interface ApplyInput {
  readonly schema: Schema;
  /** The stored object; absent when apply creates it. */
  readonly live?: KubeObject | undefined;
  /** The applied configuration, decoded without defaults. */
  readonly config: JsonObject;
  readonly manager: string;
  readonly apiVersion: string;
  readonly subresource?: string;
  readonly force: boolean;
  /** RFC 3339, whole seconds. */
  readonly now: string;
  /** Top-level fields this endpoint may not set: `['status']` on the resource itself. */
  readonly reset?: readonly string[];
}

export interface Applied {
  /** The object to default, validate and store; with its managed fields. The live one itself where nothing changed. */
  readonly object: KubeObject;
  readonly changed: boolean;
}

/**
 * Server-side apply: merges the configuration into the live object, removes what this manager applied before and nobody owns now,
 * and records who owns what. Throws 409 with a cause for each field another manager owns with another value, unless forced;
 * 400 for a configuration that brings managed fields or duplicate list items.
 */
export function applyServerSide(input: ApplyInput): Applied {
  const { schema, live, now } = input;
  const config = checkedConfig(input);
  const entry = newEntry({ ...input, operation: 'Apply', fields: fieldsOf(trackable(config), schema) });
  if (live === undefined) return { object: withEntries(config, [entry]), changed: true };

  const tracked = liveEntries(input, live);
  const previous = tracked.find((one) => sameManager(one, entry));
  const others = tracked.filter((one) => one !== previous);
  const liveJson = live as unknown as JsonObject;
  const merged = mergeApplied(liveJson, config, schema);
  const lastSet = previous === undefined ? emptySet : fieldsIn(previous);
  const owned = others.reduce((all, one) => union(all, fieldsIn(one)), fieldsIn(entry));
  const pruned = isEmptySet(lastSet) ? merged : pruneUnowned(merged, schema, lastSet, owned);
  const comparison = compareFields(trackable(liveJson), trackable(pruned), schema);

  const conflicts = findConflicts(others, comparison?.changed ?? emptySet);
  if (!input.force) refuseConflicts(input.manager === kubectlManager ? withoutLastApplied(conflicts, live, schema) : conflicts);
  const result = withSyncedAnnotation(input, pruned, config);
  const nothingNew = comparison === undefined && result === pruned && systemFieldsKept(liveJson, result);
  if (nothingNew && previous !== undefined && setsEqual(fieldsIn(previous), fieldsIn(entry))) return { object: live, changed: false };

  const left = others
    .map((one) => {
      const lost = conflicts.find((conflict) => conflict.entry === one)?.fields ?? emptySet;
      return withFields(one, difference(difference(fieldsIn(one), lost), comparison?.removed ?? emptySet));
    })
    .filter((one) => !isEmptySet(fieldsIn(one)));
  const mine = { ...entry, time: nothingNew ? (previous?.time ?? now) : now };
  return { object: withEntries(result, ordered(capped([...left, mine]))), changed: true };
}

function checkedConfig({ config, schema, reset = [] }: ApplyInput): JsonObject {
  const metadata = config['metadata'];
  if (isObject(metadata) && Array.isArray(metadata['managedFields']) && metadata['managedFields'].length > 0)
    throw badRequest('metadata.managedFields must be nil');
  const problem = duplicateItem(config, schema);
  if (problem !== undefined) throw badRequest(`failed to create typed patch object: ${problem}`);
  if (reset.length === 0) return config;
  const result = { ...config };
  for (const key of reset) delete result[key];
  return result;
}

/** The entries in force. An object nobody tracked so far counts as written by `before-first-apply`. */
function liveEntries({ schema, apiVersion }: ApplyInput, live: KubeObject): readonly ManagedFieldsEntry[] {
  const entries = live.metadata.managedFields ?? [];
  if (entries.length > 0) return entries;
  const everything = compareFields({}, trackable(live as unknown as JsonObject), schema)?.changed ?? emptySet;
  const time = live.metadata.creationTimestamp ?? '';
  return [newEntry({ manager: beforeFirstApply, operation: 'Update', apiVersion, now: time, fields: everything })];
}

function withEntries(object: JsonObject, entries: readonly ManagedFieldsEntry[]): KubeObject {
  const metadata = isObject(object['metadata']) ? object['metadata'] : {};
  return { ...object, metadata: { ...metadata, managedFields: [...entries] } } as unknown as KubeObject;
}

/** A configuration may also change what nobody owns: its resource version is a precondition the caller checks. */
function systemFieldsKept(live: JsonObject, result: JsonObject): boolean {
  return live === result || (jsonEqual(live['metadata'], result['metadata']) && live['apiVersion'] === result['apiVersion']);
}

interface Conflict {
  readonly entry: ManagedFieldsEntry;
  readonly fields: FieldSet;
}

function findConflicts(others: readonly ManagedFieldsEntry[], changed: FieldSet): Conflict[] {
  if (isEmptySet(changed)) return [];
  const conflicts: Conflict[] = [];
  for (const entry of others) {
    const fields = intersection(fieldsIn(entry), changed);
    if (fields !== undefined) conflicts.push({ entry, fields });
  }
  return conflicts;
}

/**
 * What `kubectl apply` (client side) wrote, `kubectl apply --server-side` may overwrite: fields of the last-applied
 * annotation are no conflicts for the manager `kubectl`.
 */
function withoutLastApplied(conflicts: readonly Conflict[], live: KubeObject, schema: Schema): readonly Conflict[] {
  const text = live.metadata.annotations?.[lastApplied];
  if (conflicts.length === 0 || text === undefined) return conflicts;
  let config: unknown;
  try {
    config = JSON.parse(text);
  } catch {
    return conflicts;
  }
  if (!isObject(config)) return conflicts;
  const allowed = fieldsOf(trackable(config), schema);
  return conflicts.map(({ entry, fields }) => ({ entry, fields: difference(fields, allowed) })).filter(({ fields }) => !isEmptySet(fields));
}

/** Keeps the annotation of client-side apply in step, where an object has it and kubectl applies. */
function withSyncedAnnotation({ manager, live }: ApplyInput, object: JsonObject, config: JsonObject): JsonObject {
  const before = live?.metadata.annotations?.[lastApplied];
  const metadata = object['metadata'];
  if (manager !== kubectlManager || before === undefined || !isObject(metadata) || !isObject(metadata['annotations'])) return object;
  const text = `${JSON.stringify(withoutAnnotation(config))}\n`;
  if (metadata['annotations'][lastApplied] === text) return object;
  const annotations = { ...metadata['annotations'] };
  setOwn(annotations, lastApplied, text);
  return { ...object, metadata: { ...metadata, annotations } };
}

function withoutAnnotation(config: JsonObject): JsonObject {
  const metadata = config['metadata'];
  if (!isObject(metadata) || !isObject(metadata['annotations']) || !(lastApplied in metadata['annotations'])) return config;
  const annotations = { ...metadata['annotations'] };
  delete annotations[lastApplied];
  return { ...config, metadata: { ...metadata, annotations } };
}

function refuseConflicts(conflicts: readonly Conflict[]): void {
  const byManager = new Map<string, string[]>();
  const causes: StatusCause[] = [];
  for (const { entry, fields } of conflicts) {
    const name = managerText(entry);
    for (const path of pathsOf(fields)) {
      causes.push({ reason: 'FieldManagerConflict', message: `conflict with ${name}`, field: path });
      const paths = byManager.get(name);
      if (paths === undefined) byManager.set(name, [path]);
      else paths.push(path);
    }
  }
  const [first] = causes;
  if (first === undefined) return;
  const message =
    causes.length === 1
      ? `Apply failed with 1 conflict: ${first.message}: ${first.field}`
      : `Apply failed with ${causes.length} conflicts: ${[...byManager]
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([name, paths]) => [`conflicts with ${name}:`, ...paths.map((path) => `- ${path}`)].join('\n'))
          .join('\n')}`;
  throw new StatusError('Conflict', message, { details: { causes } });
}

/** `"kubectl-client-side-apply" using apps/v1`. */
function managerText({ manager, operation, apiVersion, subresource }: ManagedFieldsEntry): string {
  const name = JSON.stringify(manager ?? '');
  const place = subresource === undefined || subresource === '' ? name : `${name} with subresource ${JSON.stringify(subresource)}`;
  return operation === 'Update' ? `${place} using ${apiVersion ?? ''}` : place;
}
