import { boolean, object, quantity, required, string, type Infer } from '#apis/schema.ts';

const core = 'io.k8s.api.core.v1';

export const configMapKeySelectorSchema = object(
  `${core}.ConfigMapKeySelector`,
  {
    name: [[1, 1], string()],
    key: [2, required(string())],
    optional: [3, boolean()],
  },
  { 'x-kubernetes-map-type': 'atomic' },
);
export interface ConfigMapKeySelector extends Infer<typeof configMapKeySelectorSchema> {}

export const secretKeySelectorSchema = object(
  `${core}.SecretKeySelector`,
  {
    name: [[1, 1], string()],
    key: [2, required(string())],
    optional: [3, boolean()],
  },
  { 'x-kubernetes-map-type': 'atomic' },
);
export interface SecretKeySelector extends Infer<typeof secretKeySelectorSchema> {}

export const objectFieldSelectorSchema = object(
  `${core}.ObjectFieldSelector`,
  {
    apiVersion: [1, string({ default: 'v1' })],
    fieldPath: [2, required(string())],
  },
  { 'x-kubernetes-map-type': 'atomic' },
);
export interface ObjectFieldSelector extends Infer<typeof objectFieldSelectorSchema> {}

export const resourceFieldSelectorSchema = object(
  `${core}.ResourceFieldSelector`,
  {
    containerName: [1, string()],
    resource: [2, required(string())],
    divisor: [3, { ...quantity(), default: '0' }],
  },
  { 'x-kubernetes-map-type': 'atomic' },
);
export interface ResourceFieldSelector extends Infer<typeof resourceFieldSelectorSchema> {}

export const fileKeySelectorSchema = object(
  `${core}.FileKeySelector`,
  {
    volumeName: [1, required(string())],
    path: [2, required(string())],
    key: [3, required(string())],
    optional: [4, boolean()],
  },
  { 'x-kubernetes-map-type': 'atomic' },
);
export interface FileKeySelector extends Infer<typeof fileKeySelectorSchema> {}

export const envVarSourceSchema = object(`${core}.EnvVarSource`, {
  fieldRef: [1, objectFieldSelectorSchema],
  resourceFieldRef: [2, resourceFieldSelectorSchema],
  configMapKeyRef: [3, configMapKeySelectorSchema],
  secretKeyRef: [4, secretKeySelectorSchema],
  fileKeyRef: [5, fileKeySelectorSchema],
});
export interface EnvVarSource extends Infer<typeof envVarSourceSchema> {}

export const envVarSchema = object(`${core}.EnvVar`, {
  name: [1, required(string())],
  value: [2, string()],
  valueFrom: [3, envVarSourceSchema],
});
export interface EnvVar extends Infer<typeof envVarSchema> {}

export const configMapEnvSourceSchema = object(`${core}.ConfigMapEnvSource`, {
  name: [[1, 1], string()],
  optional: [2, boolean()],
});
export interface ConfigMapEnvSource extends Infer<typeof configMapEnvSourceSchema> {}

export const secretEnvSourceSchema = object(`${core}.SecretEnvSource`, {
  name: [[1, 1], string()],
  optional: [2, boolean()],
});
export interface SecretEnvSource extends Infer<typeof secretEnvSourceSchema> {}

export const envFromSourceSchema = object(`${core}.EnvFromSource`, {
  prefix: [1, string()],
  configMapRef: [2, configMapEnvSourceSchema],
  secretRef: [3, secretEnvSourceSchema],
});
export interface EnvFromSource extends Infer<typeof envFromSourceSchema> {}
