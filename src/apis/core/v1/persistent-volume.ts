import { accessModes, formatAccessModes } from '#apis/core/v1/access-modes.ts';
import {
  azureFilePersistentVolumeSourceSchema,
  cephFSPersistentVolumeSourceSchema,
  cinderPersistentVolumeSourceSchema,
  csiPersistentVolumeSourceSchema,
  flexPersistentVolumeSourceSchema,
  glusterfsPersistentVolumeSourceSchema,
  iscsiPersistentVolumeSourceSchema,
  rbdPersistentVolumeSourceSchema,
  scaleIOPersistentVolumeSourceSchema,
  storageOSPersistentVolumeSourceSchema,
} from '#apis/core/v1/persistent-volume-sources.ts';
import { objectReferenceSchema } from '#apis/core/v1/references.ts';
import { nodeSelectorSchema } from '#apis/core/v1/scheduling.ts';
import { quantityErrors } from '#apis/core/v1/validate-resources.ts';
import {
  awsElasticBlockStoreVolumeSourceSchema,
  azureDiskVolumeSourceSchema,
  fcVolumeSourceSchema,
  flockerVolumeSourceSchema,
  gcePersistentDiskVolumeSourceSchema,
  hostPathVolumeSourceSchema,
  localVolumeSourceSchema,
  nfsVolumeSourceSchema,
  photonPersistentDiskVolumeSourceSchema,
  portworxVolumeSourceSchema,
  quobyteVolumeSourceSchema,
  vsphereVirtualDiskVolumeSourceSchema,
} from '#apis/core/v1/volume-sources.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column, wideColumn } from '#apis/meta/columns.ts';
import { jsonEqual } from '#apis/meta/equal.ts';
import { fieldForbidden, fieldNotSupported, fieldRequired } from '#apis/meta/field-error.ts';
import { each } from '#apis/meta/validation.ts';
import { enumeration, list, map, object, quantity, string, time, type Infer } from '#apis/schema.ts';

const core = 'io.k8s.api.core.v1';

export const volumeNodeAffinitySchema = object(`${core}.VolumeNodeAffinity`, {
  required: [1, nodeSelectorSchema],
});
export interface VolumeNodeAffinity extends Infer<typeof volumeNodeAffinitySchema> {}

export const persistentVolumeSpecSchema = object(`${core}.PersistentVolumeSpec`, {
  capacity: [1, map(quantity())],
  accessModes: [3, list(string())],
  claimRef: [4, { ...objectReferenceSchema, 'x-kubernetes-map-type': 'granular' }],
  persistentVolumeReclaimPolicy: [5, enumeration(['Delete', 'Recycle', 'Retain'], { default: 'Retain' })],
  storageClassName: [6, string()],
  mountOptions: [7, list(string())],
  volumeMode: [8, enumeration(['Block', 'Filesystem'], { default: 'Filesystem' })],
  nodeAffinity: [9, volumeNodeAffinitySchema],
  volumeAttributesClassName: [10, string()],
  awsElasticBlockStore: [[2, 2], awsElasticBlockStoreVolumeSourceSchema],
  azureDisk: [[2, 16], azureDiskVolumeSourceSchema],
  azureFile: [[2, 13], azureFilePersistentVolumeSourceSchema],
  cephfs: [[2, 9], cephFSPersistentVolumeSourceSchema],
  cinder: [[2, 8], cinderPersistentVolumeSourceSchema],
  csi: [[2, 22], csiPersistentVolumeSourceSchema],
  fc: [[2, 10], fcVolumeSourceSchema],
  flexVolume: [[2, 12], flexPersistentVolumeSourceSchema],
  flocker: [[2, 11], flockerVolumeSourceSchema],
  gcePersistentDisk: [[2, 1], gcePersistentDiskVolumeSourceSchema],
  glusterfs: [[2, 4], glusterfsPersistentVolumeSourceSchema],
  hostPath: [[2, 3], hostPathVolumeSourceSchema],
  iscsi: [[2, 7], iscsiPersistentVolumeSourceSchema],
  local: [[2, 20], localVolumeSourceSchema],
  nfs: [[2, 5], nfsVolumeSourceSchema],
  photonPersistentDisk: [[2, 17], photonPersistentDiskVolumeSourceSchema],
  portworxVolume: [[2, 18], portworxVolumeSourceSchema],
  quobyte: [[2, 15], quobyteVolumeSourceSchema],
  rbd: [[2, 6], rbdPersistentVolumeSourceSchema],
  scaleIO: [[2, 19], scaleIOPersistentVolumeSourceSchema],
  storageos: [[2, 21], storageOSPersistentVolumeSourceSchema],
  vsphereVolume: [[2, 14], vsphereVirtualDiskVolumeSourceSchema],
});
export interface PersistentVolumeSpec extends Infer<typeof persistentVolumeSpecSchema> {}

export const persistentVolumeStatusSchema = object(`${core}.PersistentVolumeStatus`, {
  phase: [1, enumeration(['Available', 'Bound', 'Failed', 'Pending', 'Released'], { default: 'Pending' })],
  message: [2, string()],
  reason: [3, string()],
  lastPhaseTransitionTime: [4, time()],
});
export interface PersistentVolumeStatus extends Infer<typeof persistentVolumeStatusSchema> {}

export const persistentVolumeSchema = kindSchema(`${core}.PersistentVolume`, {
  spec: [2, persistentVolumeSpecSchema],
  status: [3, persistentVolumeStatusSchema],
});
export interface PersistentVolume extends Infer<typeof persistentVolumeSchema> {}

/** Fields of the spec that are not a volume source. */
const plainFields: ReadonlySet<string> = new Set([
  'accessModes',
  'capacity',
  'claimRef',
  'mountOptions',
  'nodeAffinity',
  'persistentVolumeReclaimPolicy',
  'storageClassName',
  'volumeAttributesClassName',
  'volumeMode',
]);

function sourceOf(spec: PersistentVolumeSpec): unknown {
  return Object.fromEntries(Object.entries(spec).filter(([key]) => !plainFields.has(key)));
}

export const persistentVolumeDefinition = defineBuiltin<PersistentVolume>({
  group: '',
  kind: 'PersistentVolume',
  plural: 'persistentvolumes',
  shortNames: ['pv'],
  namespaced: false,
  hasGeneration: false,
  versions: [
    {
      name: 'v1',
      schema: persistentVolumeSchema,
      served: true,
      columns: [
        column<PersistentVolume>('Capacity', ({ spec }) => String(spec.capacity?.['storage'] ?? '')),
        column<PersistentVolume>('Access Modes', ({ spec }) => formatAccessModes(spec.accessModes)),
        column<PersistentVolume>('Reclaim Policy', ({ spec }) => spec.persistentVolumeReclaimPolicy ?? ''),
        column<PersistentVolume>('Status', ({ metadata, status }) =>
          metadata.deletionTimestamp === undefined ? (status?.phase ?? '') : 'Terminating',
        ),
        column<PersistentVolume>('Claim', ({ spec }) =>
          spec.claimRef === undefined ? '' : `${spec.claimRef.namespace}/${spec.claimRef.name}`,
        ),
        column<PersistentVolume>('StorageClass', ({ spec }) => spec.storageClassName ?? ''),
        column<PersistentVolume>('VolumeAttributesClass', ({ spec }) => spec.volumeAttributesClassName ?? '<unset>'),
        column<PersistentVolume>('Reason', ({ status }) => status?.reason ?? ''),
        ageColumn,
        wideColumn<PersistentVolume>('VolumeMode', ({ spec }) => spec.volumeMode ?? '<unset>'),
      ],
    },
  ],
  default(volume, { operation }) {
    if (operation === 'create') volume.status = { phase: 'Pending' };
  },
  validate: ({ spec }, { old }) => [
    ...((spec.accessModes ?? []).length === 0 ? [fieldRequired('spec.accessModes')] : []),
    ...each(spec.accessModes, 'spec.accessModes', (mode) =>
      accessModes.includes(mode) ? [] : [fieldNotSupported('spec.accessModes', mode, [...accessModes].sort())],
    ),
    ...(Object.keys(spec.capacity ?? {}).length === 0 ? [fieldRequired('spec.capacity')] : []),
    ...quantityErrors('spec.capacity[storage]', spec.capacity?.['storage']),
    ...(Object.keys(spec).some((key) => !plainFields.has(key)) ? [] : [fieldRequired('spec', 'must specify a volume type')]),
    ...(old === undefined || jsonEqual(sourceOf(spec), sourceOf(old.spec))
      ? []
      : [fieldForbidden('spec.persistentvolumesource', 'spec.persistentvolumesource is immutable after creation')]),
  ],
});
export const persistentVolumes = resourceOf(persistentVolumeDefinition);
