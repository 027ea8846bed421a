import type { Pod } from '#apis/core/v1/pod.ts';
import { services, type Service, type ServicePort } from '#apis/core/v1/service.ts';
import type { Endpoint, EndpointPort, EndpointSlice } from '#apis/discovery/v1/endpoint-slice.ts';
import { controllerReference } from '#controller/owner.ts';
import { isFinished, isReady, isTerminating } from '#apis/core/v1/pod-state.ts';

const managedByLabel = 'endpointslice.kubernetes.io/managed-by';
const managedBy = 'endpointslice-controller.k8s.io';
const serviceNameLabel = 'kubernetes.io/service-name';
/** Endpoints in one slice; more go into further slices. */
const maxEndpoints = 100;

/** What a slice of a Service holds. */
export interface SliceContent {
  readonly ports: readonly EndpointPort[];
  readonly endpoints: readonly Endpoint[];
}

/** The slices a Service should have: pods grouped by the ports they give the Service's names, a hundred a slice; at least one. */
export function sliceContents(service: Service, pods: readonly Pod[]): SliceContent[] {
  const groups = new Map<string, { ports: EndpointPort[]; endpoints: Endpoint[] }>();
  for (const pod of pods.toSorted((a, b) => ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1))) {
    if (isFinished(pod) || (pod.status?.podIP ?? '') === '') continue;
    const ports = (service.spec?.ports ?? []).flatMap((port) => endpointPort(port, pod));
    const key = JSON.stringify(ports);
    const group = groups.get(key) ?? { ports, endpoints: [] };
    group.endpoints.push(makeEndpoint(service, pod));
    groups.set(key, group);
  }
  if (groups.size === 0) return [{ ports: [], endpoints: [] }];
  return [...groups.values()].flatMap(({ ports, endpoints }) => {
    const chunks: SliceContent[] = [];
    for (let at = 0; at < endpoints.length; at += maxEndpoints) chunks.push({ ports, endpoints: endpoints.slice(at, at + maxEndpoints) });
    return chunks;
  });
}

export function makeSlice(service: Service, content: SliceContent): EndpointSlice {
  const { name = '', namespace = '' } = service.metadata;
  const headless = service.spec?.clusterIP === 'None' ? { 'service.kubernetes.io/headless': '' } : {};
  return {
    metadata: {
      generateName: `${name}-`,
      namespace,
      labels: { ...service.metadata.labels, [serviceNameLabel]: name, [managedByLabel]: managedBy, ...headless },
      ownerReferences: [controllerReference(service, services)],
    },
    addressType: 'IPv4',
    ports: [...content.ports],
    endpoints: [...content.endpoints],
  } as EndpointSlice;
}

function makeEndpoint(service: Service, pod: Pod): Endpoint {
  const ready = isReady(pod);
  const published = service.spec?.publishNotReadyAddresses === true;
  const terminating = isTerminating(pod);
  const { namespace = '', name = '', uid = '' } = pod.metadata;
  const hostname = pod.spec?.subdomain === service.metadata.name ? pod.spec?.hostname : undefined;
  return {
    addresses: [pod.status?.podIP ?? ''],
    conditions: { ready: published || (ready && !terminating), serving: ready || published, terminating },
    ...(hostname === undefined ? {} : { hostname }),
    ...(pod.spec?.nodeName === undefined ? {} : { nodeName: pod.spec.nodeName }),
    targetRef: { kind: 'Pod', namespace, name, uid },
  };
}

/** The pod's number for a port of the Service; nothing when the pod has no port of that name. */
function endpointPort(port: ServicePort, pod: Pod): EndpointPort[] {
  const target = port.targetPort ?? port.port;
  const number = typeof target === 'number' ? target : namedPort(target, port.protocol ?? 'TCP', pod);
  if (number === undefined) return [];
  return [
    {
      name: port.name ?? '',
      port: number,
      protocol: port.protocol ?? 'TCP',
      ...(port.appProtocol === undefined ? {} : { appProtocol: port.appProtocol }),
    },
  ];
}

function namedPort(name: string, protocol: string, pod: Pod): number | undefined {
  if (/^\d+$/.test(name)) return Number(name);
  const ports = (pod.spec?.containers ?? []).flatMap((container) => container.ports ?? []);
  return ports.find((port) => port.name === name && (port.protocol ?? 'TCP') === protocol)?.containerPort;
}
