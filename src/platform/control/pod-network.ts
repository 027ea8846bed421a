import { endpoints, type Endpoints } from '#apis/core/v1/endpoints.ts';
import { nodes, type Node } from '#apis/core/v1/node.ts';
import { services, type Service } from '#apis/core/v1/service.ts';
import type { Resource } from '#apis/definition.ts';
import { endpointSlices, type EndpointSlice } from '#apis/discovery/v1/endpoint-slice.ts';
import {
  activatorService,
  localGatewayPort,
  localGatewayService,
  localGatewayTlsPort,
  podNetworkAnnotation,
  type PodNetwork,
} from '#apis/dormouse/names.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import { isReason } from '#apis/meta/status.ts';
import type { HttpsFront } from '#apiserver/front/https-server.ts';
import type { Client } from '#client/client.ts';
import type { Informers } from '#client/informer-types.ts';
import type { Logger } from '#core/logger.ts';
import { semanticEqual } from '#machinery/semantic-equality.ts';
import { isRoot } from '#platform/settings.ts';

interface PodNetworkOptions {
  readonly client: Client;
  readonly informers: Informers;
  readonly front: HttpsFront;
  readonly listen: string;
  readonly port: number;
  readonly logger: Logger;
}

/**
 * Makes the API and the gateway reachable from pods: the API on the pod network of the node (only there besides the public listener), and
 * both as the endpoints of Services: `kubernetes`, `gateway-local` (where the names of services lead) and Knative's `activator-service`. Where an ordinary user runs the platform that network is inside the node's namespaces, which bring the port in themselves.
 */
export function followPodNetwork(options: PodNetworkOptions): void {
  const { client, informers, port, logger } = options;
  const listening = new Set<string>();
  let published = '';
  let working = Promise.resolve();
  const answerAt = async (address: string) => {
    if (!listening.has(address) && isRoot() && options.listen !== '0.0.0.0' && options.listen !== '::') {
      await options.front.listen(address, port);
      listening.add(address);
    }
    if (published === address) return;
    await keep(client, endpointSlices, apiSlice(address, port));
    await keep(client, endpoints, apiEndpoints(address, port));
    for (const name of [localGatewayService, activatorService]) await keepGateway(client, name, address);
    published = address;
  };
  informers.of(nodes).on(({ type, object }) => {
    const address = bridgeAddress(object);
    if (type === 'deleted' || address === undefined) return;
    if (published === address && (listening.has(address) || !isRoot())) return;
    // The next heartbeat of the node tries again.
    working = working.then(() => answerAt(address)).catch((error: unknown) => logger.warn('pods cannot reach the API', { address, error }));
  });
}

function bridgeAddress(node: Node): string | undefined {
  const text = node.metadata.annotations?.[podNetworkAnnotation];
  return text === undefined ? undefined : (JSON.parse(text) as PodNetwork).bridgeIp;
}

const metadata = { name: 'kubernetes', namespace: 'default' };

function apiSlice(address: string, port: number): EndpointSlice {
  return {
    metadata: { ...metadata, labels: { 'kubernetes.io/service-name': 'kubernetes' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
    ports: [{ name: 'https', port, protocol: 'TCP' }],
  };
}

function apiEndpoints(address: string, port: number): Endpoints {
  return {
    metadata: { ...metadata, labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } },
    subsets: [{ addresses: [{ ip: address }], ports: [{ name: 'https', port, protocol: 'TCP' }] }],
  };
}

async function keepGateway(client: Client, key: string, address: string): Promise<void> {
  const [namespace = '', name = ''] = key.split('/');
  const service = gatewayPorts(namespace, name);
  await keep(client, services, service, (old) => ({ ...old, spec: { ...old.spec, ...service.spec } }));
  await keep(client, endpointSlices, gatewaySlice(namespace, name, address));
}

/** Where Knative's ports of the gateway lead; HTTP/2 is told from HTTP/1.1 by its first bytes. */
const gatewayTargets = [
  { name: 'http', port: 80, target: localGatewayPort },
  { name: 'http2', port: 81, target: localGatewayPort },
  { name: 'https', port: 443, target: localGatewayTlsPort },
];

/** Headless: its name means the gateway's address itself. */
function gatewayPorts(namespace: string, name: string): Service {
  const ports = gatewayTargets.map(({ name: portName, port, target }) => ({ name: portName, port, protocol: 'TCP', targetPort: target }));
  return { metadata: { namespace, name }, spec: { clusterIP: 'None', ports } } as Service;
}

function gatewaySlice(namespace: string, name: string, address: string): EndpointSlice {
  return {
    metadata: { namespace, name, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
    ports: gatewayTargets.map(({ name: portName, target }) => ({ name: portName, protocol: 'TCP' as const, port: target })),
  };
}

/** Creates the object, or brings it to the wanted state. */
async function keep<T extends KubeObject>(
  client: Client,
  resource: Resource<T>,
  wanted: T,
  merge = (old: T): T => ({ ...old, ...wanted, metadata: { ...old.metadata, ...wanted.metadata } }),
): Promise<void> {
  const { namespace, name = '' } = wanted.metadata;
  try {
    const old = await client.of(resource).get(namespace, name);
    const next = merge(old);
    if (!semanticEqual(next, old)) await client.of(resource).update(next);
  } catch (error) {
    if (!isReason(error, 'NotFound')) throw error;
    await client.of(resource).create(wanted);
  }
}
