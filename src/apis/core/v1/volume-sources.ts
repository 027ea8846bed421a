import { boolean, int32, list, object, required, string } from '#apis/schema.ts';

const core = 'io.k8s.api.core.v1';

export const awsElasticBlockStoreVolumeSourceSchema = object(`${core}.AWSElasticBlockStoreVolumeSource`, {
  volumeID: [1, required(string())],
  fsType: [2, string()],
  partition: [3, int32()],
  readOnly: [4, boolean()],
});

export const azureDiskVolumeSourceSchema = object(`${core}.AzureDiskVolumeSource`, {
  diskName: [1, required(string())],
  diskURI: [2, required(string())],
  cachingMode: [3, string({ default: 'ReadWrite' })],
  fsType: [4, string({ default: 'ext4' })],
  readOnly: [5, boolean({ default: false })],
  kind: [6, string({ default: 'Shared' })],
});

export const fcVolumeSourceSchema = object(`${core}.FCVolumeSource`, {
  targetWWNs: [1, list(string())],
  lun: [2, int32()],
  fsType: [3, string()],
  readOnly: [4, boolean()],
  wwids: [5, list(string())],
});

export const flockerVolumeSourceSchema = object(`${core}.FlockerVolumeSource`, {
  datasetName: [1, string()],
  datasetUUID: [2, string()],
});

export const gcePersistentDiskVolumeSourceSchema = object(`${core}.GCEPersistentDiskVolumeSource`, {
  pdName: [1, required(string())],
  fsType: [2, string()],
  partition: [3, int32()],
  readOnly: [4, boolean()],
});

export const gitRepoVolumeSourceSchema = object(`${core}.GitRepoVolumeSource`, {
  repository: [1, required(string())],
  revision: [2, string()],
  directory: [3, string()],
});

export const hostPathVolumeSourceSchema = object(`${core}.HostPathVolumeSource`, {
  path: [1, required(string())],
  type: [2, string({ default: '' })],
});

export const nfsVolumeSourceSchema = object(`${core}.NFSVolumeSource`, {
  server: [1, required(string())],
  path: [2, required(string())],
  readOnly: [3, boolean()],
});

export const photonPersistentDiskVolumeSourceSchema = object(`${core}.PhotonPersistentDiskVolumeSource`, {
  pdID: [1, required(string())],
  fsType: [2, string()],
});

export const portworxVolumeSourceSchema = object(`${core}.PortworxVolumeSource`, {
  volumeID: [1, required(string())],
  fsType: [2, string()],
  readOnly: [3, boolean()],
});

export const quobyteVolumeSourceSchema = object(`${core}.QuobyteVolumeSource`, {
  registry: [1, required(string())],
  volume: [2, required(string())],
  readOnly: [3, boolean()],
  user: [4, string()],
  group: [5, string()],
  tenant: [6, string()],
});

export const vsphereVirtualDiskVolumeSourceSchema = object(`${core}.VsphereVirtualDiskVolumeSource`, {
  volumePath: [1, required(string())],
  fsType: [2, string()],
  storagePolicyName: [3, string()],
  storagePolicyID: [4, string()],
});

export const localVolumeSourceSchema = object(`${core}.LocalVolumeSource`, {
  path: [1, required(string())],
  fsType: [2, string()],
});
