import { tolerationSchema } from '#apis/core/v1/scheduling.ts';
import { validateTolerations } from '#apis/core/v1/validate-scheduling.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column } from '#apis/meta/columns.ts';
import { checkDns1123Label } from '#apis/meta/names.ts';
import { immutable, requiredName } from '#apis/meta/validation.ts';
import { list, map, object, quantity, required, string, type Infer } from '#apis/schema.ts';

const node = 'io.k8s.api.node.v1';

export const overheadSchema = object(`${node}.Overhead`, {
  podFixed: map(quantity()),
});
export interface Overhead extends Infer<typeof overheadSchema> {}

export const schedulingSchema = object(`${node}.Scheduling`, {
  nodeSelector: map(string(), { 'x-kubernetes-map-type': 'atomic' }),
  tolerations: list(tolerationSchema),
});
export interface Scheduling extends Infer<typeof schedulingSchema> {}

export const runtimeClassSchema = kindSchema(`${node}.RuntimeClass`, {
  handler: required(string()),
  overhead: overheadSchema,
  scheduling: schedulingSchema,
});
export interface RuntimeClass extends Infer<typeof runtimeClassSchema> {}

export const runtimeClassDefinition = defineBuiltin<RuntimeClass>({
  group: 'node.k8s.io',
  kind: 'RuntimeClass',
  plural: 'runtimeclasses',
  namespaced: false,
  versions: [
    {
      name: 'v1',
      schema: runtimeClassSchema,
      served: true,
      columns: [column<RuntimeClass>('Handler', ({ handler }) => handler), ageColumn],
    },
  ],
  validate: ({ handler, scheduling }, { old }) => [
    ...requiredName('handler', handler, checkDns1123Label),
    ...validateTolerations(scheduling?.tolerations, 'scheduling.tolerations'),
    ...(old === undefined ? [] : immutable('handler', handler, old.handler)),
  ],
});
export const runtimeClasses = resourceOf(runtimeClassDefinition);
