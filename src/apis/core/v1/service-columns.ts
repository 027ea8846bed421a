import type { LoadBalancerStatus } from '#apis/core/v1/load-balancer.ts';
import type { ServicePort, ServiceSpec } from '#apis/core/v1/service.ts';
import type { Column } from '#apis/definition.ts';
import { ageColumn, column, formatLabels, orNone, wideColumn } from '#apis/meta/columns.ts';
import type { KubeObject } from '#apis/meta/object.ts';

interface ServiceLike extends KubeObject {
  spec: ServiceSpec;
  status?: { loadBalancer?: LoadBalancerStatus };
}

/** Addresses of a load balancer, sorted, each once. */
export function loadBalancerAddresses(status: LoadBalancerStatus | undefined): readonly string[] {
  const addresses = (status?.ingress ?? []).map(({ ip = '', hostname = '' }) => (ip === '' ? hostname : ip));
  return [...new Set(addresses.filter((one) => one !== ''))].sort();
}

function externalIP({ spec, status }: ServiceLike): string {
  const external = spec.externalIPs ?? [];
  if (spec.type === 'ExternalName') return spec.externalName ?? '';
  if (spec.type !== 'LoadBalancer') return orNone(external.join(','));
  const addresses = [...loadBalancerAddresses(status?.loadBalancer), ...external];
  return addresses.length === 0 ? '<pending>' : addresses.join(',');
}

function portText({ port, nodePort = 0, protocol = 'TCP' }: ServicePort): string {
  return nodePort > 0 ? `${port}:${nodePort}/${protocol}` : `${port}/${protocol}`;
}

export const serviceColumns: readonly Column[] = [
  column<ServiceLike>('Type', ({ spec }) => spec.type ?? ''),
  column<ServiceLike>('Cluster-IP', ({ spec }) => orNone(spec.clusterIP)),
  column('External-IP', externalIP),
  column<ServiceLike>('Port(s)', ({ spec }) => orNone((spec.ports ?? []).map(portText).join(','))),
  ageColumn,
  wideColumn<ServiceLike>('Selector', ({ spec }) => formatLabels(spec.selector)),
];
