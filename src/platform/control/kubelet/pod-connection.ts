import type { Duplex } from 'node:stream';
import { StatusError } from '#apis/meta/status.ts';
import type { KubeletClient } from '#platform/control/kubelet/kubelet-client.ts';
import { SpdySession } from '#wire/spdy.ts';

export interface PodPort {
  readonly nodeName: string;
  readonly namespace: string;
  readonly name: string;
  readonly port: number;
}

/**
 * A connection to a port of a pod, through its node's kubelet as a port-forward: it reaches pods whose IP this process cannot,
 * and nothing but that pod, whatever its status claims. Ends with the signal.
 */
export async function connectToPod(kubelet: KubeletClient, target: PodPort, signal: AbortSignal): Promise<Duplex> {
  const { nodeName, namespace, name, port } = target;
  const { socket, head } = await kubelet.upgrade(nodeName, {
    method: 'POST',
    path: `/portForward/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`,
    headers: { connection: 'Upgrade', upgrade: 'SPDY/3.1', 'x-stream-protocol-version': 'portforward.k8s.io' },
    signal,
  });
  const session = new SpdySession(socket, { role: 'client', head });
  const headers = { port: String(port), requestid: '0' };
  const failure = session.open({ ...headers, streamtype: 'error' });
  const data = session.open({ ...headers, streamtype: 'data' });
  failure.end();
  failure.on('error', () => {});
  let text = '';
  failure.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
  failure.once('end', () => {
    if (text !== '') data.destroy(new StatusError('ServiceUnavailable', `error trying to reach service: ${text}`));
  });
  data.once('close', () => void session.close());
  return data;
}
