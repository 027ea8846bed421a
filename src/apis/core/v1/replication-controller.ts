import { longRunningErrors, templateLabelErrors } from '#apis/apps/v1/validate-workload.ts';
import { setPodSpecDefaults } from '#apis/core/v1/pod-defaults.ts';
import { type PodTemplateSpec, podTemplateSpecSchema } from '#apis/core/v1/pod-spec.ts';
import { validatePodTemplate } from '#apis/core/v1/validate-pod-spec.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column, formatLabels, workloadColumns } from '#apis/meta/columns.ts';
import { fieldRequired, type FieldError } from '#apis/meta/field-error.ts';
import { nonNegative } from '#apis/meta/validation.ts';
import { int32, int64, listMap, map, object, required, string, time, type Infer } from '#apis/schema.ts';

const core = 'io.k8s.api.core.v1';

export const replicationControllerSpecSchema = object(`${core}.ReplicationControllerSpec`, {
  replicas: [1, int32({ default: 1 })],
  selector: [2, map(string(), { 'x-kubernetes-map-type': 'atomic' })],
  template: [3, podTemplateSpecSchema],
  minReadySeconds: [4, int32()],
});
export interface ReplicationControllerSpec extends Infer<typeof replicationControllerSpecSchema> {}

export const replicationControllerConditionSchema = object(`${core}.ReplicationControllerCondition`, {
  type: [1, required(string())],
  status: [2, required(string())],
  lastTransitionTime: [3, time()],
  reason: [4, string()],
  message: [5, string()],
});
export interface ReplicationControllerCondition extends Infer<typeof replicationControllerConditionSchema> {}

export const replicationControllerStatusSchema = object(`${core}.ReplicationControllerStatus`, {
  replicas: [1, required(int32({ default: 0 }))],
  fullyLabeledReplicas: [2, int32()],
  observedGeneration: [3, int64()],
  readyReplicas: [4, int32()],
  availableReplicas: [5, int32()],
  conditions: [6, listMap(replicationControllerConditionSchema, ['type'])],
});
export interface ReplicationControllerStatus extends Infer<typeof replicationControllerStatusSchema> {}

export const replicationControllerSchema = kindSchema(`${core}.ReplicationController`, {
  spec: [2, replicationControllerSpecSchema],
  status: [3, replicationControllerStatusSchema],
});
export interface ReplicationController extends Infer<typeof replicationControllerSchema> {}

function templateErrors(matchLabels: Record<string, string>, template: PodTemplateSpec): readonly FieldError[] {
  return [
    ...templateLabelErrors({ matchLabels }, template),
    ...validatePodTemplate(template, 'spec.template'),
    ...longRunningErrors(template),
  ];
}

export const replicationControllerDefinition = defineBuiltin<ReplicationController>({
  group: '',
  kind: 'ReplicationController',
  plural: 'replicationcontrollers',
  shortNames: ['rc'],
  categories: ['all'],
  versions: [
    {
      name: 'v1',
      schema: replicationControllerSchema,
      served: true,
      columns: [
        column<ReplicationController>('Desired', ({ spec }) => spec.replicas ?? 0, 'integer'),
        column<ReplicationController>('Current', ({ status }) => status?.replicas ?? 0, 'integer'),
        column<ReplicationController>('Ready', ({ status }) => status?.readyReplicas ?? 0, 'integer'),
        ageColumn,
        ...workloadColumns<ReplicationController>(
          ({ spec }) => spec.template,
          ({ spec }) => formatLabels(spec.selector),
        ),
      ],
    },
  ],
  scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas', labelSelectorPath: '.spec.selector' },
  selectableFields: ({ status }) => ({ 'status.replicas': String(status?.replicas ?? 0) }),
  default(controller) {
    const { metadata, spec } = controller;
    if (spec.template === undefined) return;
    setPodSpecDefaults(spec.template.spec);
    const labels = spec.template.metadata?.labels ?? {};
    if (Object.keys(spec.selector ?? {}).length === 0) spec.selector = { ...labels };
    if (Object.keys(metadata.labels ?? {}).length === 0) metadata.labels = { ...labels };
  },
  validate: ({ spec }) => [
    ...nonNegative('spec.replicas', spec.replicas),
    ...nonNegative('spec.minReadySeconds', spec.minReadySeconds),
    ...(Object.keys(spec.selector ?? {}).length === 0 ? [fieldRequired('spec.selector')] : []),
    ...(spec.template === undefined ? [fieldRequired('spec.template')] : templateErrors(spec.selector ?? {}, spec.template)),
  ],
});
export const replicationControllers = resourceOf(replicationControllerDefinition);
