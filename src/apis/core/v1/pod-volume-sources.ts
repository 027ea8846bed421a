import { localObjectReferenceSchema } from '#apis/core/v1/references.ts';
import { boolean, enumeration, int32, list, map, object, quantity, required, string } from '#apis/schema.ts';

const core = 'io.k8s.api.core.v1';

export const azureFileVolumeSourceSchema = object(`${core}.AzureFileVolumeSource`, {
  secretName: [1, required(string())],
  shareName: [2, required(string())],
  readOnly: [3, boolean()],
});

export const cephFSVolumeSourceSchema = object(`${core}.CephFSVolumeSource`, {
  monitors: [1, required(list(string()))],
  path: [2, string()],
  user: [3, string()],
  secretFile: [4, string()],
  secretRef: [5, localObjectReferenceSchema],
  readOnly: [6, boolean()],
});

export const cinderVolumeSourceSchema = object(`${core}.CinderVolumeSource`, {
  volumeID: [1, required(string())],
  fsType: [2, string()],
  readOnly: [3, boolean()],
  secretRef: [4, localObjectReferenceSchema],
});

export const csiVolumeSourceSchema = object(`${core}.CSIVolumeSource`, {
  driver: [1, required(string())],
  readOnly: [2, boolean()],
  fsType: [3, string()],
  volumeAttributes: [4, map(string())],
  nodePublishSecretRef: [5, localObjectReferenceSchema],
});

export const flexVolumeSourceSchema = object(`${core}.FlexVolumeSource`, {
  driver: [1, required(string())],
  fsType: [2, string()],
  secretRef: [3, localObjectReferenceSchema],
  readOnly: [4, boolean()],
  options: [5, map(string())],
});

export const glusterfsVolumeSourceSchema = object(`${core}.GlusterfsVolumeSource`, {
  endpoints: [1, required(string())],
  path: [2, required(string())],
  readOnly: [3, boolean()],
});

export const imageVolumeSourceSchema = object(`${core}.ImageVolumeSource`, {
  reference: [1, string()],
  pullPolicy: [2, enumeration(['Always', 'IfNotPresent', 'Never'])],
});

export const iscsiVolumeSourceSchema = object(`${core}.ISCSIVolumeSource`, {
  targetPortal: [1, required(string())],
  iqn: [2, required(string())],
  lun: [3, required(int32())],
  iscsiInterface: [4, string({ default: 'default' })],
  fsType: [5, string()],
  readOnly: [6, boolean()],
  portals: [7, list(string())],
  chapAuthDiscovery: [8, boolean()],
  secretRef: [10, localObjectReferenceSchema],
  chapAuthSession: [11, boolean()],
  initiatorName: [12, string()],
});

export const persistentVolumeClaimVolumeSourceSchema = object(`${core}.PersistentVolumeClaimVolumeSource`, {
  claimName: [1, required(string())],
  readOnly: [2, boolean()],
});

export const rbdVolumeSourceSchema = object(`${core}.RBDVolumeSource`, {
  monitors: [1, required(list(string()))],
  image: [2, required(string())],
  fsType: [3, string()],
  pool: [4, string({ default: 'rbd' })],
  user: [5, string({ default: 'admin' })],
  keyring: [6, string({ default: '/etc/ceph/keyring' })],
  secretRef: [7, localObjectReferenceSchema],
  readOnly: [8, boolean()],
});

export const scaleIOVolumeSourceSchema = object(`${core}.ScaleIOVolumeSource`, {
  gateway: [1, required(string())],
  system: [2, required(string())],
  secretRef: [3, required(localObjectReferenceSchema)],
  sslEnabled: [4, boolean()],
  protectionDomain: [5, string()],
  storagePool: [6, string()],
  storageMode: [7, string({ default: 'ThinProvisioned' })],
  volumeName: [8, string()],
  fsType: [9, string({ default: 'xfs' })],
  readOnly: [10, boolean()],
});

export const storageOSVolumeSourceSchema = object(`${core}.StorageOSVolumeSource`, {
  volumeName: [1, string()],
  volumeNamespace: [2, string()],
  fsType: [3, string()],
  readOnly: [4, boolean()],
  secretRef: [5, localObjectReferenceSchema],
});

export const emptyDirVolumeSourceSchema = object(`${core}.EmptyDirVolumeSource`, {
  medium: [1, string()],
  sizeLimit: [2, quantity()],
});
