import { loadBalancerStatusSchema } from '#apis/core/v1/load-balancer.ts';
import { serviceColumns } from '#apis/core/v1/service-columns.ts';
import { keepAllocated, setServiceDefaults } from '#apis/core/v1/service-defaults.ts';
import { validateService, validateServiceUpdate } from '#apis/core/v1/validate-service.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { conditionSchema } from '#apis/meta/object.ts';
import { boolean, enumeration, int32, intOrString, list, listMap, map, object, required, string, type Infer } from '#apis/schema.ts';

const core = 'io.k8s.api.core.v1';

export const servicePortSchema = object(`${core}.ServicePort`, {
  name: [1, string()],
  protocol: [2, enumeration(['SCTP', 'TCP', 'UDP'], { default: 'TCP' })],
  port: [3, required(int32({ default: 0 }))],
  targetPort: [4, intOrString()],
  nodePort: [5, int32()],
  appProtocol: [6, string()],
});
export interface ServicePort extends Infer<typeof servicePortSchema> {}

export const clientIPConfigSchema = object(`${core}.ClientIPConfig`, {
  timeoutSeconds: [1, int32()],
});
export interface ClientIPConfig extends Infer<typeof clientIPConfigSchema> {}

export const sessionAffinityConfigSchema = object(`${core}.SessionAffinityConfig`, {
  clientIP: [1, clientIPConfigSchema],
});
export interface SessionAffinityConfig extends Infer<typeof sessionAffinityConfigSchema> {}

export const serviceSpecSchema = object(`${core}.ServiceSpec`, {
  ports: [1, listMap(servicePortSchema, ['port', 'protocol'])],
  selector: [2, map(string(), { 'x-kubernetes-map-type': 'atomic' })],
  clusterIP: [3, string()],
  type: [4, enumeration(['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'], { default: 'ClusterIP' })],
  externalIPs: [5, list(string())],
  sessionAffinity: [7, enumeration(['ClientIP', 'None'], { default: 'None' })],
  loadBalancerIP: [8, string()],
  loadBalancerSourceRanges: [9, list(string())],
  externalName: [10, string()],
  externalTrafficPolicy: [11, enumeration(['Cluster', 'Local'])],
  healthCheckNodePort: [12, int32()],
  publishNotReadyAddresses: [13, boolean()],
  sessionAffinityConfig: [14, sessionAffinityConfigSchema],
  ipFamilyPolicy: [17, enumeration(['PreferDualStack', 'RequireDualStack', 'SingleStack'])],
  clusterIPs: [18, list(string())],
  ipFamilies: [19, list(string())],
  allocateLoadBalancerNodePorts: [20, boolean()],
  loadBalancerClass: [21, string()],
  internalTrafficPolicy: [22, enumeration(['Cluster', 'Local'])],
  trafficDistribution: [23, string()],
});
export interface ServiceSpec extends Infer<typeof serviceSpecSchema> {}

export const serviceStatusSchema = object(`${core}.ServiceStatus`, {
  loadBalancer: [1, loadBalancerStatusSchema],
  conditions: [2, listMap(conditionSchema, ['type'])],
});
export interface ServiceStatus extends Infer<typeof serviceStatusSchema> {}

export const serviceSchema = kindSchema(`${core}.Service`, {
  spec: [2, serviceSpecSchema],
  status: [3, serviceStatusSchema],
});
export interface Service extends Infer<typeof serviceSchema> {}

export const serviceDefinition = defineBuiltin<Service>({
  group: '',
  kind: 'Service',
  plural: 'services',
  shortNames: ['svc'],
  categories: ['all'],
  hasGeneration: false,
  versions: [{ name: 'v1', schema: serviceSchema, served: true, columns: serviceColumns }],
  selectableFields: ({ spec }) => ({ 'spec.clusterIP': spec.clusterIP ?? '', 'spec.type': spec.type ?? '' }),
  prepare(service, { old, subresource }) {
    if (old !== undefined && subresource === '') keepAllocated(service, old);
  },
  default: setServiceDefaults,
  validate: (service, { old }) => [...validateService(service), ...(old === undefined ? [] : validateServiceUpdate(service, old))],
});
export const services = resourceOf(serviceDefinition);
