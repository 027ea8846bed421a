import { typedLocalObjectReferenceSchema, typedObjectReferenceSchema } from '#apis/core/v1/references.ts';
import { labelSelectorSchema, objectMetaSchema } from '#apis/meta/object.ts';
import { enumeration, list, map, object, quantity, required, string, type Infer } from '#apis/schema.ts';

const core = 'io.k8s.api.core.v1';

export const volumeResourceRequirementsSchema = object(`${core}.VolumeResourceRequirements`, {
  limits: [1, map(quantity())],
  requests: [2, map(quantity())],
});
export interface VolumeResourceRequirements extends Infer<typeof volumeResourceRequirementsSchema> {}

export const persistentVolumeClaimSpecSchema = object(`${core}.PersistentVolumeClaimSpec`, {
  accessModes: [1, list(string())],
  resources: [2, { ...volumeResourceRequirementsSchema, default: {} }],
  volumeName: [3, string()],
  selector: [4, labelSelectorSchema],
  storageClassName: [5, string()],
  volumeMode: [6, enumeration(['Block', 'Filesystem'], { default: 'Filesystem' })],
  dataSource: [7, typedLocalObjectReferenceSchema],
  dataSourceRef: [8, typedObjectReferenceSchema],
  volumeAttributesClassName: [9, string()],
});
export interface PersistentVolumeClaimSpec extends Infer<typeof persistentVolumeClaimSpecSchema> {}

export const persistentVolumeClaimTemplateSchema = object(`${core}.PersistentVolumeClaimTemplate`, {
  metadata: [1, objectMetaSchema],
  spec: [2, required(persistentVolumeClaimSpecSchema)],
});
export interface PersistentVolumeClaimTemplate extends Infer<typeof persistentVolumeClaimTemplateSchema> {}
