import { boolean, int32, int64, list, listMap, map, object, quantity, required, string, time, type Infer } from '#apis/schema.ts';

const core = 'io.k8s.api.core.v1';

export const nodeAddressSchema = object(`${core}.NodeAddress`, {
  type: [1, required(string())],
  address: [2, required(string())],
});
export interface NodeAddress extends Infer<typeof nodeAddressSchema> {}

export const nodeConditionSchema = object(`${core}.NodeCondition`, {
  type: [1, required(string())],
  status: [2, required(string())],
  lastHeartbeatTime: [3, time()],
  lastTransitionTime: [4, time()],
  reason: [5, string()],
  message: [6, string()],
});
export interface NodeCondition extends Infer<typeof nodeConditionSchema> {}

export const daemonEndpointSchema = object(`${core}.DaemonEndpoint`, {
  Port: [1, required(int32({ default: 0 }))],
});
export interface DaemonEndpoint extends Infer<typeof daemonEndpointSchema> {}

export const nodeDaemonEndpointsSchema = object(`${core}.NodeDaemonEndpoints`, {
  kubeletEndpoint: [1, daemonEndpointSchema],
});
export interface NodeDaemonEndpoints extends Infer<typeof nodeDaemonEndpointsSchema> {}

export const nodeSwapStatusSchema = object(`${core}.NodeSwapStatus`, {
  capacity: [1, int64()],
});
export interface NodeSwapStatus extends Infer<typeof nodeSwapStatusSchema> {}

export const nodeSystemInfoSchema = object(`${core}.NodeSystemInfo`, {
  machineID: [1, required(string({ default: '' }))],
  systemUUID: [2, required(string({ default: '' }))],
  bootID: [3, required(string({ default: '' }))],
  kernelVersion: [4, required(string({ default: '' }))],
  osImage: [5, required(string({ default: '' }))],
  containerRuntimeVersion: [6, required(string({ default: '' }))],
  kubeletVersion: [7, required(string({ default: '' }))],
  kubeProxyVersion: [8, required(string({ default: '' }))],
  operatingSystem: [9, required(string({ default: '' }))],
  architecture: [10, required(string({ default: '' }))],
  swap: [11, nodeSwapStatusSchema],
});
export interface NodeSystemInfo extends Infer<typeof nodeSystemInfoSchema> {}

export const containerImageSchema = object(`${core}.ContainerImage`, {
  names: [1, list(string())],
  sizeBytes: [2, int64()],
});
export interface ContainerImage extends Infer<typeof containerImageSchema> {}

export const attachedVolumeSchema = object(`${core}.AttachedVolume`, {
  name: [1, required(string())],
  devicePath: [2, required(string({ default: '' }))],
});
export interface AttachedVolume extends Infer<typeof attachedVolumeSchema> {}

export const configMapNodeConfigSourceSchema = object(`${core}.ConfigMapNodeConfigSource`, {
  namespace: [1, required(string())],
  name: [2, required(string())],
  uid: [3, string()],
  resourceVersion: [4, string()],
  kubeletConfigKey: [5, required(string())],
});

export const nodeConfigSourceSchema = object(`${core}.NodeConfigSource`, {
  configMap: [2, configMapNodeConfigSourceSchema],
});
export interface NodeConfigSource extends Infer<typeof nodeConfigSourceSchema> {}

export const nodeConfigStatusSchema = object(`${core}.NodeConfigStatus`, {
  assigned: [1, nodeConfigSourceSchema],
  active: [2, nodeConfigSourceSchema],
  lastKnownGood: [3, nodeConfigSourceSchema],
  error: [4, string()],
});
export interface NodeConfigStatus extends Infer<typeof nodeConfigStatusSchema> {}

export const nodeFeaturesSchema = object(`${core}.NodeFeatures`, {
  supplementalGroupsPolicy: [1, boolean()],
});
export interface NodeFeatures extends Infer<typeof nodeFeaturesSchema> {}

export const nodeRuntimeHandlerFeaturesSchema = object(`${core}.NodeRuntimeHandlerFeatures`, {
  recursiveReadOnlyMounts: [1, boolean()],
  userNamespaces: [2, boolean()],
});
export interface NodeRuntimeHandlerFeatures extends Infer<typeof nodeRuntimeHandlerFeaturesSchema> {}

export const nodeRuntimeHandlerSchema = object(`${core}.NodeRuntimeHandler`, {
  name: [1, string()],
  features: [2, nodeRuntimeHandlerFeaturesSchema],
});
export interface NodeRuntimeHandler extends Infer<typeof nodeRuntimeHandlerSchema> {}

export const nodeStatusSchema = object(`${core}.NodeStatus`, {
  capacity: [1, map(quantity())],
  allocatable: [2, map(quantity())],
  phase: [3, string()],
  conditions: [4, listMap(nodeConditionSchema, ['type'])],
  addresses: [5, listMap(nodeAddressSchema, ['type'])],
  daemonEndpoints: [6, nodeDaemonEndpointsSchema],
  nodeInfo: [7, nodeSystemInfoSchema],
  images: [8, list(containerImageSchema)],
  volumesInUse: [9, list(string())],
  volumesAttached: [10, list(attachedVolumeSchema)],
  config: [11, nodeConfigStatusSchema],
  runtimeHandlers: [12, list(nodeRuntimeHandlerSchema)],
  features: [13, nodeFeaturesSchema],
  declaredFeatures: [14, list(string())],
});
export interface NodeStatus extends Infer<typeof nodeStatusSchema> {}
