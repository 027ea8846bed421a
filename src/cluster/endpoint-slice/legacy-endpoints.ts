import type { EndpointAddress, Endpoints, EndpointSubset } from '#apis/core/v1/endpoints.ts';
import { services, type Service } from '#apis/core/v1/service.ts';
import type { Endpoint } from '#apis/discovery/v1/endpoint-slice.ts';
import { controllerReference } from '#controller/owner.ts';
import type { SliceContent } from '#cluster/endpoint-slice/resources.ts';

const maxAddresses = 1000;

/** The v1 Endpoints of a Service: what its slices say, for clients that read nothing newer. Pods on their way out are left out. */
export function makeEndpoints(service: Service, contents: readonly SliceContent[]): Endpoints {
  const { name = '', namespace = '', labels } = service.metadata;
  const headless = service.spec?.clusterIP === 'None' ? { 'service.kubernetes.io/headless': '' } : {};
  const groups = new Map<string, EndpointSubset>();
  let left = maxAddresses;
  for (const { ports, endpoints } of contents) {
    const key = JSON.stringify(ports);
    const subset = groups.get(key) ?? { addresses: [], notReadyAddresses: [], ports: ports.map(withoutEmptyName) };
    for (const endpoint of endpoints) {
      const { ready = true, terminating = false } = endpoint.conditions ?? {};
      if ((terminating && !ready) || left === 0) continue;
      left -= 1;
      (ready ? subset.addresses : subset.notReadyAddresses)?.push(addressOf(endpoint));
    }
    groups.set(key, subset);
  }
  const subsets = [...groups.values()].map(withoutEmptyLists).filter((one) => (one.addresses ?? one.notReadyAddresses) !== undefined);
  return {
    metadata: {
      name,
      namespace,
      labels: { ...labels, 'endpoints.kubernetes.io/managed-by': 'endpoint-controller', ...headless },
      ownerReferences: [controllerReference(service, services)],
    },
    ...(subsets.length === 0 ? {} : { subsets }),
  } as Endpoints;
}

function addressOf({ addresses, hostname, nodeName, targetRef }: Endpoint): EndpointAddress {
  return {
    ip: addresses[0] ?? '',
    ...(hostname === undefined ? {} : { hostname }),
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(targetRef === undefined ? {} : { targetRef }),
  };
}

function withoutEmptyName({ name = '', port = 0, protocol = 'TCP', appProtocol }: SliceContent['ports'][number]) {
  return { ...(name === '' ? {} : { name }), port, protocol, ...(appProtocol === undefined ? {} : { appProtocol }) };
}

function withoutEmptyLists(subset: EndpointSubset): EndpointSubset {
  return Object.fromEntries(Object.entries(subset).filter(([, list]) => (list as readonly unknown[]).length > 0)) as EndpointSubset;
}
