import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column } from '#apis/meta/columns.ts';
import { conditionSchema } from '#apis/meta/object.ts';
import { list, listMap, object, string, type Infer } from '#apis/schema.ts';

const networking = 'io.k8s.api.networking.v1';

export const serviceCIDRSpecSchema = object(`${networking}.ServiceCIDRSpec`, {
  cidrs: [1, list(string())],
});
export interface ServiceCIDRSpec extends Infer<typeof serviceCIDRSpecSchema> {}

export const serviceCIDRStatusSchema = object(`${networking}.ServiceCIDRStatus`, {
  conditions: [1, listMap(conditionSchema, ['type'])],
});
export interface ServiceCIDRStatus extends Infer<typeof serviceCIDRStatusSchema> {}

export const serviceCIDRSchema = kindSchema(`${networking}.ServiceCIDR`, {
  spec: [2, serviceCIDRSpecSchema],
  status: [3, serviceCIDRStatusSchema],
});
export interface ServiceCIDR extends Infer<typeof serviceCIDRSchema> {}

export const serviceCIDRDefinition = defineBuiltin<ServiceCIDR>({
  group: 'networking.k8s.io',
  kind: 'ServiceCIDR',
  plural: 'servicecidrs',
  namespaced: false,
  hasGeneration: false,
  versions: [
    {
      name: 'v1',
      schema: serviceCIDRSchema,
      served: true,
      columns: [column<ServiceCIDR>('CIDRs', ({ spec }) => (spec.cidrs ?? []).join(',')), ageColumn],
    },
  ],
});
export const serviceCIDRs = resourceOf(serviceCIDRDefinition);
