import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column } from '#apis/meta/columns.ts';
import { nonNegative, positive } from '#apis/meta/validation.ts';
import { int32, microTime, object, string, type Infer } from '#apis/schema.ts';

const coordination = 'io.k8s.api.coordination.v1';

export const leaseSpecSchema = object(`${coordination}.LeaseSpec`, {
  holderIdentity: [1, string()],
  leaseDurationSeconds: [2, int32()],
  acquireTime: [3, microTime()],
  renewTime: [4, microTime()],
  leaseTransitions: [5, int32()],
  strategy: [6, string()],
  preferredHolder: [7, string()],
});
export interface LeaseSpec extends Infer<typeof leaseSpecSchema> {}

export const leaseSchema = kindSchema(`${coordination}.Lease`, {
  spec: [2, leaseSpecSchema],
});
export interface Lease extends Infer<typeof leaseSchema> {}

export const leaseDefinition = defineBuiltin<Lease>({
  group: 'coordination.k8s.io',
  kind: 'Lease',
  plural: 'leases',
  hasGeneration: false,
  versions: [
    {
      name: 'v1',
      schema: leaseSchema,
      served: true,
      columns: [column<Lease>('Holder', ({ spec }) => spec.holderIdentity ?? ''), ageColumn],
    },
  ],
  validate: ({ spec }) => [
    ...positive('spec.leaseDurationSeconds', spec.leaseDurationSeconds),
    ...nonNegative('spec.leaseTransitions', spec.leaseTransitions),
  ],
});
export const leases = resourceOf(leaseDefinition);
