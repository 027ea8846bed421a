import { objectReferenceSchema, secretReferenceSchema } from '#apis/core/v1/references.ts';
import { boolean, int32, list, map, object, required, string } from '#apis/schema.ts';

const core = 'io.k8s.api.core.v1';

export const azureFilePersistentVolumeSourceSchema = object(`${core}.AzureFilePersistentVolumeSource`, {
  secretName: [1, required(string())],
  shareName: [2, required(string())],
  readOnly: [3, boolean()],
  secretNamespace: [4, string()],
});

export const cephFSPersistentVolumeSourceSchema = object(`${core}.CephFSPersistentVolumeSource`, {
  monitors: [1, required(list(string()))],
  path: [2, string()],
  user: [3, string()],
  secretFile: [4, string()],
  secretRef: [5, secretReferenceSchema],
  readOnly: [6, boolean()],
});

export const cinderPersistentVolumeSourceSchema = object(`${core}.CinderPersistentVolumeSource`, {
  volumeID: [1, required(string())],
  fsType: [2, string()],
  readOnly: [3, boolean()],
  secretRef: [4, secretReferenceSchema],
});

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

export const flexPersistentVolumeSourceSchema = object(`${core}.FlexPersistentVolumeSource`, {
  driver: [1, required(string())],
  fsType: [2, string()],
  secretRef: [3, secretReferenceSchema],
  readOnly: [4, boolean()],
  options: [5, map(string())],
});

export const glusterfsPersistentVolumeSourceSchema = object(`${core}.GlusterfsPersistentVolumeSource`, {
  endpoints: [1, required(string())],
  path: [2, required(string())],
  readOnly: [3, boolean()],
  endpointsNamespace: [4, string()],
});

export const iscsiPersistentVolumeSourceSchema = object(`${core}.ISCSIPersistentVolumeSource`, {
  targetPortal: [1, required(string())],
  iqn: [2, required(string())],
  lun: [3, required(int32())],
  iscsiInterface: [4, string({ default: 'default' })],
  fsType: [5, string()],
  readOnly: [6, boolean()],
  portals: [7, list(string())],
  chapAuthDiscovery: [8, boolean()],
  secretRef: [10, secretReferenceSchema],
  chapAuthSession: [11, boolean()],
  initiatorName: [12, string()],
});

export const rbdPersistentVolumeSourceSchema = object(`${core}.RBDPersistentVolumeSource`, {
  monitors: [1, required(list(string()))],
  image: [2, required(string())],
  fsType: [3, string()],
  pool: [4, string({ default: 'rbd' })],
  user: [5, string({ default: 'admin' })],
  keyring: [6, string({ default: '/etc/ceph/keyring' })],
  secretRef: [7, secretReferenceSchema],
  readOnly: [8, boolean()],
});

export const scaleIOPersistentVolumeSourceSchema = object(`${core}.ScaleIOPersistentVolumeSource`, {
  gateway: [1, required(string())],
  system: [2, required(string())],
  secretRef: [3, required(secretReferenceSchema)],
  sslEnabled: [4, boolean()],
  protectionDomain: [5, string()],
  storagePool: [6, string()],
  storageMode: [7, string({ default: 'ThinProvisioned' })],
  volumeName: [8, string()],
  fsType: [9, string({ default: 'xfs' })],
  readOnly: [10, boolean()],
});

export const storageOSPersistentVolumeSourceSchema = object(`${core}.StorageOSPersistentVolumeSource`, {
  volumeName: [1, string()],
  volumeNamespace: [2, string()],
  fsType: [3, string()],
  readOnly: [4, boolean()],
  secretRef: [5, objectReferenceSchema],
});
