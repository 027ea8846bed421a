import { localObjectReferenceSchema } from '#apis/core/v1/references.ts';
import { cephFSSource, cinderSource, flexSource, iscsiSource, rbdSource, scaleIOSource } from '#apis/core/v1/twin-volume-sources.ts';
import { boolean, enumeration, map, object, quantity, required, string } from '#apis/schema.ts';

const core = 'io.k8s.api.core.v1';

export const azureFileVolumeSourceSchema = object(`${core}.AzureFileVolumeSource`, {
  secretName: [1, required(string())],
  shareName: [2, required(string())],
  readOnly: [3, boolean()],
});

export const cephFSVolumeSourceSchema = cephFSSource(`${core}.CephFSVolumeSource`, localObjectReferenceSchema);

export const cinderVolumeSourceSchema = cinderSource(`${core}.CinderVolumeSource`, localObjectReferenceSchema);

export const csiVolumeSourceSchema = object(`${core}.CSIVolumeSource`, {
  driver: [1, required(string())],
  readOnly: [2, boolean()],
  fsType: [3, string()],
  volumeAttributes: [4, map(string())],
  nodePublishSecretRef: [5, localObjectReferenceSchema],
});

export const flexVolumeSourceSchema = flexSource(`${core}.FlexVolumeSource`, localObjectReferenceSchema);

export const glusterfsVolumeSourceSchema = object(`${core}.GlusterfsVolumeSource`, {
  endpoints: [1, required(string())],
  path: [2, required(string())],
  readOnly: [3, boolean()],
});

export const imageVolumeSourceSchema = object(`${core}.ImageVolumeSource`, {
  reference: [1, string()],
  pullPolicy: [2, enumeration(['Always', 'IfNotPresent', 'Never'])],
});

export const iscsiVolumeSourceSchema = iscsiSource(`${core}.ISCSIVolumeSource`, localObjectReferenceSchema);

export const persistentVolumeClaimVolumeSourceSchema = object(`${core}.PersistentVolumeClaimVolumeSource`, {
  claimName: [1, required(string())],
  readOnly: [2, boolean()],
});

export const rbdVolumeSourceSchema = rbdSource(`${core}.RBDVolumeSource`, localObjectReferenceSchema);

export const scaleIOVolumeSourceSchema = scaleIOSource(`${core}.ScaleIOVolumeSource`, localObjectReferenceSchema);

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
