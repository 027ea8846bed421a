import { answers, type GatewayAnswer } from '#gateway/errors.ts';
import { fieldValue } from '#gateway/http/head.ts';
import type { RequestHead } from '#gateway/http/request-head.ts';
import type { HostRoutes } from '#gateway/routes/route-table.ts';

export interface ProbeReply {
  readonly answer: GatewayAnswer;
  readonly headers: string;
}

const ok = (body: string): GatewayAnswer => ({ status: 200, reason: 'OK', body, fault: 'user', retriable: false });

/**
 * Knative's network probes. `probe`: the gateway has the routes of this host; `K-Network-Hash: override` is answered with the hash
 * of the Ingress they came from, any other value is echoed. `queue`: a pod of the route is ready.
 */
export function answerProbe(bytes: Buffer, head: RequestHead, routes: HostRoutes): ProbeReply {
  const probe = bytes.toString('latin1', head.probeStart, head.probeEnd);
  if (probe === 'queue') {
    const ready = routes.rules.some((rule) => rule.targets.some(({ backend }) => backend.pods.length > 0));
    return { answer: ready ? ok('queue') : answers.notReady, headers: '' };
  }
  if (probe !== 'probe') {
    return { answer: { ...answers.malformed, body: `unexpected probe header value: ${probe}` }, headers: '' };
  }
  const asked = fieldValue(bytes, head, 'k-network-hash') ?? '';
  if (asked === '') return { answer: answers.emptyProbeHash, headers: '' };
  const hash = asked === 'override' ? routes.probeHash : asked;
  return { answer: ok(''), headers: `K-Network-Hash: ${hash}\r\n` };
}

/** A kubelet asks the gateway itself, not a service: kube-probe on /healthz of a host nobody has. */
export function isHealthProbe(bytes: Buffer, head: RequestHead): boolean {
  if (bytes.toString('latin1', head.targetStart, head.targetEnd) !== '/healthz') return false;
  return fieldValue(bytes, head, 'user-agent')?.startsWith('kube-probe/') === true || head.probeStart >= 0;
}

export const healthy = ok('ok');
