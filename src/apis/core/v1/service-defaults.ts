import type { Service, ServiceSpec } from '#apis/core/v1/service.ts';

const affinitySeconds = 10_800;

/** Defaults of a Service that depend on its other fields. */
export function setServiceDefaults(service: Service): void {
  const { spec } = service;
  service.status ??= { loadBalancer: {} };
  const { type, externalIPs = [] } = spec;
  const balanced = type === 'LoadBalancer';
  for (const port of spec.ports ?? []) {
    if (port.targetPort === undefined || port.targetPort === 0 || port.targetPort === '') port.targetPort = port.port;
  }
  if (spec.sessionAffinity === 'None') delete spec.sessionAffinityConfig;
  if (spec.sessionAffinity === 'ClientIP') {
    const clientIP = spec.sessionAffinityConfig?.clientIP ?? {};
    clientIP.timeoutSeconds ??= affinitySeconds;
    spec.sessionAffinityConfig = { clientIP };
  }
  if (type === 'NodePort' || balanced || externalIPs.length > 0) spec.externalTrafficPolicy ??= 'Cluster';
  if (type !== 'ExternalName') spec.internalTrafficPolicy ??= 'Cluster';
  if (balanced) spec.allocateLoadBalancerNodePorts ??= true;
}

/**
 * Takes over from the stored Service what the server had allocated and the client left out, and drops what its new type has
 * no use for (k8s.io/kubernetes patchAllocatedValues, dropTypeDependentFields).
 */
export function keepAllocated({ spec }: Service, { spec: old }: Service): void {
  if (spec === undefined || typeof spec !== 'object') return;
  const type = spec.type ?? 'ClusterIP';
  if (type !== 'ExternalName' && old.type !== 'ExternalName') {
    if ((spec.clusterIP ?? '') === '' && (spec.clusterIPs ?? []).length === 0) copy(spec, old, ['clusterIP', 'clusterIPs']);
    else if (spec.clusterIPs === undefined && spec.clusterIP === old.clusterIP) copy(spec, old, ['clusterIPs']);
    copyMissing(spec, old, ['ipFamilies', 'ipFamilyPolicy']);
  }
  const hasNodePorts = (one: string | undefined) => one === 'NodePort' || one === 'LoadBalancer';
  if (hasNodePorts(type) && hasNodePorts(old.type)) keepNodePorts(spec, old);
  if (type === old.type) return;
  if (type === 'ExternalName' && spec.clusterIP === old.clusterIP) {
    for (const field of ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy', 'internalTrafficPolicy'] as const) delete spec[field];
  }
  if (!hasNodePorts(type)) dropNodePorts(spec, old);
  if (type !== 'LoadBalancer' && spec.allocateLoadBalancerNodePorts === old.allocateLoadBalancerNodePorts)
    delete spec.allocateLoadBalancerNodePorts;
  if (!hasNodePorts(type) && spec.externalTrafficPolicy === old.externalTrafficPolicy) delete spec.externalTrafficPolicy;
}

function keepNodePorts(spec: ServiceSpec, old: ServiceSpec): void {
  const taken = new Set((spec.ports ?? []).map(({ nodePort }) => nodePort));
  for (const port of spec.ports ?? []) {
    if ((port.nodePort ?? 0) !== 0) continue;
    const before = old.ports?.find((one) => one.port === port.port && one.protocol === (port.protocol ?? 'TCP'));
    if (before?.nodePort === undefined || taken.has(before.nodePort)) continue;
    port.nodePort = before.nodePort;
  }
}

function dropNodePorts(spec: ServiceSpec, old: ServiceSpec): void {
  const allocated = new Set((old.ports ?? []).map(({ nodePort }) => nodePort));
  for (const port of spec.ports ?? []) if (allocated.has(port.nodePort)) delete port.nodePort;
}

function copy(spec: ServiceSpec, old: ServiceSpec, fields: readonly (keyof ServiceSpec)[]): void {
  for (const field of fields) if (old[field] !== undefined) Object.assign(spec, { [field]: structuredClone(old[field]) });
}

function copyMissing(spec: ServiceSpec, old: ServiceSpec, fields: readonly (keyof ServiceSpec)[]): void {
  copy(
    spec,
    old,
    fields.filter((field) => spec[field] === undefined),
  );
}
