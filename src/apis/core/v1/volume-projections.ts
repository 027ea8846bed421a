import { objectFieldSelectorSchema, resourceFieldSelectorSchema } from '#apis/core/v1/environment.ts';
import { labelSelectorSchema } from '#apis/meta/object.ts';
import { boolean, int32, int64, list, map, object, required, string, type Infer } from '#apis/schema.ts';

const core = 'io.k8s.api.core.v1';

export const keyToPathSchema = object(`${core}.KeyToPath`, {
  key: [1, required(string())],
  path: [2, required(string())],
  mode: [3, int32()],
});
export interface KeyToPath extends Infer<typeof keyToPathSchema> {}

export const configMapVolumeSourceSchema = object(`${core}.ConfigMapVolumeSource`, {
  name: [[1, 1], string()],
  items: [2, list(keyToPathSchema)],
  defaultMode: [3, int32({ default: 420 })],
  optional: [4, boolean()],
});

export const secretVolumeSourceSchema = object(`${core}.SecretVolumeSource`, {
  secretName: [1, string()],
  items: [2, list(keyToPathSchema)],
  defaultMode: [3, int32({ default: 420 })],
  optional: [4, boolean()],
});

export const downwardAPIVolumeFileSchema = object(`${core}.DownwardAPIVolumeFile`, {
  path: [1, required(string())],
  fieldRef: [2, objectFieldSelectorSchema],
  resourceFieldRef: [3, resourceFieldSelectorSchema],
  mode: [4, int32()],
});
export interface DownwardAPIVolumeFile extends Infer<typeof downwardAPIVolumeFileSchema> {}

export const downwardAPIVolumeSourceSchema = object(`${core}.DownwardAPIVolumeSource`, {
  items: [1, list(downwardAPIVolumeFileSchema)],
  defaultMode: [2, int32({ default: 420 })],
});

export const configMapProjectionSchema = object(`${core}.ConfigMapProjection`, {
  name: [[1, 1], string()],
  items: [2, list(keyToPathSchema)],
  optional: [4, boolean()],
});
export interface ConfigMapProjection extends Infer<typeof configMapProjectionSchema> {}

export const secretProjectionSchema = object(`${core}.SecretProjection`, {
  name: [[1, 1], string()],
  items: [2, list(keyToPathSchema)],
  optional: [4, boolean()],
});
export interface SecretProjection extends Infer<typeof secretProjectionSchema> {}

export const downwardAPIProjectionSchema = object(`${core}.DownwardAPIProjection`, {
  items: [1, list(downwardAPIVolumeFileSchema)],
});
export interface DownwardAPIProjection extends Infer<typeof downwardAPIProjectionSchema> {}

export const serviceAccountTokenProjectionSchema = object(`${core}.ServiceAccountTokenProjection`, {
  audience: [1, string()],
  expirationSeconds: [2, int64({ default: 3600 })],
  path: [3, required(string())],
});
export interface ServiceAccountTokenProjection extends Infer<typeof serviceAccountTokenProjectionSchema> {}

export const clusterTrustBundleProjectionSchema = object(`${core}.ClusterTrustBundleProjection`, {
  name: [1, string()],
  signerName: [2, string()],
  labelSelector: [3, labelSelectorSchema],
  path: [4, required(string())],
  optional: [5, boolean()],
});
export interface ClusterTrustBundleProjection extends Infer<typeof clusterTrustBundleProjectionSchema> {}

export const podCertificateProjectionSchema = object(`${core}.PodCertificateProjection`, {
  signerName: [1, required(string())],
  keyType: [2, required(string())],
  maxExpirationSeconds: [3, int32({ default: 86400 })],
  credentialBundlePath: [4, string()],
  keyPath: [5, string()],
  certificateChainPath: [6, string()],
  userAnnotations: [7, map(string())],
});
export interface PodCertificateProjection extends Infer<typeof podCertificateProjectionSchema> {}

export const volumeProjectionSchema = object(`${core}.VolumeProjection`, {
  secret: [1, secretProjectionSchema],
  downwardAPI: [2, downwardAPIProjectionSchema],
  configMap: [3, configMapProjectionSchema],
  serviceAccountToken: [4, serviceAccountTokenProjectionSchema],
  clusterTrustBundle: [5, clusterTrustBundleProjectionSchema],
  podCertificate: [6, podCertificateProjectionSchema],
});
export interface VolumeProjection extends Infer<typeof volumeProjectionSchema> {}

export const projectedVolumeSourceSchema = object(`${core}.ProjectedVolumeSource`, {
  sources: [1, list(volumeProjectionSchema)],
  defaultMode: [2, int32({ default: 420 })],
});
