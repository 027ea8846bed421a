import { validateWorkload } from '#apis/apps/v1/validate-workload.ts';
import { persistentVolumeClaimSchema } from '#apis/core/v1/persistent-volume-claim.ts';
import { setPodSpecDefaults } from '#apis/core/v1/pod-defaults.ts';
import { podTemplateSpecSchema, type PodTemplateSpec } from '#apis/core/v1/pod-spec.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column, workloadColumns } from '#apis/meta/columns.ts';
import { jsonEqual } from '#apis/meta/equal.ts';
import { fieldForbidden } from '#apis/meta/field-error.ts';
import { labelSelectorSchema } from '#apis/meta/object.ts';
import { nonNegative } from '#apis/meta/validation.ts';
import { enumeration, int32, int64, intOrString, list, listMap, object, required, string, time, type Infer } from '#apis/schema.ts';

const apps = 'io.k8s.api.apps.v1';

export const rollingUpdateStatefulSetStrategySchema = object(`${apps}.RollingUpdateStatefulSetStrategy`, {
  partition: [1, int32({ default: 0 })],
  maxUnavailable: [2, intOrString()],
});
export interface RollingUpdateStatefulSetStrategy extends Infer<typeof rollingUpdateStatefulSetStrategySchema> {}

export const statefulSetUpdateStrategySchema = object(`${apps}.StatefulSetUpdateStrategy`, {
  type: [1, enumeration(['OnDelete', 'RollingUpdate'], { default: 'RollingUpdate' })],
  rollingUpdate: [2, rollingUpdateStatefulSetStrategySchema],
});
export interface StatefulSetUpdateStrategy extends Infer<typeof statefulSetUpdateStrategySchema> {}

export const statefulSetPersistentVolumeClaimRetentionPolicySchema = object(`${apps}.StatefulSetPersistentVolumeClaimRetentionPolicy`, {
  whenDeleted: [1, enumeration(['Delete', 'Retain'], { default: 'Retain' })],
  whenScaled: [2, enumeration(['Delete', 'Retain'], { default: 'Retain' })],
});
export interface StatefulSetPersistentVolumeClaimRetentionPolicy extends Infer<
  typeof statefulSetPersistentVolumeClaimRetentionPolicySchema
> {}

export const statefulSetOrdinalsSchema = object(`${apps}.StatefulSetOrdinals`, {
  start: [1, int32()],
});
export interface StatefulSetOrdinals extends Infer<typeof statefulSetOrdinalsSchema> {}

export const statefulSetSpecSchema = object(`${apps}.StatefulSetSpec`, {
  replicas: [1, int32({ default: 1 })],
  selector: [2, required(labelSelectorSchema)],
  template: [3, required({ ...podTemplateSpecSchema, default: {} })],
  volumeClaimTemplates: [4, list(persistentVolumeClaimSchema)],
  serviceName: [5, string({ default: '' })],
  podManagementPolicy: [6, enumeration(['OrderedReady', 'Parallel'], { default: 'OrderedReady' })],
  updateStrategy: [7, { ...statefulSetUpdateStrategySchema, default: {} }],
  revisionHistoryLimit: [8, int32({ default: 10 })],
  minReadySeconds: [9, int32()],
  persistentVolumeClaimRetentionPolicy: [10, { ...statefulSetPersistentVolumeClaimRetentionPolicySchema, default: {} }],
  ordinals: [11, statefulSetOrdinalsSchema],
});
export interface StatefulSetSpec extends Infer<typeof statefulSetSpecSchema> {}

export const statefulSetConditionSchema = object(`${apps}.StatefulSetCondition`, {
  type: [1, required(string({ default: '' }))],
  status: [2, required(string({ default: '' }))],
  lastTransitionTime: [3, time()],
  reason: [4, string()],
  message: [5, string()],
});
export interface StatefulSetCondition extends Infer<typeof statefulSetConditionSchema> {}

export const statefulSetStatusSchema = object(`${apps}.StatefulSetStatus`, {
  observedGeneration: [1, int64()],
  replicas: [2, required(int32({ default: 0 }))],
  readyReplicas: [3, int32()],
  currentReplicas: [4, int32()],
  updatedReplicas: [5, int32()],
  currentRevision: [6, string()],
  updateRevision: [7, string()],
  collisionCount: [9, int32()],
  conditions: [10, listMap(statefulSetConditionSchema, ['type'])],
  availableReplicas: [11, int32()],
});
export interface StatefulSetStatus extends Infer<typeof statefulSetStatusSchema> {}

export const statefulSetSchema = kindSchema(`${apps}.StatefulSet`, {
  spec: [2, statefulSetSpecSchema],
  status: [3, statefulSetStatusSchema],
});
export interface StatefulSet extends Infer<typeof statefulSetSchema> {}

const fixedText =
  "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";

/** What an update may not change. */
function fixedPart({ selector, serviceName, podManagementPolicy, volumeClaimTemplates }: StatefulSetSpec): unknown {
  return { selector, serviceName, podManagementPolicy, volumeClaimTemplates };
}

/** The template as its pods will be: each has a volume for each claim. */
function withClaims({ template, volumeClaimTemplates = [] }: StatefulSetSpec): PodTemplateSpec {
  const volumes = template.spec.volumes ?? [];
  const claimed = volumeClaimTemplates
    .map(({ metadata }) => metadata.name ?? '')
    .filter((name) => !volumes.some((volume) => volume.name === name))
    .map((name) => ({ name, persistentVolumeClaim: { claimName: name } }));
  return claimed.length === 0 ? template : { ...template, spec: { ...template.spec, volumes: [...volumes, ...claimed] } };
}

export const statefulSetDefinition = defineBuiltin<StatefulSet>({
  group: 'apps',
  kind: 'StatefulSet',
  plural: 'statefulsets',
  shortNames: ['sts'],
  categories: ['all'],
  versions: [
    {
      name: 'v1',
      schema: statefulSetSchema,
      served: true,
      columns: [
        column<StatefulSet>('Ready', ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec.replicas ?? 0}`),
        ageColumn,
        ...workloadColumns<StatefulSet>(({ spec }) => spec.template),
      ],
    },
  ],
  scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas', labelSelectorPath: '.spec.selector' },
  default({ spec }) {
    setPodSpecDefaults(spec.template.spec);
    if (spec.updateStrategy?.type === 'RollingUpdate') {
      spec.updateStrategy.rollingUpdate = { partition: 0, ...spec.updateStrategy.rollingUpdate };
    }
    for (const claim of spec.volumeClaimTemplates ?? [])
      Object.assign(claim, { kind: 'PersistentVolumeClaim', apiVersion: 'v1', status: { phase: 'Pending', ...claim.status } });
  },
  validate: ({ spec }, { old }) => [
    ...validateWorkload({ ...spec, template: withClaims(spec) }, 'statefulset'),
    ...nonNegative('spec.updateStrategy.rollingUpdate.partition', spec.updateStrategy?.rollingUpdate?.partition),
    ...nonNegative('spec.ordinals.start', spec.ordinals?.start),
    ...(old === undefined || jsonEqual(fixedPart(spec), fixedPart(old.spec)) ? [] : [fieldForbidden('spec', fixedText)]),
  ],
});
export const statefulSets = resourceOf(statefulSetDefinition);
