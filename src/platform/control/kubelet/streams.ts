import type { Pod } from '#apis/core/v1/pod.ts';
import { badRequest } from '#apis/meta/status.ts';
import type { ApiResponse, SubresourceCall, SubresourceHandler } from '#apiserver/request.ts';
import { chooseContainer } from '#platform/control/kubelet/choose-container.ts';
import type { KubeletClient, UpgradedConnection } from '#platform/control/kubelet/kubelet-client.ts';
import { splice } from '#platform/control/kubelet/splice.ts';
import { mirrorAnnotation } from '#platform/control/system-pods.ts';

/** What of a caller's request goes on to the kubelet: how to switch protocols, and nothing that says who the caller is. */
const passedHeaders = [
  'connection',
  'upgrade',
  'sec-websocket-key',
  'sec-websocket-version',
  'sec-websocket-protocol',
  'x-stream-protocol-version',
] as const;

/** Kubelet's names for the streams of an exec or attach. */
const streamNames = { stdin: 'input', stdout: 'output', stderr: 'error', tty: 'tty' } as const;

/** `pods/exec`, `pods/attach` and `pods/portforward`: the upgraded connection is the kubelet's, byte by byte. */
export function streamSubresources(kubelet: KubeletClient): readonly SubresourceHandler[] {
  const pods = { group: '', plural: 'pods', verbs: ['create', 'get'] } as const;
  return [
    { ...pods, name: 'exec', kind: 'PodExecOptions', handle: (call) => connect(kubelet, call, commandPath('exec', call)) },
    { ...pods, name: 'attach', kind: 'PodAttachOptions', handle: (call) => connect(kubelet, call, commandPath('attach', call)) },
    { ...pods, name: 'portforward', kind: 'PodPortForwardOptions', handle: (call) => connect(kubelet, call, podPath('portForward', call)) },
  ];
}

/** The answer that hands an upgraded connection on to the caller. */
export function passUpgrade({ answer, socket: far, head: farHead }: UpgradedConnection): ApiResponse {
  return {
    status: 101,
    headers: {},
    body: {
      kind: 'upgrade',
      accept(socket, head) {
        socket.write(answer);
        if (farHead.length > 0) socket.write(farHead);
        if (head.length > 0) far.write(head);
        splice(socket, far);
      },
    },
  };
}

/** The headers of an upgrade request that may be passed on; undefined when it is none. */
function upgradeHeaders(headers: Readonly<Record<string, string>>): Record<string, string> | undefined {
  if (headers['upgrade'] === undefined) return undefined;
  return Object.fromEntries(passedHeaders.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]]])));
}

async function connect(kubelet: KubeletClient, { request, parent }: SubresourceCall, path: string): Promise<ApiResponse> {
  const pod = parent as Pod;
  if (pod.metadata.annotations?.[mirrorAnnotation] !== undefined) {
    throw badRequest(`pod ${pod.metadata.name} stands for a process of the platform itself; only its logs can be had`);
  }
  const nodeName = pod.spec.nodeName ?? '';
  if (nodeName === '') throw badRequest(`pod ${pod.metadata.name} does not have a host assigned`);
  const headers = upgradeHeaders(request.headers);
  if (headers === undefined) throw badRequest('Upgrade request required');
  return passUpgrade(await kubelet.upgrade(nodeName, { method: request.method, path, headers, signal: request.signal }));
}

function podPath(kind: string, { namespace, name }: SubresourceCall): string {
  return `/${kind}/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`;
}

function commandPath(kind: 'exec' | 'attach', call: SubresourceCall): string {
  const { query } = call.request;
  const container = chooseContainer(call.parent as Pod, query.get('container') ?? '');
  const wanted = new URLSearchParams();
  for (const [ours, theirs] of Object.entries(streamNames)) if (isTrue(query.get(ours))) wanted.set(theirs, '1');
  for (const word of query.getAll('command')) wanted.append('command', word);
  return `${podPath(kind, call)}/${encodeURIComponent(container)}?${wanted.toString()}`;
}

/** As Go's ParseBool reads it; a name without a value is true. */
export function isTrue(value: string | null): boolean {
  return value !== null && /^(?:|1|t|T|true|TRUE|True)$/.test(value);
}
