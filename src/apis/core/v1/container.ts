import { envFromSourceSchema, envVarSchema } from '#apis/core/v1/environment.ts';
import { lifecycleSchema, probeSchema } from '#apis/core/v1/probe.ts';
import { securityContextSchema } from '#apis/core/v1/security-context.ts';
import {
  boolean,
  enumeration,
  int32,
  list,
  listMap,
  listMapReplaced,
  listSet,
  map,
  object,
  quantity,
  required,
  string,
  type Infer,
} from '#apis/schema.ts';

const core = 'io.k8s.api.core.v1';

export const resourceClaimSchema = object(`${core}.ResourceClaim`, {
  name: [1, required(string())],
  request: [2, string()],
});
export interface ResourceClaim extends Infer<typeof resourceClaimSchema> {}

export const resourceRequirementsSchema = object(`${core}.ResourceRequirements`, {
  limits: [1, map(quantity())],
  requests: [2, map(quantity())],
  claims: [3, listMapReplaced(resourceClaimSchema, ['name'])],
});
export interface ResourceRequirements extends Infer<typeof resourceRequirementsSchema> {}

export const containerPortSchema = object(`${core}.ContainerPort`, {
  name: [1, string()],
  hostPort: [2, int32()],
  containerPort: [3, required(int32())],
  protocol: [4, enumeration(['SCTP', 'TCP', 'UDP'], { default: 'TCP' })],
  hostIP: [5, string()],
});
export interface ContainerPort extends Infer<typeof containerPortSchema> {}

export const containerResizePolicySchema = object(`${core}.ContainerResizePolicy`, {
  resourceName: [1, required(string())],
  restartPolicy: [2, required(string())],
});
export interface ContainerResizePolicy extends Infer<typeof containerResizePolicySchema> {}

export const volumeMountSchema = object(`${core}.VolumeMount`, {
  name: [1, required(string())],
  readOnly: [2, boolean()],
  mountPath: [3, required(string())],
  subPath: [4, string()],
  mountPropagation: [5, enumeration(['Bidirectional', 'HostToContainer', 'None'])],
  subPathExpr: [6, string()],
  recursiveReadOnly: [7, string()],
});
export interface VolumeMount extends Infer<typeof volumeMountSchema> {}

export const volumeDeviceSchema = object(`${core}.VolumeDevice`, {
  name: [1, required(string())],
  devicePath: [2, required(string())],
});
export interface VolumeDevice extends Infer<typeof volumeDeviceSchema> {}

export const containerRestartRuleOnExitCodesSchema = object(`${core}.ContainerRestartRuleOnExitCodes`, {
  operator: [1, required(string())],
  values: [2, listSet(int32())],
});
export interface ContainerRestartRuleOnExitCodes extends Infer<typeof containerRestartRuleOnExitCodesSchema> {}

export const containerRestartRuleSchema = object(`${core}.ContainerRestartRule`, {
  action: [1, required(string())],
  exitCodes: [2, containerRestartRuleOnExitCodesSchema],
});
export interface ContainerRestartRule extends Infer<typeof containerRestartRuleSchema> {}

export const containerSchema = object(`${core}.Container`, {
  name: [1, required(string())],
  image: [2, string()],
  command: [3, list(string())],
  args: [4, list(string())],
  workingDir: [5, string()],
  ports: [6, listMap(containerPortSchema, ['containerPort', 'protocol'])],
  env: [7, listMap(envVarSchema, ['name'])],
  resources: [8, { ...resourceRequirementsSchema, default: {} }],
  volumeMounts: [9, listMap(volumeMountSchema, ['mountPath'])],
  livenessProbe: [10, probeSchema],
  readinessProbe: [11, probeSchema],
  lifecycle: [12, lifecycleSchema],
  terminationMessagePath: [13, string({ default: '/dev/termination-log' })],
  imagePullPolicy: [14, enumeration(['Always', 'IfNotPresent', 'Never'])],
  securityContext: [15, securityContextSchema],
  stdin: [16, boolean()],
  stdinOnce: [17, boolean()],
  tty: [18, boolean()],
  envFrom: [19, list(envFromSourceSchema)],
  terminationMessagePolicy: [20, enumeration(['FallbackToLogsOnError', 'File'], { default: 'File' })],
  volumeDevices: [21, listMap(volumeDeviceSchema, ['devicePath'])],
  startupProbe: [22, probeSchema],
  resizePolicy: [23, list(containerResizePolicySchema)],
  restartPolicy: [24, string()],
  restartPolicyRules: [25, list(containerRestartRuleSchema)],
});
export interface Container extends Infer<typeof containerSchema> {}

export const ephemeralContainerSchema = object(`${core}.EphemeralContainer`, {
  name: [[1, 1], required(string())],
  targetContainerName: [2, string()],
  args: [[1, 4], list(string())],
  command: [[1, 3], list(string())],
  env: [[1, 7], listMap(envVarSchema, ['name'])],
  envFrom: [[1, 19], list(envFromSourceSchema)],
  image: [[1, 2], string()],
  imagePullPolicy: [[1, 14], enumeration(['Always', 'IfNotPresent', 'Never'])],
  lifecycle: [[1, 12], lifecycleSchema],
  livenessProbe: [[1, 10], probeSchema],
  ports: [[1, 6], listMap(containerPortSchema, ['containerPort', 'protocol'])],
  readinessProbe: [[1, 11], probeSchema],
  resizePolicy: [[1, 23], list(containerResizePolicySchema)],
  resources: [[1, 8], { ...resourceRequirementsSchema, default: {} }],
  restartPolicy: [[1, 24], string()],
  restartPolicyRules: [[1, 25], list(containerRestartRuleSchema)],
  securityContext: [[1, 15], securityContextSchema],
  startupProbe: [[1, 22], probeSchema],
  stdin: [[1, 16], boolean()],
  stdinOnce: [[1, 17], boolean()],
  terminationMessagePath: [[1, 13], string({ default: '/dev/termination-log' })],
  terminationMessagePolicy: [[1, 20], enumeration(['FallbackToLogsOnError', 'File'], { default: 'File' })],
  tty: [[1, 18], boolean()],
  volumeDevices: [[1, 21], listMap(volumeDeviceSchema, ['devicePath'])],
  volumeMounts: [[1, 9], listMap(volumeMountSchema, ['mountPath'])],
  workingDir: [[1, 5], string()],
});
export interface EphemeralContainer extends Infer<typeof ephemeralContainerSchema> {}

export type { Probe } from '#apis/core/v1/probe.ts';
