import { objectReferenceSchema, secretReferenceSchema } from '#apis/core/v1/references.ts';
import { cephFSSource, cinderSource, flexSource, iscsiSource, rbdSource, scaleIOSource } from '#apis/core/v1/twin-volume-sources.ts';
import { boolean, map, object, required, string } from '#apis/schema.ts';

const core = 'io.k8s.api.core.v1';

export const azureFilePersistentVolumeSourceSchema = object(`${core}.AzureFilePersistentVolumeSource`, {
  secretName: [1, required(string())],
  shareName: [2, required(string())],
  readOnly: [3, boolean()],
  secretNamespace: [4, string()],
});

export const cephFSPersistentVolumeSourceSchema = cephFSSource(`${core}.CephFSPersistentVolumeSource`, secretReferenceSchema);

export const cinderPersistentVolumeSourceSchema = cinderSource(`${core}.CinderPersistentVolumeSource`, secretReferenceSchema);

export const csiPersistentVolumeSourceSchema = object(`${core}.CSIPersistentVolumeSource`, {
  driver: [1, required(string())],
  volumeHandle: [2, required(string())],
  readOnly: [3, boolean()],
  fsType: [4, string()],
  volumeAttributes: [5, map(string())],
  controllerPublishSecretRef: [6, secretReferenceSchema],
  nodeStageSecretRef: [7, secretReferenceSchema],
  nodePublishSecretRef: [8, secretReferenceSchema],
  controllerExpandSecretRef: [9, secretReferenceSchema],
  nodeExpandSecretRef: [10, secretReferenceSchema],
});

export const flexPersistentVolumeSourceSchema = flexSource(`${core}.FlexPersistentVolumeSource`, secretReferenceSchema);

export const glusterfsPersistentVolumeSourceSchema = object(`${core}.GlusterfsPersistentVolumeSource`, {
  endpoints: [1, required(string())],
  path: [2, required(string())],
  readOnly: [3, boolean()],
  endpointsNamespace: [4, string()],
});

export const iscsiPersistentVolumeSourceSchema = iscsiSource(`${core}.ISCSIPersistentVolumeSource`, secretReferenceSchema);

export const rbdPersistentVolumeSourceSchema = rbdSource(`${core}.RBDPersistentVolumeSource`, secretReferenceSchema);

export const scaleIOPersistentVolumeSourceSchema = scaleIOSource(`${core}.ScaleIOPersistentVolumeSource`, secretReferenceSchema);

export const storageOSPersistentVolumeSourceSchema = object(`${core}.StorageOSPersistentVolumeSource`, {
  volumeName: [1, string()],
  volumeNamespace: [2, string()],
  fsType: [3, string()],
  readOnly: [4, boolean()],
  secretRef: [5, objectReferenceSchema],
});
