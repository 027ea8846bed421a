import type { Service as CoreService } from '#apis/core/v1/service.ts';
import type { Endpoint, EndpointPort, EndpointSlice } from '#apis/discovery/v1/endpoint-slice.ts';
import { serverlessServices, type ServerlessService } from '#apis/networking/v1alpha1/serverless-service.ts';
import { labels, privateServiceName } from '#apis/serving/names.ts';
import { controllerReference } from '#controller/owner.ts';

/** What a slice says: endpoints that share their ports. */
export interface SliceContent {
  readonly ports: readonly EndpointPort[];
  readonly endpoints: readonly Endpoint[];
}

/** An EndpointSlice holds no more; the pods of a larger revision are reached through the gateway in any case. */
const maxEndpoints = 1000;

/** The Service named like the revision: what a route's Ingress points at. Its endpoints are written here, so it selects nothing. */
export function makePublicService(object: ServerlessService): CoreService {
  return makeService(object, object.metadata.name ?? '', 'Public', undefined);
}

/** The Service that always means the revision's own pods. */
export function makePrivateService(object: ServerlessService): CoreService {
  const selector = { [labels.revisionUid]: object.metadata.labels?.[labels.revisionUid] ?? '' };
  return makeService(object, privateServiceName(object.metadata.name ?? ''), 'Private', selector);
}

function makeService(
  object: ServerlessService,
  name: string,
  type: 'Public' | 'Private',
  selector: Readonly<Record<string, string>> | undefined,
): CoreService {
  const port = object.spec?.protocolType === 'h2c' ? { name: 'http2', port: 81 } : { name: 'http', port: 80 };
  return {
    metadata: { ...childMetadata(object, type), name },
    spec: {
      // Names resolve to the endpoints, and no address of the cluster's range is spent on a revision.
      clusterIP: 'None',
      ...(selector === undefined ? {} : { selector }),
      ports: [{ ...port, protocol: 'TCP', targetPort: 'user-port' }],
    },
  };
}

/** The public Service's endpoints: `content` under the name of its port. */
export function makePublicSlice(object: ServerlessService, content: readonly SliceContent[]): EndpointSlice {
  const name = object.metadata.name ?? '';
  const portName = object.spec?.protocolType === 'h2c' ? 'http2' : 'http';
  const [first] = content;
  const port = first?.ports.find((one) => one.name === portName) ?? first?.ports[0];
  const metadata = childMetadata(object, 'Public');
  const own = { 'kubernetes.io/service-name': name, 'endpointslice.kubernetes.io/managed-by': 'serverlessservice-controller' };
  return {
    metadata: { ...metadata, name, labels: { ...metadata.labels, ...own } },
    addressType: 'IPv4',
    ports: port === undefined ? [] : [{ name: portName, protocol: 'TCP', port: port.port }],
    endpoints: content.flatMap(({ endpoints }) => endpoints).slice(0, maxEndpoints),
  } as EndpointSlice;
}

function childMetadata(object: ServerlessService, type: 'Public' | 'Private') {
  const { name = '', namespace = '', labels: own, annotations } = object.metadata;
  return {
    namespace,
    labels: { ...own, [labels.serverlessService]: name, [labels.serviceType]: type },
    annotations: { ...annotations },
    ownerReferences: [controllerReference(object, serverlessServices)],
  };
}

export function adoptService(existing: CoreService, desired: CoreService): void {
  existing.metadata.labels = desired.metadata.labels ?? {};
  const { selector: _selector, ...rest } = existing.spec ?? {};
  const { selector, ports } = desired.spec ?? {};
  existing.spec = { ...rest, ...(selector === undefined ? {} : { selector }), ...(ports === undefined ? {} : { ports }) };
}

export function adoptSlice(existing: EndpointSlice, desired: EndpointSlice): void {
  existing.metadata.labels = desired.metadata.labels ?? {};
  existing.ports = desired.ports ?? [];
  existing.endpoints = desired.endpoints;
}
