import { quantityErrors } from '#apis/core/v1/validate-resources.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column } from '#apis/meta/columns.ts';
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
    ...(old === undefined ? [] : immutable('spec.scopes', [...(spec.scopes ?? [])].sort(), [...(old.spec.scopes ?? [])].sort())),
  ],
});
export const resourceQuotas = resourceOf(resourceQuotaDefinition);
