import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { deleteOptionsSchema } from '#apis/meta/delete-options.ts';
import type { Infer } from '#apis/schema.ts';

const policy = 'io.k8s.api.policy.v1';

export const evictionSchema = kindSchema(`${policy}.Eviction`, {
  deleteOptions: [2, deleteOptionsSchema],
});
export interface Eviction extends Infer<typeof evictionSchema> {}

export const evictionDefinition = defineBuiltin<Eviction>({
  group: 'policy',
  kind: 'Eviction',
  plural: 'evictions',
  verbs: ['create'],
  versions: [{ name: 'v1', schema: evictionSchema, served: true }],
});
export const evictions = resourceOf(evictionDefinition);
