import { validateWorkload } from '#apis/apps/v1/validate-workload.ts';
import { setPodSpecDefaults } from '#apis/core/v1/pod-defaults.ts';
import { podTemplateSpecSchema } from '#apis/core/v1/pod-spec.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column, formatLabelSelector, workloadColumns } from '#apis/meta/columns.ts';
import { labelSelectorSchema } from '#apis/meta/object.ts';
import { immutable } from '#apis/meta/validation.ts';
import { int32, int64, listMap, object, required, string, time, type Infer } from '#apis/schema.ts';

const apps = 'io.k8s.api.apps.v1';

export const replicaSetSpecSchema = object(`${apps}.ReplicaSetSpec`, {
  replicas: [1, int32({ default: 1 })],
  selector: [2, required(labelSelectorSchema)],
  template: [3, required({ ...podTemplateSpecSchema, default: {} })],
  minReadySeconds: [4, int32()],
});
export interface ReplicaSetSpec extends Infer<typeof replicaSetSpecSchema> {}

export const replicaSetConditionSchema = object(`${apps}.ReplicaSetCondition`, {
  type: [1, required(string())],
  status: [2, required(string())],
  lastTransitionTime: [3, time()],
  reason: [4, string()],
  message: [5, string()],
});
export interface ReplicaSetCondition extends Infer<typeof replicaSetConditionSchema> {}

export const replicaSetStatusSchema = object(`${apps}.ReplicaSetStatus`, {
  replicas: [1, required(int32({ default: 0 }))],
  fullyLabeledReplicas: [2, int32()],
  observedGeneration: [3, int64()],
  readyReplicas: [4, int32()],
  availableReplicas: [5, int32()],
  conditions: [6, listMap(replicaSetConditionSchema, ['type'])],
  terminatingReplicas: [7, int32()],
});
export interface ReplicaSetStatus extends Infer<typeof replicaSetStatusSchema> {}

export const replicaSetSchema = kindSchema(`${apps}.ReplicaSet`, {
  spec: [2, replicaSetSpecSchema],
  status: [3, replicaSetStatusSchema],
});
export interface ReplicaSet extends Infer<typeof replicaSetSchema> {}

export const replicaSetDefinition = defineBuiltin<ReplicaSet>({
  group: 'apps',
  kind: 'ReplicaSet',
  plural: 'replicasets',
  shortNames: ['rs'],
  categories: ['all'],
  versions: [
    {
      name: 'v1',
      schema: replicaSetSchema,
      served: true,
      columns: [
        column<ReplicaSet>('Desired', ({ spec }) => spec.replicas ?? 0, 'integer'),
        column<ReplicaSet>('Current', ({ status }) => status?.replicas ?? 0, 'integer'),
        column<ReplicaSet>('Ready', ({ status }) => status?.readyReplicas ?? 0, 'integer'),
        ageColumn,
        ...workloadColumns<ReplicaSet>(
          ({ spec }) => spec.template,
          ({ spec }) => formatLabelSelector(spec.selector),
        ),
      ],
    },
  ],
  scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas', labelSelectorPath: '.spec.selector' },
  selectableFields: ({ status }) => ({ 'status.replicas': String(status?.replicas ?? 0) }),
  default: ({ spec }) => setPodSpecDefaults(spec.template.spec),
  validate: ({ spec }, { old }) => [
    ...validateWorkload(spec, 'deployment'),
    ...(old === undefined ? [] : immutable('spec.selector', spec.selector, old.spec.selector)),
  ],
});
export const replicaSets = resourceOf(replicaSetDefinition);
