import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column } from '#apis/meta/columns.ts';
import { immutable } from '#apis/meta/validation.ts';
import { resourceClaimSpecSchema, resourceClaimStatusSchema, resourceGroup } from '#apis/resource/v1/device-request.ts';
import type { Infer } from '#apis/schema.ts';

export const resourceClaimSchema = kindSchema(`${resourceGroup}.ResourceClaim`, {
  spec: resourceClaimSpecSchema,
  status: resourceClaimStatusSchema,
});
export interface ResourceClaim extends Infer<typeof resourceClaimSchema> {}

function stateText({ metadata, status }: ResourceClaim): string {
  const states: string[] = [];
  if (metadata.deletionTimestamp !== undefined) states.push('deleted');
  if (status?.allocation === undefined) return [...states, 'pending'].join(',');
  states.push('allocated');
  if ((status.reservedFor ?? []).length > 0) states.push('reserved');
  return states.join(',');
}

export const resourceClaimDefinition = defineBuiltin<ResourceClaim>({
  group: 'resource.k8s.io',
  kind: 'ResourceClaim',
  plural: 'resourceclaims',
  hasGeneration: false,
  versions: [{ name: 'v1', schema: resourceClaimSchema, served: true, columns: [column('State', stateText), ageColumn] }],
  validate: ({ spec }, { old }) => (old === undefined ? [] : immutable('spec', spec, old.spec)),
});
export const resourceClaims = resourceOf(resourceClaimDefinition);
