import { quantityErrors } from '#apis/core/v1/validate-resources.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column } from '#apis/meta/columns.ts';
import { fieldInvalid, fieldRequired, type FieldError } from '#apis/meta/field-error.ts';
import { checkQualifiedName } from '#apis/meta/names.ts';
import { immutable, invalidFor } from '#apis/meta/validation.ts';
import { list, map, object, quantity, required, string, type Infer } from '#apis/schema.ts';

const core = 'io.k8s.api.core.v1';

export const scopedResourceSelectorRequirementSchema = object(`${core}.ScopedResourceSelectorRequirement`, {
  scopeName: [1, required(string())],
  operator: [2, required(string())],
  values: [3, list(string())],
});
export interface ScopedResourceSelectorRequirement extends Infer<typeof scopedResourceSelectorRequirementSchema> {}

export const scopeSelectorSchema = object(
  `${core}.ScopeSelector`,
  {
    matchExpressions: [1, list(scopedResourceSelectorRequirementSchema)],
  },
  { 'x-kubernetes-map-type': 'atomic' },
);
export interface ScopeSelector extends Infer<typeof scopeSelectorSchema> {}

export const resourceQuotaSpecSchema = object(`${core}.ResourceQuotaSpec`, {
  hard: [1, map(quantity())],
  scopes: [2, list(string())],
  scopeSelector: [3, scopeSelectorSchema],
});
export interface ResourceQuotaSpec extends Infer<typeof resourceQuotaSpecSchema> {}

export const resourceQuotaStatusSchema = object(`${core}.ResourceQuotaStatus`, {
  hard: [1, map(quantity())],
  used: [2, map(quantity())],
});
export interface ResourceQuotaStatus extends Infer<typeof resourceQuotaStatusSchema> {}

export const resourceQuotaSchema = kindSchema(`${core}.ResourceQuota`, {
  spec: [2, resourceQuotaSpecSchema],
  status: [3, resourceQuotaStatusSchema],
});
export interface ResourceQuota extends Infer<typeof resourceQuotaSchema> {}

/** `requests.cpu: 1/2, pods: 3/10`, or those of limits. */
function usage({ status }: ResourceQuota, limits: boolean): string {
  const names = Object.keys(status?.hard ?? {})
    .filter((name) => name.startsWith('limits.') === limits)
    .sort();
  return names.map((name) => `${name}: ${status?.used?.[name] ?? 0}/${status?.hard?.[name]}`).join(', ');
}

/** Scopes of which no more than one can be met. */
const opposites = [
  ['BestEffort', 'NotBestEffort'],
  ['Terminating', 'NotTerminating'],
] as const;
const existing = new Set<string>([...opposites.flat(), 'CrossNamespacePodAffinity']);
const known = new Set([...existing, 'PriorityClass', 'VolumeAttributesClass']);

function scopeErrors({ scopes = [] }: ResourceQuotaSpec): readonly FieldError[] {
  const refused = (text: string) => fieldInvalid('spec.scopes', scopes, text);
  const has = (scope: string) => scopes.includes(scope);
  return [
    ...scopes.filter((scope) => !known.has(scope)).map(() => refused('unsupported scope')),
    ...opposites.filter((pair) => pair.every(has)).map(() => refused('conflicting scopes')),
  ];
}

function selectorErrors(selector: ScopeSelector | undefined): readonly FieldError[] {
  return (selector?.matchExpressions ?? []).flatMap((requirement) => requirementErrors(requirement));
}

/** The findings of one requirement; their paths have no index, as in Kubernetes. */
function requirementErrors({ scopeName, operator, values = [] }: ScopedResourceSelectorRequirement): readonly FieldError[] {
  const at = 'spec.scopeSelector.matchExpressions';
  const errors: FieldError[] = known.has(scopeName) ? [] : [fieldInvalid(`${at}.scopeName`, scopeName, 'unsupported scope')];
  if (existing.has(scopeName) && operator !== 'Exists') {
    const names = [...opposites.toReversed().flat(), 'CrossNamespacePodAffinity'].map((scope) => `ResourceQuotaScope${scope}`);
    const text = `must be 'Exists' when scope is any of ${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
    return [...errors, fieldInvalid(`${at}.operator`, operator, text)];
  }
  if (operator === 'In' || operator === 'NotIn') {
    if (values.length > 0) return errors;
    return [...errors, fieldRequired(`${at}.values`, "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector")];
  }
  if (operator !== 'Exists' && operator !== 'DoesNotExist')
    return [...errors, fieldInvalid(`${at}.operator`, operator, 'not a valid selector operator')];
  if (values.length === 0) return errors;
  return [
    ...errors,
    fieldInvalid(`${at}.values`, values, "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"),
  ];
}

export const resourceQuotaDefinition = defineBuiltin<ResourceQuota>({
  group: '',
  kind: 'ResourceQuota',
  plural: 'resourcequotas',
  shortNames: ['quota'],
  hasGeneration: false,
  versions: [
    {
      name: 'v1',
      schema: resourceQuotaSchema,
      served: true,
      columns: [
        column<ResourceQuota>('Request', (quota) => usage(quota, false)),
        column<ResourceQuota>('Limit', (quota) => usage(quota, true)),
        ageColumn,
      ],
    },
  ],
  validate: ({ spec }, { old }) => [
    ...Object.entries(spec.hard ?? {}).flatMap(([name, amount]) => [
      ...invalidFor(`spec.hard[${name}]`, name, checkQualifiedName(name)),
      ...quantityErrors(`spec.hard[${name}]`, amount),
    ]),
    ...scopeErrors(spec),
    ...selectorErrors(spec.scopeSelector),
    ...(old === undefined ? [] : immutable('spec.scopes', [...(spec.scopes ?? [])].sort(), [...(old.spec.scopes ?? [])].sort())),
  ],
});
export const resourceQuotas = resourceOf(resourceQuotaDefinition);
