import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { column } from '#apis/meta/columns.ts';
import { listMap, object, required, string, type Infer } from '#apis/schema.ts';

const core = 'io.k8s.api.core.v1';

export const componentConditionSchema = object(`${core}.ComponentCondition`, {
  type: [1, required(string())],
  status: [2, required(string())],
  message: [3, string()],
  error: [4, string()],
});
export interface ComponentCondition extends Infer<typeof componentConditionSchema> {}

export const componentStatusSchema = kindSchema(`${core}.ComponentStatus`, {
  conditions: [2, listMap(componentConditionSchema, ['type'])],
});
export interface ComponentStatus extends Infer<typeof componentStatusSchema> {}

const healthy = (conditions: ComponentStatus['conditions']) => conditions?.find(({ type }) => type === 'Healthy');

export const componentStatusDefinition = defineBuiltin<ComponentStatus>({
  group: '',
  kind: 'ComponentStatus',
  plural: 'componentstatuses',
  shortNames: ['cs'],
  namespaced: false,
  verbs: ['get', 'list'],
  versions: [
    {
      name: 'v1',
      schema: componentStatusSchema,
      served: true,
      deprecationWarning: 'v1 ComponentStatus is deprecated in v1.19+',
      columns: [
        column<ComponentStatus>('Status', ({ conditions }) =>
          healthy(conditions)?.status === 'True' ? 'Healthy' : healthy(conditions)?.status === 'False' ? 'Unhealthy' : 'Unknown',
        ),
        column<ComponentStatus>('Message', ({ conditions }) => healthy(conditions)?.message ?? ''),
        column<ComponentStatus>('Error', ({ conditions }) => healthy(conditions)?.error ?? ''),
      ],
    },
  ],
});
export const componentStatuses = resourceOf(componentStatusDefinition);
