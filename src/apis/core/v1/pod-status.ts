import { resourceRequirementsSchema } from '#apis/core/v1/container.ts';
import {
  boolean,
  enumeration,
  int32,
  int64,
  list,
  listMap,
  listMapReplaced,
  listSet,
  map,
  object,
  quantity,
  required,
  string,
  time,
  type Infer,
} from '#apis/schema.ts';

const core = 'io.k8s.api.core.v1';

export const containerStateWaitingSchema = object(`${core}.ContainerStateWaiting`, {
  reason: [1, string()],
  message: [2, string()],
});
export interface ContainerStateWaiting extends Infer<typeof containerStateWaitingSchema> {}

export const containerStateRunningSchema = object(`${core}.ContainerStateRunning`, {
  startedAt: [1, time()],
});
export interface ContainerStateRunning extends Infer<typeof containerStateRunningSchema> {}

export const containerStateTerminatedSchema = object(`${core}.ContainerStateTerminated`, {
  exitCode: [1, required(int32({ default: 0 }))],
  signal: [2, int32()],
  reason: [3, string()],
  message: [4, string()],
  startedAt: [5, time()],
  finishedAt: [6, time()],
  containerID: [7, string()],
});
export interface ContainerStateTerminated extends Infer<typeof containerStateTerminatedSchema> {}

export const containerStateSchema = object(`${core}.ContainerState`, {
  waiting: [1, containerStateWaitingSchema],
  running: [2, containerStateRunningSchema],
  terminated: [3, containerStateTerminatedSchema],
});
export interface ContainerState extends Infer<typeof containerStateSchema> {}

export const resourceHealthSchema = object(`${core}.ResourceHealth`, {
  resourceID: [1, required(string({ default: '' }))],
  health: [2, string()],
  message: [6, string()],
});
export interface ResourceHealth extends Infer<typeof resourceHealthSchema> {}

export const resourceStatusSchema = object(`${core}.ResourceStatus`, {
  name: [1, required(string({ default: '' }))],
  resources: [2, listMapReplaced(resourceHealthSchema, ['resourceID'])],
});
export interface ResourceStatus extends Infer<typeof resourceStatusSchema> {}

export const linuxContainerUserSchema = object(`${core}.LinuxContainerUser`, {
  uid: [1, required(int64({ default: 0 }))],
  gid: [2, required(int64({ default: 0 }))],
  supplementalGroups: [3, list(int64())],
});
export interface LinuxContainerUser extends Infer<typeof linuxContainerUserSchema> {}

export const containerUserSchema = object(`${core}.ContainerUser`, {
  linux: [1, linuxContainerUserSchema],
});
export interface ContainerUser extends Infer<typeof containerUserSchema> {}

export const imageVolumeStatusSchema = object(`${core}.ImageVolumeStatus`, {
  imageRef: [1, required(string({ default: '' }))],
});
export interface ImageVolumeStatus extends Infer<typeof imageVolumeStatusSchema> {}

export const volumeStatusSchema = object(`${core}.VolumeStatus`, {
  image: [1, imageVolumeStatusSchema],
});
export interface VolumeStatus extends Infer<typeof volumeStatusSchema> {}

export const volumeMountStatusSchema = object(`${core}.VolumeMountStatus`, {
  name: [1, required(string({ default: '' }))],
  mountPath: [2, required(string({ default: '' }))],
  readOnly: [3, boolean()],
  recursiveReadOnly: [4, string()],
  volumeStatus: [5, volumeStatusSchema],
});
export interface VolumeMountStatus extends Infer<typeof volumeMountStatusSchema> {}

export const containerStatusSchema = object(`${core}.ContainerStatus`, {
  name: [1, required(string({ default: '' }))],
  state: [2, containerStateSchema],
  lastState: [3, containerStateSchema],
  ready: [4, required(boolean({ default: false }))],
  restartCount: [5, required(int32({ default: 0 }))],
  image: [6, required(string({ default: '' }))],
  imageID: [7, required(string({ default: '' }))],
  containerID: [8, string()],
  started: [9, boolean()],
  allocatedResources: [10, map(quantity())],
  resources: [11, resourceRequirementsSchema],
  volumeMounts: [12, listMap(volumeMountStatusSchema, ['mountPath'])],
  user: [13, containerUserSchema],
  allocatedResourcesStatus: [14, listMap(resourceStatusSchema, ['name'])],
  stopSignal: [15, string()],
});
export interface ContainerStatus extends Infer<typeof containerStatusSchema> {}

export const podConditionSchema = object(`${core}.PodCondition`, {
  type: [1, required(string())],
  status: [2, required(string())],
  lastProbeTime: [3, time()],
  lastTransitionTime: [4, time()],
  reason: [5, string()],
  message: [6, string()],
  observedGeneration: [7, int64()],
});
export interface PodCondition extends Infer<typeof podConditionSchema> {}

export const hostIPSchema = object(`${core}.HostIP`, {
  ip: [1, required(string())],
});
export interface HostIP extends Infer<typeof hostIPSchema> {}

export const podIPSchema = object(`${core}.PodIP`, {
  ip: [1, required(string())],
});
export interface PodIP extends Infer<typeof podIPSchema> {}

export const podResourceClaimStatusSchema = object(`${core}.PodResourceClaimStatus`, {
  name: [1, required(string({ default: '' }))],
  resourceClaimName: [2, string()],
});
export interface PodResourceClaimStatus extends Infer<typeof podResourceClaimStatusSchema> {}

export const containerExtendedResourceRequestSchema = object(`${core}.ContainerExtendedResourceRequest`, {
  containerName: [1, required(string())],
  resourceName: [2, required(string())],
  requestName: [3, required(string())],
});
export interface ContainerExtendedResourceRequest extends Infer<typeof containerExtendedResourceRequestSchema> {}

export const podExtendedResourceClaimStatusSchema = object(`${core}.PodExtendedResourceClaimStatus`, {
  requestMappings: [1, list(containerExtendedResourceRequestSchema)],
  resourceClaimName: [2, required(string({ default: '' }))],
});
export interface PodExtendedResourceClaimStatus extends Infer<typeof podExtendedResourceClaimStatusSchema> {}

export const nodeAllocatableResourceClaimStatusSchema = object(`${core}.NodeAllocatableResourceClaimStatus`, {
  resourceClaimName: [1, required(string({ default: '' }))],
  containers: [2, listSet(string())],
  resources: required(map(quantity())),
});
export interface NodeAllocatableResourceClaimStatus extends Infer<typeof nodeAllocatableResourceClaimStatusSchema> {}

export const podStatusSchema = object(`${core}.PodStatus`, {
  phase: [1, enumeration(['Failed', 'Pending', 'Running', 'Succeeded', 'Unknown'])],
  conditions: [2, listMap(podConditionSchema, ['type'])],
  message: [3, string()],
  reason: [4, string()],
  hostIP: [5, string()],
  podIP: [6, string()],
  startTime: [7, time()],
  containerStatuses: [8, list(containerStatusSchema)],
  qosClass: [9, enumeration(['BestEffort', 'Burstable', 'Guaranteed'])],
  initContainerStatuses: [10, list(containerStatusSchema)],
  nominatedNodeName: [11, string()],
  podIPs: [12, listMap(podIPSchema, ['ip'])],
  ephemeralContainerStatuses: [13, list(containerStatusSchema)],
  resize: [14, string()],
  resourceClaimStatuses: [15, listMap(podResourceClaimStatusSchema, ['name'], { 'x-kubernetes-patch-strategy': 'merge,retainKeys' })],
  hostIPs: [16, list(hostIPSchema, { 'x-kubernetes-patch-strategy': 'merge', 'x-kubernetes-patch-merge-key': 'ip' })],
  observedGeneration: [17, int64()],
  extendedResourceClaimStatus: [18, podExtendedResourceClaimStatusSchema],
  allocatedResources: [19, map(quantity())],
  resources: [20, resourceRequirementsSchema],
  nodeAllocatableResourceClaimStatuses: [21, list(nodeAllocatableResourceClaimStatusSchema)],
});
export interface PodStatus extends Infer<typeof podStatusSchema> {}
