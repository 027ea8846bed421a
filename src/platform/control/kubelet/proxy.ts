import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { connect as tlsConnect } from 'node:tls';
import type { Node } from '#apis/core/v1/node.ts';
import type { Pod } from '#apis/core/v1/pod.ts';
import type { Service } from '#apis/core/v1/service.ts';
import { pods } from '#apis/core/v1/pod.ts';
import { endpointSlices } from '#apis/discovery/v1/endpoint-slice.ts';
import { badRequest, StatusError } from '#apis/meta/status.ts';
import type { ApiRequest, ApiResponse, SubresourceCall, SubresourceHandler } from '#apiserver/request.ts';
import type { Client } from '#client/client.ts';
import { errorText } from '#core/errors.ts';
import { request as httpRequest } from '#core/node-http.ts';
import { sendBody, upgradedBy, type KubeletClient } from '#platform/control/kubelet/kubelet-client.ts';
import { connectToPod, type PodPort } from '#platform/control/kubelet/pod-connection.ts';
import { passUpgrade } from '#platform/control/kubelet/streams.ts';
import { mirrorAnnotation } from '#platform/control/system-pods.ts';

const verbs = ['create', 'delete', 'get', 'patch', 'update'] as const;
/** Not passed on: what concerns one hop only, and who the caller is to the API. */
const withheld = new Set([
  'authorization',
  'connection',
  'host',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** `[scheme:]name[:port]`, as in the path of a proxy request. */
interface ProxyTarget {
  readonly scheme: string;
  readonly port: string;
}

/** `pods/proxy`, `services/proxy` and `nodes/proxy`: HTTP to what runs in a pod, or to a node's kubelet. */
export function proxySubresources(kubelet: KubeletClient, client: Client): readonly SubresourceHandler[] {
  const proxy = { group: '', name: 'proxy', verbs } as const;
  return [
    { ...proxy, plural: 'pods', kind: 'PodProxyOptions', handle: (call) => proxyPod(kubelet, call) },
    { ...proxy, plural: 'services', kind: 'ServiceProxyOptions', handle: (call) => proxyService(kubelet, client, call) },
    { ...proxy, plural: 'nodes', kind: 'NodeProxyOptions', handle: (call) => proxyNode(kubelet, call) },
  ];
}

function proxyPod(kubelet: KubeletClient, call: SubresourceCall): Promise<ApiResponse> {
  const pod = call.parent as Pod;
  const { scheme, port } = parseTarget(call.name);
  const declared = pod.spec.containers.flatMap(({ ports = [] }) => ports);
  const number =
    port === '' ? (declared[0]?.containerPort ?? 80) : portNumber(port, declared.find(({ name }) => name === port)?.containerPort);
  return proxyTo(kubelet, call.request, scheme, call.rest, podPort(pod, number));
}

async function proxyService(kubelet: KubeletClient, client: Client, call: SubresourceCall): Promise<ApiResponse> {
  const service = call.parent as Service;
  const { scheme, port } = parseTarget(call.name);
  const name = service.metadata.name ?? '';
  const ports = service.spec.ports ?? [];
  const wanted = port === '' && ports.length === 1 ? ports[0] : ports.find((one) => one.name === port || String(one.port) === port);
  if (wanted === undefined)
    throw new StatusError('ServiceUnavailable', `no service port ${JSON.stringify(port)} found for service "${name}"`);
  const { items } = await client
    .of(endpointSlices)
    .list({ namespace: call.namespace, labelSelector: `kubernetes.io/service-name=${name}` });
  for (const { endpoints = [], ports: slicePorts = [] } of items) {
    const number = slicePorts?.find((one) => (one.name ?? '') === (wanted.name ?? ''))?.port;
    const ready = (endpoints ?? []).find(({ conditions, targetRef }) => conditions?.ready !== false && targetRef?.kind === 'Pod');
    if (number === undefined || ready === undefined) continue;
    const pod = await client.of(pods).get(call.namespace, ready.targetRef?.name ?? '');
    return proxyTo(kubelet, call.request, scheme, call.rest, podPort(pod, number));
  }
  throw new StatusError('ServiceUnavailable', `no endpoints available for service "${name}"`);
}

async function proxyNode(kubelet: KubeletClient, call: SubresourceCall): Promise<ApiResponse> {
  const node = call.parent as Node;
  const { request, rest } = call;
  const { port } = parseTarget(call.name);
  const own = node.status?.daemonEndpoints?.kubeletEndpoint?.Port;
  if (port !== '' && Number(port) !== own) throw badRequest(`only the kubelet's port ${own} of a node can be reached`);
  const response = await kubelet.send(node.metadata.name ?? '', {
    method: request.method,
    path: pathOf(rest, request.query),
    headers: passedHeaders(request),
    ...(request.body === undefined ? {} : { body: request.body.stream() }),
    signal: request.signal,
  });
  return passResponse(response);
}

async function proxyTo(kubelet: KubeletClient, request: ApiRequest, scheme: string, rest: string, target: PodPort): Promise<ApiResponse> {
  const connection = await connectToPod(kubelet, target, request.signal);
  // As in Kubernetes: who serves HTTPS in a pod has no certificate that anybody here could check.
  const secured: Duplex = scheme === 'https' ? tlsConnect({ socket: connection, rejectUnauthorized: false }) : connection;
  const upgrade = request.headers['upgrade'];
  const outgoing = httpRequest({
    createConnection: () => secured as never,
    method: request.method,
    path: pathOf(rest, request.query),
    headers: {
      ...passedHeaders(request),
      host: `${target.name}:${target.port}`,
      ...(upgrade === undefined ? { connection: 'close' } : { connection: 'Upgrade', upgrade }),
    },
    signal: request.signal,
  });
  if (upgrade !== undefined) return passUpgrade(await upgradedBy(outgoing));
  return passResponse(await answerTo(outgoing, request));
}

function answerTo(outgoing: ClientRequest, request: ApiRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    outgoing.once('response', resolve);
    outgoing.once('error', (error) =>
      reject(
        error instanceof StatusError
          ? error
          : new StatusError('ServiceUnavailable', `error trying to reach service: ${errorText(error)}`, { cause: error }),
      ),
    );
    void sendBody(outgoing, request.body?.stream());
  });
}

function podPort({ metadata, spec }: Pod, port: number): PodPort {
  const { name = '', namespace = '', annotations } = metadata;
  if (annotations?.[mirrorAnnotation] !== undefined) throw badRequest(`pod ${name} stands for a process of the platform itself`);
  if ((spec.nodeName ?? '') === '') throw badRequest(`pod ${name} does not have a host assigned`);
  return { nodeName: spec.nodeName ?? '', namespace, name, port };
}

/** kube-apiserver's reading of `[scheme:]name[:port]`. */
function parseTarget(text: string): ProxyTarget {
  const parts = text.split(':');
  if (parts.length === 3) {
    const [scheme = '', , port = ''] = parts;
    if (!['', 'http', 'https'].includes(scheme))
      throw badRequest(`invalid proxy request ${JSON.stringify(text)}: the scheme is http or https`);
    return { scheme, port };
  }
  return { scheme: 'http', port: parts[1] ?? '' };
}

function portNumber(text: string, named: number | undefined): number {
  const port = named ?? Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw badRequest(`invalid port ${JSON.stringify(text)}`);
  return port;
}

function pathOf(rest: string, query: URLSearchParams): string {
  const text = query.toString();
  return `${rest === '' ? '/' : rest}${text === '' ? '' : `?${text}`}`;
}

function passedHeaders({ headers, body }: ApiRequest): Record<string, string> {
  const passed = Object.entries(headers).filter(([name]) => !withheld.has(name) && !name.startsWith('impersonate-'));
  return Object.fromEntries(body === undefined ? passed.filter(([name]) => name !== 'content-length') : passed);
}

function passResponse(response: IncomingMessage): ApiResponse {
  const headers: Record<string, string | readonly string[]> = {};
  for (const [name, value] of Object.entries(response.headers)) {
    if (value !== undefined && !withheld.has(name) && name !== 'content-type') headers[name] = value;
  }
  const contentType = response.headers['content-type'] ?? 'application/octet-stream';
  const chunks = response as AsyncIterable<Uint8Array>;
  return { status: response.statusCode ?? 502, headers, body: { kind: 'stream', chunks, contentType } };
}
