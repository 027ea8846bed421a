import { containerSchema, ephemeralContainerSchema, resourceRequirementsSchema } from '#apis/core/v1/container.ts';
import { localObjectReferenceSchema } from '#apis/core/v1/references.ts';
import { affinitySchema, tolerationSchema, topologySpreadConstraintSchema } from '#apis/core/v1/scheduling.ts';
import { podSecurityContextSchema } from '#apis/core/v1/security-context.ts';
import { volumeSchema } from '#apis/core/v1/volume.ts';
import { objectMetaSchema } from '#apis/meta/object.ts';
import { boolean, enumeration, int32, int64, list, listMap, map, object, quantity, required, string, type Infer } from '#apis/schema.ts';

const core = 'io.k8s.api.core.v1';

export const hostAliasSchema = object(`${core}.HostAlias`, {
  ip: [1, required(string())],
  hostnames: [2, list(string())],
});
export interface HostAlias extends Infer<typeof hostAliasSchema> {}

export const podDNSConfigOptionSchema = object(`${core}.PodDNSConfigOption`, {
  name: [1, string()],
  value: [2, string()],
});
export interface PodDNSConfigOption extends Infer<typeof podDNSConfigOptionSchema> {}

export const podDNSConfigSchema = object(`${core}.PodDNSConfig`, {
  nameservers: [1, list(string())],
  searches: [2, list(string())],
  options: [3, list(podDNSConfigOptionSchema)],
});
export interface PodDNSConfig extends Infer<typeof podDNSConfigSchema> {}

export const podOSSchema = object(`${core}.PodOS`, {
  name: [1, required(string())],
});
export interface PodOS extends Infer<typeof podOSSchema> {}

export const podReadinessGateSchema = object(`${core}.PodReadinessGate`, {
  conditionType: [1, required(string())],
});
export interface PodReadinessGate extends Infer<typeof podReadinessGateSchema> {}

export const podResourceClaimSchema = object(`${core}.PodResourceClaim`, {
  name: [1, required(string())],
  resourceClaimName: [3, string()],
  resourceClaimTemplateName: [4, string()],
});
export interface PodResourceClaim extends Infer<typeof podResourceClaimSchema> {}

export const podSchedulingGateSchema = object(`${core}.PodSchedulingGate`, {
  name: [1, required(string())],
});
export interface PodSchedulingGate extends Infer<typeof podSchedulingGateSchema> {}

export const podSchedulingGroupSchema = object(`${core}.PodSchedulingGroup`, {
  podGroupName: [1, string()],
});
export interface PodSchedulingGroup extends Infer<typeof podSchedulingGroupSchema> {}

export const podSpecSchema = object(`${core}.PodSpec`, {
  volumes: [1, listMap(volumeSchema, ['name'], { 'x-kubernetes-patch-strategy': 'merge,retainKeys' })],
  containers: [2, required(listMap(containerSchema, ['name']))],
  restartPolicy: [3, enumeration(['Always', 'OnFailure', 'Never'], { default: 'Always' })],
  terminationGracePeriodSeconds: [4, int64({ default: 30 })],
  activeDeadlineSeconds: [5, int64()],
  dnsPolicy: [6, enumeration(['ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None'], { default: 'ClusterFirst' })],
  nodeSelector: [7, map(string(), { 'x-kubernetes-map-type': 'atomic' })],
  serviceAccountName: [8, string()],
  serviceAccount: [9, string()],
  nodeName: [10, string()],
  hostNetwork: [11, boolean()],
  hostPID: [12, boolean()],
  hostIPC: [13, boolean()],
  securityContext: [14, podSecurityContextSchema],
  imagePullSecrets: [15, listMap(localObjectReferenceSchema, ['name'])],
  hostname: [16, string()],
  subdomain: [17, string()],
  affinity: [18, affinitySchema],
  schedulerName: [19, string({ default: 'default-scheduler' })],
  initContainers: [20, listMap(containerSchema, ['name'])],
  automountServiceAccountToken: [21, boolean()],
  tolerations: [22, list(tolerationSchema)],
  hostAliases: [23, listMap(hostAliasSchema, ['ip'])],
  priorityClassName: [24, string()],
  priority: [25, int32()],
  dnsConfig: [26, podDNSConfigSchema],
  shareProcessNamespace: [27, boolean()],
  readinessGates: [28, list(podReadinessGateSchema)],
  runtimeClassName: [29, string()],
  enableServiceLinks: [30, boolean()],
  preemptionPolicy: [31, enumeration(['Never', 'PreemptLowerPriority'])],
  overhead: [32, map(quantity())],
  topologySpreadConstraints: [33, listMap(topologySpreadConstraintSchema, ['topologyKey', 'whenUnsatisfiable'])],
  ephemeralContainers: [34, listMap(ephemeralContainerSchema, ['name'])],
  setHostnameAsFQDN: [35, boolean()],
  os: [36, podOSSchema],
  hostUsers: [37, boolean()],
  schedulingGates: [38, listMap(podSchedulingGateSchema, ['name'])],
  resourceClaims: [39, listMap(podResourceClaimSchema, ['name'], { 'x-kubernetes-patch-strategy': 'merge,retainKeys' })],
  resources: [40, resourceRequirementsSchema],
  hostnameOverride: [41, string()],
  schedulingGroup: [43, podSchedulingGroupSchema],
});
export interface PodSpec extends Infer<typeof podSpecSchema> {}

export const podTemplateSpecSchema = object(`${core}.PodTemplateSpec`, {
  metadata: [1, { ...objectMetaSchema, default: {} }],
  spec: [2, required({ ...podSpecSchema, default: {} })],
});
export interface PodTemplateSpec extends Infer<typeof podTemplateSpecSchema> {}
