import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn } from '#apis/meta/columns.ts';
import { objectMetaSchema } from '#apis/meta/object.ts';
import { immutable } from '#apis/meta/validation.ts';
import { resourceClaimSpecSchema, resourceGroup } from '#apis/resource/v1/device-request.ts';
import { object, required, type Infer } from '#apis/schema.ts';

export const resourceClaimTemplateSchema = kindSchema(`${resourceGroup}.ResourceClaimTemplate`, {
  spec: object(`${resourceGroup}.ResourceClaimTemplateSpec`, {
    metadata: objectMetaSchema,
    spec: required({ ...resourceClaimSpecSchema, default: {} }),
  }),
});
export interface ResourceClaimTemplate extends Infer<typeof resourceClaimTemplateSchema> {}

export const resourceClaimTemplateDefinition = defineBuiltin<ResourceClaimTemplate>({
  group: 'resource.k8s.io',
  kind: 'ResourceClaimTemplate',
  plural: 'resourceclaimtemplates',
  hasGeneration: false,
  versions: [{ name: 'v1', schema: resourceClaimTemplateSchema, served: true, columns: [ageColumn] }],
  validate: ({ spec }, { old }) => (old === undefined ? [] : immutable('spec', spec, old.spec)),
});
export const resourceClaimTemplates = resourceOf(resourceClaimTemplateDefinition);
