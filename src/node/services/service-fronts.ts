import type { Pod } from '#apis/core/v1/pod.ts';
import type { Service, ServicePort } from '#apis/core/v1/service.ts';
import type { EndpointSlice } from '#apis/discovery/v1/endpoint-slice.ts';
import { objectKey, type KubeObject } from '#apis/meta/object.ts';
import type { Informer } from '#client/informer-types.ts';

/** Services that stand for a process of this machine, by `namespace/name`: the address it listens on. Their targetPorts are its ports. */
export type HostServices = ReadonlyMap<string, string>;

/** What decides where Services are reached. */
export interface ServiceSources {
  readonly services: Informer<Service>;
  readonly endpointSlices: Informer<EndpointSlice>;
  /** Those of this node: for their host ports. */
  readonly pods: Informer<Pod>;
  /** Address of the platform's public listeners: where other machines reach node ports. */
  readonly listen: string;
  readonly hostServices: HostServices;
}

/** Calls back when one of them changes, until the returned function is called. */
export function onServiceChange({ services, endpointSlices, pods }: ServiceSources, changed: () => void): () => void {
  const stops = [services.on(changed), endpointSlices.on(changed), pods.on(({ object }) => hasHostPort(object) && changed())];
  return () => stops.forEach((stop) => stop());
}

export interface Target {
  readonly ip: string;
  readonly port: number;
  /** The pod behind it, when the slice names one. */
  readonly pod?: string;
}

/** One port of a Service: where it is reached, and what answers. */
export interface ServiceFront {
  readonly protocol: 'tcp' | 'udp';
  /** ClusterIP, external addresses, and those a load balancer was given. */
  readonly addresses: readonly string[];
  readonly port: number;
  /** 0: none. */
  readonly nodePort: number;
  /** The node port answers only at this address of the machine. */
  readonly nodeAddress?: string;
  readonly targets: readonly Target[];
  /** The targets are processes of this machine, on its own addresses. */
  readonly onHost: boolean;
}

/** Every port of every Service that has an address, ordered by the Services' names: the same input gives the same fronts. */
export function serviceFronts(services: readonly Service[], slices: readonly EndpointSlice[], hostServices: HostServices): ServiceFront[] {
  const fronts: ServiceFront[] = [];
  for (const service of services.toSorted(byName)) {
    const addresses = addressesOf(service);
    if (addresses.length === 0) continue;
    const hostAddress = hostServices.get(objectKey(service));
    const own = slices.filter((slice) => isSliceOf(slice, service));
    for (const port of service.spec?.ports ?? []) {
      const protocol = (port.protocol ?? 'TCP').toLowerCase();
      if (protocol !== 'tcp' && protocol !== 'udp') continue;
      const targets = hostAddress === undefined ? targetsOf(own, port.name ?? '', port.protocol ?? 'TCP') : hostTarget(hostAddress, port);
      fronts.push({ protocol, addresses, port: port.port, nodePort: port.nodePort ?? 0, targets, onHost: hostAddress !== undefined });
    }
  }
  return fronts;
}

export function hasHostPort({ spec }: Pod): boolean {
  return (spec?.containers ?? []).some(({ ports = [] }) => ports.some(({ hostPort = 0 }) => hostPort > 0));
}

/** The host ports of running pods that have an address of their own, as fronts that have nothing but a node port. */
export function hostPortFronts(pods: readonly Pod[]): ServiceFront[] {
  const fronts: ServiceFront[] = [];
  for (const { metadata, spec, status } of pods.toSorted(byName)) {
    const ip = status?.podIP ?? '';
    if (spec?.hostNetwork === true || status?.phase !== 'Running' || !isIPv4(ip)) continue;
    for (const port of (spec?.containers ?? []).flatMap(({ ports = [] }) => ports)) {
      const { hostPort = 0, hostIP = '', containerPort } = port;
      const protocol = (port.protocol ?? 'TCP').toLowerCase();
      if (hostPort === 0 || (protocol !== 'tcp' && protocol !== 'udp')) continue;
      const target = { ip, port: containerPort, ...(metadata.name === undefined ? {} : { pod: metadata.name }) };
      const address = isIPv4(hostIP) && !isWildcard(hostIP) ? { nodeAddress: hostIP } : {};
      fronts.push({ protocol, addresses: [], port: 0, nodePort: hostPort, ...address, targets: [target], onHost: false });
    }
  }
  return fronts;
}

export function isWildcard(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}

function addressesOf({ spec, status }: Service): readonly string[] {
  if (!isIPv4(spec?.clusterIP ?? '')) return [];
  const balanced = (status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip ?? '');
  return [...new Set([spec?.clusterIP ?? '', ...(spec?.externalIPs ?? []), ...balanced].filter(isIPv4))];
}

function hostTarget(address: string, { targetPort, port }: ServicePort): readonly Target[] {
  return [{ ip: isWildcard(address) ? '127.0.0.1' : address, port: typeof targetPort === 'number' ? targetPort : port }];
}

/** Ready endpoints of one port, in a stable order; serving ones that are being ended where there is no other. */
function targetsOf(slices: readonly EndpointSlice[], portName: string, protocol: string): readonly Target[] {
  const ready: Target[] = [];
  const ending: Target[] = [];
  for (const slice of slices) {
    const port = slice.ports?.find((one) => (one.name ?? '') === portName && (one.protocol ?? 'TCP') === protocol)?.port;
    if (port === undefined) continue;
    for (const { addresses, conditions, targetRef } of slice.endpoints ?? []) {
      const [ip] = addresses;
      if (ip === undefined || !isIPv4(ip)) continue;
      const target = { ip, port, ...(targetRef?.name === undefined ? {} : { pod: targetRef.name }) };
      if (conditions?.ready !== false) ready.push(target);
      else if (conditions.serving === true && conditions.terminating === true) ending.push(target);
    }
  }
  return (ready.length > 0 ? ready : ending).sort((a, b) => (a.ip === b.ip ? a.port - b.port : a.ip < b.ip ? -1 : 1));
}

/** Index of slices by the Service they belong to (`namespace/name`); see `indexByService`. */
export const byService = 'service';

export function indexByService(slices: Informer<EndpointSlice>): void {
  slices.addIndex(byService, ({ metadata }) => [`${metadata.namespace ?? ''}/${metadata.labels?.['kubernetes.io/service-name'] ?? ''}`]);
}

function isSliceOf(slice: EndpointSlice, service: Service): boolean {
  return (
    slice.metadata.namespace === service.metadata.namespace &&
    slice.metadata.labels?.['kubernetes.io/service-name'] === service.metadata.name
  );
}

function isIPv4(text: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(text);
}

function byName(a: KubeObject, b: KubeObject): number {
  return objectKey(a) < objectKey(b) ? -1 : 1;
}
