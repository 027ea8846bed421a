import { accessModes, formatAccessModes } from '#apis/core/v1/access-modes.ts';
import { type PersistentVolumeClaimSpec, persistentVolumeClaimSpecSchema } from '#apis/core/v1/persistent-volume-claim-spec.ts';
import { quantityErrors } from '#apis/core/v1/validate-resources.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column, wideColumn } from '#apis/meta/columns.ts';
import { jsonEqual } from '#apis/meta/equal.ts';
import { fieldForbidden, fieldNotSupported, fieldRequired, type FieldError } from '#apis/meta/field-error.ts';
import { each, labelSelectorErrors } from '#apis/meta/validation.ts';
import { enumeration, list, listMap, map, object, quantity, required, string, time, type Infer } from '#apis/schema.ts';

const core = 'io.k8s.api.core.v1';

export const persistentVolumeClaimConditionSchema = object(`${core}.PersistentVolumeClaimCondition`, {
  type: [1, required(string())],
  status: [2, required(string())],
  lastProbeTime: [3, time()],
  lastTransitionTime: [4, time()],
  reason: [5, string()],
  message: [6, string()],
});
export interface PersistentVolumeClaimCondition extends Infer<typeof persistentVolumeClaimConditionSchema> {}

export const modifyVolumeStatusSchema = object(`${core}.ModifyVolumeStatus`, {
  targetVolumeAttributesClassName: [1, string()],
  status: [2, required(string({ default: '' }))],
});
export interface ModifyVolumeStatus extends Infer<typeof modifyVolumeStatusSchema> {}

export const persistentVolumeClaimStatusSchema = object(`${core}.PersistentVolumeClaimStatus`, {
  phase: [1, enumeration(['Bound', 'Lost', 'Pending'], { default: 'Pending' })],
  accessModes: [2, list(string())],
  capacity: [3, map(quantity())],
  conditions: [4, listMap(persistentVolumeClaimConditionSchema, ['type'])],
  allocatedResources: [5, map(quantity())],
  allocatedResourceStatuses: [7, map(string(), { 'x-kubernetes-map-type': 'granular' })],
  currentVolumeAttributesClassName: [8, string()],
  modifyVolumeStatus: [9, modifyVolumeStatusSchema],
});
export interface PersistentVolumeClaimStatus extends Infer<typeof persistentVolumeClaimStatusSchema> {}

export const persistentVolumeClaimSchema = kindSchema(`${core}.PersistentVolumeClaim`, {
  spec: [2, persistentVolumeClaimSpecSchema],
  status: [3, persistentVolumeClaimStatusSchema],
});
export interface PersistentVolumeClaim extends Infer<typeof persistentVolumeClaimSchema> {}

const isGiven = (text: string | undefined): boolean => text !== undefined && text !== '';

const fixedText = 'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims';

/** The new spec with what a binder or a resize may set put back to what it was. */
function fixedPart(spec: PersistentVolumeClaimSpec, old: PersistentVolumeClaimSpec): unknown {
  return {
    ...spec,
    resources: old.resources,
    volumeAttributesClassName: old.volumeAttributesClassName,
    ...(isGiven(old.volumeName) ? {} : { volumeName: old.volumeName }),
    ...(old.storageClassName === undefined ? { storageClassName: undefined } : {}),
  };
}

function claimErrors(spec: PersistentVolumeClaimSpec): readonly FieldError[] {
  const storage = spec.resources?.requests?.['storage'];
  return [
    ...labelSelectorErrors('spec.selector', spec.selector),
    ...((spec.accessModes ?? []).length === 0 ? [fieldRequired('spec.accessModes', 'at least 1 access mode is required')] : []),
    ...each(spec.accessModes, 'spec.accessModes', (mode) =>
      accessModes.includes(mode) ? [] : [fieldNotSupported('spec.accessModes', mode, [...accessModes].sort())],
    ),
    ...(storage === undefined ? [fieldRequired('spec.resources[storage]')] : quantityErrors('spec.resources[storage]', storage)),
  ];
}

export const persistentVolumeClaimDefinition = defineBuiltin<PersistentVolumeClaim>({
  group: '',
  kind: 'PersistentVolumeClaim',
  plural: 'persistentvolumeclaims',
  shortNames: ['pvc'],
  hasGeneration: false,
  versions: [
    {
      name: 'v1',
      schema: persistentVolumeClaimSchema,
      served: true,
      columns: [
        column<PersistentVolumeClaim>('Status', ({ metadata, status }) =>
          metadata.deletionTimestamp === undefined ? (status?.phase ?? '') : 'Terminating',
        ),
        column<PersistentVolumeClaim>('Volume', ({ spec }) => spec.volumeName ?? ''),
        column<PersistentVolumeClaim>('Capacity', ({ spec, status }) =>
          isGiven(spec.volumeName) ? String(status?.capacity?.['storage'] ?? '') : '',
        ),
        column<PersistentVolumeClaim>('Access Modes', ({ spec, status }) =>
          isGiven(spec.volumeName) ? formatAccessModes(status?.accessModes) : '',
        ),
        column<PersistentVolumeClaim>('StorageClass', ({ spec }) => spec.storageClassName ?? ''),
        column<PersistentVolumeClaim>('VolumeAttributesClass', ({ spec }) => spec.volumeAttributesClassName ?? '<unset>'),
        ageColumn,
        wideColumn<PersistentVolumeClaim>('VolumeMode', ({ spec }) => spec.volumeMode ?? '<unset>'),
      ],
    },
  ],
  default(claim, { operation }) {
    if (operation === 'create') claim.status = { phase: 'Pending' };
  },
  validate: ({ spec }, { old }) => [
    ...claimErrors(spec),
    ...(old === undefined || jsonEqual(fixedPart(spec, old.spec), old.spec) ? [] : [fieldForbidden('spec', fixedText)]),
  ],
});
export const persistentVolumeClaims = resourceOf(persistentVolumeClaimDefinition);
