import { randomInt, randomUUID } from 'node:crypto';
import type { KindDefinition } from '#apis/definition.ts';
import { fieldForbidden, fieldInvalid, type FieldError } from '#apis/meta/field-error.ts';
import { checkPathSegment } from '#apis/meta/names.ts';
import type { KubeObject, ManagedFieldsEntry, ObjectMeta } from '#apis/meta/object.ts';
import { badRequest } from '#apis/meta/status.ts';
import { validateObjectMeta, type NameKind } from '#apis/meta/validate-metadata.ts';

const suffixAlphabet = 'bcdfghjklmnpqrstvwxz2456789';
const suffixLength = 5;
const maxNameLength = 63;

/** A name out of `generateName`: as much of the prefix as fits, and five letters that spell no words. */
export function generateName(prefix: string): string {
  const suffix = Array.from({ length: suffixLength }, () => suffixAlphabet[randomInt(suffixAlphabet.length)]).join('');
  return prefix.slice(0, maxNameLength - suffixLength) + suffix;
}

/**
 * Sets what the server alone decides about a new object. `namespace` is that of the request path, empty for cluster-scoped
 * kinds. StatusError 400 when the object says it belongs elsewhere.
 */
export function stampNew(object: KubeObject, definition: KindDefinition, namespace: string, now: string): void {
  const meta = object.metadata;
  checkNamespace(meta, definition, namespace);
  if (meta.resourceVersion !== undefined && meta.resourceVersion !== '')
    throw badRequest('resourceVersion should not be set on objects to be created');
  if ((meta.name ?? '') === '' && (meta.generateName ?? '') !== '') meta.name = generateName(meta.generateName ?? '');
  for (const field of ['resourceVersion', 'selfLink', 'deletionTimestamp', 'deletionGracePeriodSeconds', 'generation'] as const)
    delete meta[field];
  meta.uid = randomUUID();
  meta.creationTimestamp = now;
  if (definition.hasGeneration) meta.generation = 1;
}

/** Takes over from the stored object what an update may not change. */
export function stampUpdate(object: KubeObject, old: KubeObject): void {
  const meta = object.metadata;
  const kept = [
    'name',
    'namespace',
    'generateName',
    'uid',
    'creationTimestamp',
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
    'generation',
  ];
  for (const field of kept as (keyof ObjectMeta)[]) {
    if (old.metadata[field] === undefined) delete meta[field];
    else Object.assign(meta, { [field]: old.metadata[field] });
  }
  delete meta.selfLink;
  delete meta.resourceVersion;
}

/** StatusError 400 when the body's namespace is not that of the path; fills it in where it is missing. */
export function checkNamespace(meta: ObjectMeta, definition: KindDefinition, namespace: string): void {
  if (!definition.namespaced) {
    delete meta.namespace;
    return;
  }
  if (meta.namespace !== undefined && meta.namespace !== '' && meta.namespace !== namespace)
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  meta.namespace = namespace;
}

/** Names that are not DNS subdomains: a group, or `group/plural`. */
const nameKinds: Readonly<Record<string, NameKind>> = {
  'rbac.authorization.k8s.io': 'path',
  'certificates.k8s.io': 'path',
  '/namespaces': 'label',
  '/services': 'label1035',
};

const unqualifiedFinalizer = 'name is neither a standard finalizer name nor is it fully qualified';

/** Findings about metadata, in the wording of k8s.io/apimachinery's ValidateObjectMeta. */
export function validateMetadata(object: KubeObject, { group, plural, namespaced }: KindDefinition): FieldError[] {
  const nameKind = nameKinds[group] ?? nameKinds[`${group}/${plural}`] ?? 'subdomain';
  const { name = '' } = object.metadata;
  // A name is part of paths and keys, whatever its kind allows besides.
  const segment = checkPathSegment(name).map((text) => fieldInvalid('metadata.name', name, text));
  if (segment.length > 0) return segment;
  const errors = validateObjectMeta(object.metadata, { namespaced, nameKind });
  // Only the core group insists on `prefix/name`; elsewhere finalizers such as `cleanup.example.com` are in use.
  return group === '' ? [...errors] : errors.filter(({ message }) => !message.endsWith(unqualifiedFinalizer));
}

/** Findings about a metadata update: an object on its way out gets no new finalizers. */
export function validateMetadataUpdate(object: KubeObject, old: KubeObject): FieldError[] {
  if (old.metadata.deletionTimestamp === undefined) return [];
  const known = new Set(old.metadata.finalizers);
  const added = (object.metadata.finalizers ?? []).filter((finalizer) => !known.has(finalizer));
  if (added.length === 0) return [];
  const list = added.map((one) => JSON.stringify(one)).join(', ');
  const text = `no new finalizers can be added if the object is being deleted, found new finalizers []string{${list}}`;
  return [fieldForbidden('metadata.finalizers', text)];
}

/** An object nobody tracks has no managed fields at all. */
export function setManagedFields(object: KubeObject, entries: readonly ManagedFieldsEntry[]): void {
  if (entries.length === 0) delete object.metadata.managedFields;
  else object.metadata.managedFields = [...entries];
}
