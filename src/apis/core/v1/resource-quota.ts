import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
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

export const resourceQuotaDefinition = defineBuiltin<ResourceQuota>({
  group: '',
  kind: 'ResourceQuota',
  plural: 'resourcequotas',
  shortNames: ['quota'],
  hasGeneration: false,
  versions: [{ name: 'v1', schema: resourceQuotaSchema, served: true }],
});
export const resourceQuotas = resourceOf(resourceQuotaDefinition);
