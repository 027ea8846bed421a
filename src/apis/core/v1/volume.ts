import { persistentVolumeClaimTemplateSchema } from '#apis/core/v1/persistent-volume-claim-spec.ts';
import {
  azureFileVolumeSourceSchema,
  cephFSVolumeSourceSchema,
  cinderVolumeSourceSchema,
  csiVolumeSourceSchema,
  emptyDirVolumeSourceSchema,
  flexVolumeSourceSchema,
  glusterfsVolumeSourceSchema,
  imageVolumeSourceSchema,
  iscsiVolumeSourceSchema,
  persistentVolumeClaimVolumeSourceSchema,
  rbdVolumeSourceSchema,
  scaleIOVolumeSourceSchema,
  storageOSVolumeSourceSchema,
} from '#apis/core/v1/pod-volume-sources.ts';
import {
  configMapVolumeSourceSchema,
  downwardAPIVolumeSourceSchema,
  projectedVolumeSourceSchema,
  secretVolumeSourceSchema,
} from '#apis/core/v1/volume-projections.ts';
import {
  awsElasticBlockStoreVolumeSourceSchema,
  azureDiskVolumeSourceSchema,
  fcVolumeSourceSchema,
  flockerVolumeSourceSchema,
  gcePersistentDiskVolumeSourceSchema,
  gitRepoVolumeSourceSchema,
  hostPathVolumeSourceSchema,
  nfsVolumeSourceSchema,
  photonPersistentDiskVolumeSourceSchema,
  portworxVolumeSourceSchema,
  quobyteVolumeSourceSchema,
  vsphereVirtualDiskVolumeSourceSchema,
} from '#apis/core/v1/volume-sources.ts';
import { object, required, string, type Infer } from '#apis/schema.ts';

const core = 'io.k8s.api.core.v1';

export const ephemeralVolumeSourceSchema = object(`${core}.EphemeralVolumeSource`, {
  volumeClaimTemplate: [1, persistentVolumeClaimTemplateSchema],
});

export const volumeSchema = object(`${core}.Volume`, {
  awsElasticBlockStore: [[2, 4], awsElasticBlockStoreVolumeSourceSchema],
  azureDisk: [[2, 22], azureDiskVolumeSourceSchema],
  azureFile: [[2, 18], azureFileVolumeSourceSchema],
  cephfs: [[2, 14], cephFSVolumeSourceSchema],
  cinder: [[2, 13], cinderVolumeSourceSchema],
  configMap: [[2, 19], configMapVolumeSourceSchema],
  csi: [[2, 28], csiVolumeSourceSchema],
  downwardAPI: [[2, 16], downwardAPIVolumeSourceSchema],
  emptyDir: [[2, 2], emptyDirVolumeSourceSchema],
  ephemeral: [[2, 29], ephemeralVolumeSourceSchema],
  fc: [[2, 17], fcVolumeSourceSchema],
  flexVolume: [[2, 12], flexVolumeSourceSchema],
  flocker: [[2, 15], flockerVolumeSourceSchema],
  gcePersistentDisk: [[2, 3], gcePersistentDiskVolumeSourceSchema],
  gitRepo: [[2, 5], gitRepoVolumeSourceSchema],
  glusterfs: [[2, 9], glusterfsVolumeSourceSchema],
  hostPath: [[2, 1], hostPathVolumeSourceSchema],
  image: [[2, 30], imageVolumeSourceSchema],
  iscsi: [[2, 8], iscsiVolumeSourceSchema],
  name: [1, required(string())],
  nfs: [[2, 7], nfsVolumeSourceSchema],
  persistentVolumeClaim: [[2, 10], persistentVolumeClaimVolumeSourceSchema],
  photonPersistentDisk: [[2, 23], photonPersistentDiskVolumeSourceSchema],
  portworxVolume: [[2, 24], portworxVolumeSourceSchema],
  projected: [[2, 26], projectedVolumeSourceSchema],
  quobyte: [[2, 21], quobyteVolumeSourceSchema],
  rbd: [[2, 11], rbdVolumeSourceSchema],
  scaleIO: [[2, 25], scaleIOVolumeSourceSchema],
  secret: [[2, 6], secretVolumeSourceSchema],
  storageos: [[2, 27], storageOSVolumeSourceSchema],
  vsphereVolume: [[2, 20], vsphereVirtualDiskVolumeSourceSchema],
});
export interface Volume extends Infer<typeof volumeSchema> {}
