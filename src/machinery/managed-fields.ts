import type { KubeObject, ManagedFieldsEntry } from '#apis/meta/object.ts';
import type { Schema } from '#apis/schema.ts';
import type { JsonObject } from './deep.ts';
import { compareFields, isGoType, trackable, zeroOf } from './field-paths.ts';
import { difference, emptySet, isEmptySet, isFieldSet, union, type FieldSet } from './field-set.ts';

/** Entries of other verbs than apply kept one by one; older ones fold into `ancient-changes`. */
const maxUpdateManagers = 10;
const ancientManager = 'ancient-changes';

export interface UpdateInput {
  readonly schema: Schema;
  /** The stored object; absent on create. */
  readonly old?: KubeObject | undefined;
  /** The object about to be stored, complete. */
  readonly object: KubeObject;
  readonly manager: string;
  readonly apiVersion: string;
  readonly subresource?: string;
  /** RFC 3339, whole seconds. */
  readonly now: string;
}

/**
 * The managed fields an object has after a create, update or patch other than apply: the manager owns what it changed, nobody
 * owns what it removed. Returns the very list in force before when no tracked field changed, so that nothing is written for it.
 * An object nobody tracks stays untracked; managed fields in the request replace the stored ones (not on subresources), and
 * `[{}]` clears them, as in Kubernetes.
 */
export function trackUpdate(input: UpdateInput): readonly ManagedFieldsEntry[] {
  const { old, object, schema, now } = input;
  const base = entriesInForce(old, object, input.subresource ?? '');
  if (old !== undefined && base.length === 0) return base;
  const comparison = compareFields(stateBefore(input), stateOf(object), schema);
  if (comparison === undefined) return base;
  const { changed, removed } = comparison;
  const others = base
    .map((entry) => withFields(entry, difference(difference(fieldsIn(entry), changed), removed)))
    .filter((entry) => !isEmptySet(fieldsIn(entry)));
  if (isEmptySet(changed)) return ordered(others);
  const mine = newEntry({ ...input, operation: 'Update', fields: changed, now });
  const at = others.findIndex((entry) => sameManager(entry, mine));
  const previous = others[at];
  if (previous === undefined) others.push(mine);
  else others[at] = withFields(mine, union(fieldsIn(previous), changed));
  return ordered(capped(others));
}

/** What every object has is nobody's: metadata, and the status of Kubernetes' own kinds. */
function stateBefore({ schema, old, object }: UpdateInput): JsonObject {
  if (old === undefined) return zeroOf(schema);
  const before = stateOf(old);
  const isFirstStatus = isGoType(schema) && before['status'] === undefined && 'status' in object;
  return isFirstStatus ? { ...before, status: {} } : before;
}

function stateOf(object: KubeObject): JsonObject {
  return { metadata: {}, ...trackable(object as unknown as JsonObject) };
}

function entriesInForce(old: KubeObject | undefined, object: KubeObject, subresource: string): readonly ManagedFieldsEntry[] {
  const stored = old?.metadata.managedFields ?? [];
  const given = object.metadata.managedFields ?? [];
  if (subresource !== '' || given === stored || given.length === 0) return stored;
  if (given.every((entry) => Object.keys(entry).length === 0)) return [];
  return given.every(isValidEntry) ? given : stored;
}

function isValidEntry(entry: ManagedFieldsEntry): boolean {
  const { operation, fieldsType, fieldsV1 } = entry;
  if (operation !== 'Apply' && operation !== 'Update') return false;
  return fieldsType === 'FieldsV1' && (fieldsV1 === undefined || isFieldSet(fieldsV1));
}

/** The set of an entry. */
export function fieldsIn(entry: ManagedFieldsEntry): FieldSet {
  return (entry.fieldsV1 ?? emptySet) as FieldSet;
}

/** The entry with another set; itself where the set is the same. */
export function withFields(entry: ManagedFieldsEntry, fields: FieldSet): ManagedFieldsEntry {
  return fields === entry.fieldsV1 ? entry : { ...entry, fieldsV1: fields as Record<string, unknown> };
}

export interface EntryInput {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  readonly subresource?: string;
  readonly now: string;
  readonly fields: FieldSet;
}

export function newEntry({ manager, operation, apiVersion, subresource = '', now, fields }: EntryInput): ManagedFieldsEntry {
  return {
    manager,
    operation,
    apiVersion,
    time: now,
    fieldsType: 'FieldsV1',
    fieldsV1: fields as Record<string, unknown>,
    ...(subresource === '' ? {} : { subresource }),
  };
}

/** True for the same manager, operation and subresource; of updates also the same API version. */
export function sameManager(a: ManagedFieldsEntry, b: ManagedFieldsEntry): boolean {
  return (
    a.manager === b.manager &&
    a.operation === b.operation &&
    (a.subresource ?? '') === (b.subresource ?? '') &&
    (a.operation === 'Apply' || a.apiVersion === b.apiVersion)
  );
}

/** Kubernetes' order: applies first, then by time, then by manager. */
export function ordered(entries: readonly ManagedFieldsEntry[]): ManagedFieldsEntry[] {
  return [...entries].sort(
    (a, b) =>
      compareText(a.operation, b.operation) ||
      compareText(a.time, b.time) ||
      compareText(a.manager, b.manager) ||
      compareText(a.apiVersion, b.apiVersion) ||
      compareText(a.subresource, b.subresource),
  );
}

function compareText(a = '', b = ''): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Folds the oldest update entries into one `ancient-changes` entry for each API version, so that lists of managers stay short. */
export function capped(entries: readonly ManagedFieldsEntry[]): readonly ManagedFieldsEntry[] {
  const updates = entries.filter((entry) => entry.operation === 'Update' && (entry.subresource ?? '') === '');
  if (updates.length <= maxUpdateManagers) return entries;
  const oldest = ordered(updates).slice(0, updates.length - maxUpdateManagers + 1);
  const gone = new Set(oldest);
  const buckets = new Map<string, ManagedFieldsEntry>();
  for (const entry of oldest) {
    const version = entry.apiVersion ?? '';
    const bucket = buckets.get(version);
    const fields = bucket === undefined ? fieldsIn(entry) : union(fieldsIn(bucket), fieldsIn(entry));
    buckets.set(version, { ...entry, manager: ancientManager, fieldsV1: fields as Record<string, unknown> });
  }
  return [...entries.filter((entry) => !gone.has(entry)), ...buckets.values()];
}
