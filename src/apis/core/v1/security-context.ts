import { boolean, enumeration, int64, list, object, required, string, type Infer } from '#apis/schema.ts';

const core = 'io.k8s.api.core.v1';

export const capabilitiesSchema = object(`${core}.Capabilities`, {
  add: [1, list(string())],
  drop: [2, list(string())],
});
export interface Capabilities extends Infer<typeof capabilitiesSchema> {}

export const seLinuxOptionsSchema = object(`${core}.SELinuxOptions`, {
  user: [1, string()],
  role: [2, string()],
  type: [3, string()],
  level: [4, string()],
});
export interface SELinuxOptions extends Infer<typeof seLinuxOptionsSchema> {}

export const windowsSecurityContextOptionsSchema = object(`${core}.WindowsSecurityContextOptions`, {
  gmsaCredentialSpecName: [1, string()],
  gmsaCredentialSpec: [2, string()],
  runAsUserName: [3, string()],
  hostProcess: [4, boolean()],
});
export interface WindowsSecurityContextOptions extends Infer<typeof windowsSecurityContextOptionsSchema> {}

export const seccompProfileSchema = object(`${core}.SeccompProfile`, {
  type: [1, required(enumeration(['Localhost', 'RuntimeDefault', 'Unconfined']))],
  localhostProfile: [2, string()],
});
export interface SeccompProfile extends Infer<typeof seccompProfileSchema> {}

export const appArmorProfileSchema = object(`${core}.AppArmorProfile`, {
  type: [1, required(enumeration(['Localhost', 'RuntimeDefault', 'Unconfined']))],
  localhostProfile: [2, string()],
});
export interface AppArmorProfile extends Infer<typeof appArmorProfileSchema> {}

export const securityContextSchema = object(`${core}.SecurityContext`, {
  capabilities: [1, capabilitiesSchema],
  privileged: [2, boolean()],
  seLinuxOptions: [3, seLinuxOptionsSchema],
  runAsUser: [4, int64()],
  runAsNonRoot: [5, boolean()],
  readOnlyRootFilesystem: [6, boolean()],
  allowPrivilegeEscalation: [7, boolean()],
  runAsGroup: [8, int64()],
  procMount: [9, enumeration(['Default', 'Unmasked'])],
  windowsOptions: [10, windowsSecurityContextOptionsSchema],
  seccompProfile: [11, seccompProfileSchema],
  appArmorProfile: [12, appArmorProfileSchema],
});
export interface SecurityContext extends Infer<typeof securityContextSchema> {}

export const sysctlSchema = object(`${core}.Sysctl`, {
  name: [1, required(string())],
  value: [2, required(string({ default: '' }))],
});
export interface Sysctl extends Infer<typeof sysctlSchema> {}

export const podSecurityContextSchema = object(`${core}.PodSecurityContext`, {
  seLinuxOptions: [1, seLinuxOptionsSchema],
  runAsUser: [2, int64()],
  runAsNonRoot: [3, boolean()],
  supplementalGroups: [4, list(int64())],
  fsGroup: [5, int64()],
  runAsGroup: [6, int64()],
  sysctls: [7, list(sysctlSchema)],
  windowsOptions: [8, windowsSecurityContextOptionsSchema],
  fsGroupChangePolicy: [9, enumeration(['Always', 'OnRootMismatch'])],
  seccompProfile: [10, seccompProfileSchema],
  appArmorProfile: [11, appArmorProfileSchema],
  supplementalGroupsPolicy: [12, enumeration(['Merge', 'Strict'])],
  seLinuxChangePolicy: [13, string()],
});
export interface PodSecurityContext extends Infer<typeof podSecurityContextSchema> {}
