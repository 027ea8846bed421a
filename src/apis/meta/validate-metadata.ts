import { fieldForbidden, fieldInvalid, fieldRequired, fieldTooLong, type FieldError } from '#apis/meta/field-error.ts';
import { checkDns1035Label, checkDns1123Label, checkDns1123Subdomain, checkPathSegment, checkQualifiedName } from '#apis/meta/names.ts';
import type { ObjectMeta, OwnerReference } from '#apis/meta/object.ts';
import { each, invalidFor, labelErrors, type Errors } from '#apis/meta/validation.ts';

/** What the names of a kind look like. */
export type NameKind = 'subdomain' | 'label' | 'label1035' | 'path';

const nameChecks: Readonly<Record<NameKind, (name: string) => readonly string[]>> = {
  subdomain: checkDns1123Subdomain,
  label: checkDns1123Label,
  label1035: checkDns1035Label,
  path: checkPathSegment,
};
const maxAnnotationBytes = 256 * 1024;
const standardFinalizers = new Set(['orphan', 'foregroundDeletion', 'kubernetes']);

export interface MetadataRules {
  readonly namespaced: boolean;
  readonly nameKind?: NameKind;
  /** Path of the metadata; `metadata` unless it is that of a template. */
  readonly field?: string;
}

/** Findings about an object's metadata, in the wording of k8s.io/apimachinery's ValidateObjectMeta. */
export function validateObjectMeta(meta: ObjectMeta, { namespaced, nameKind = 'subdomain', field = 'metadata' }: MetadataRules): Errors {
  return [
    ...generateNameErrors(meta, nameChecks[nameKind], field),
    ...nameErrors(meta, nameChecks[nameKind], field),
    ...namespaceErrors(meta, namespaced, field),
    ...labelErrors(`${field}.labels`, meta.labels),
    ...annotationErrors(`${field}.annotations`, meta.annotations),
    ...ownerErrors(`${field}.ownerReferences`, meta.ownerReferences ?? []),
    ...finalizerErrors(`${field}.finalizers`, meta.finalizers),
  ];
}

/** Prefixes may end where a full name may not: the server appends to them. */
function generateNameErrors({ generateName = '' }: ObjectMeta, check: (name: string) => readonly string[], field: string): Errors {
  if (generateName === '') return [];
  return invalidFor(`${field}.generateName`, generateName, check(generateName.replace(/-$/, 'a')));
}

function nameErrors({ name = '' }: ObjectMeta, check: (name: string) => readonly string[], field: string): Errors {
  if (name === '') return [fieldRequired(`${field}.name`, 'name or generateName is required')];
  return invalidFor(`${field}.name`, name, check(name));
}

function namespaceErrors({ namespace = '' }: ObjectMeta, namespaced: boolean, field: string): Errors {
  if (!namespaced) return namespace === '' ? [] : [fieldForbidden(`${field}.namespace`, 'not allowed on this type')];
  return namespace === ''
    ? [fieldRequired(`${field}.namespace`)]
    : invalidFor(`${field}.namespace`, namespace, checkDns1123Label(namespace));
}

/** Keys are qualified names in any case; all together are limited to 256 KiB. */
export function annotationErrors(field: string, annotations: Readonly<Record<string, string>> = {}): Errors {
  const errors: FieldError[] = [];
  let size = 0;
  for (const [key, value] of Object.entries(annotations)) {
    errors.push(...invalidFor(field, key, checkQualifiedName(key.toLowerCase())));
    size += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (size > maxAnnotationBytes) errors.push(fieldTooLong(field, maxAnnotationBytes));
  return errors;
}

/** The list carries what is wrong with a name, its place that it is not qualified: as in Kubernetes. */
function finalizerErrors(field: string, finalizers: readonly string[] = []): Errors {
  return [
    ...finalizers.flatMap((finalizer) => invalidFor(field, finalizer, checkQualifiedName(finalizer))),
    ...each(finalizers, field, (finalizer, at) =>
      finalizer.includes('/') || standardFinalizers.has(finalizer)
        ? []
        : [fieldInvalid(at, finalizer, 'name is neither a standard finalizer name nor is it fully qualified')],
    ),
  ];
}

function ownerError(field: string, owner: OwnerReference): Errors {
  const { apiVersion, kind } = owner;
  const [version, group = ''] = apiVersion.split('/', 3).length > 2 ? [''] : apiVersion.split('/').reverse();
  const errors: FieldError[] = version === '' ? [fieldInvalid(`${field}.apiVersion`, apiVersion, 'version must not be empty')] : [];
  for (const key of ['kind', 'name', 'uid'] as const)
    if (owner[key] === '') errors.push(fieldInvalid(`${field}.${key}`, '', 'must not be empty'));
  if (kind === 'Event' && version === 'v1' && (group === '' || group === 'events.k8s.io'))
    errors.push(fieldInvalid(field, owner, `${group}/v1, Kind=Event is disallowed from being an owner`));
  return errors;
}

function ownerErrors(field: string, owners: readonly OwnerReference[]): Errors {
  const errors = owners.flatMap((owner) => ownerError(field, owner));
  const [first, second] = owners.filter(({ controller }) => controller === true);
  if (first === undefined || second === undefined) return errors;
  const names = `${first.kind}/${first.name} and ${second.kind}/${second.name}`;
  return [
    ...errors,
    fieldInvalid(field, owners, `Only one reference can have Controller set to true. Found "true" in references for ${names}`),
  ];
}
