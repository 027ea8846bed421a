import type { Pod } from '#apis/core/v1/pod.ts';
import { fieldForbidden, fieldInvalid, invalid, type FieldError } from '#apis/meta/field-error.ts';
import { badRequest } from '#apis/meta/status.ts';
import type { ApiResponse, SubresourceCall, SubresourceHandler } from '#apiserver/request.ts';
import { chooseContainer } from '#platform/control/kubelet/choose-container.ts';
import { refusal, type KubeletClient } from '#platform/control/kubelet/kubelet-client.ts';
import { isTrue } from '#platform/control/kubelet/streams.ts';
import { readSystemLog, systemLog } from '#platform/control/system-pods.ts';
import type { ProcessConfig } from '#platform/process-config.ts';

/** Least value of each number among PodLogOptions. */
const numbers = { tailLines: 0, limitBytes: 1, sinceSeconds: 1 } as const;
const switches = ['follow', 'previous', 'timestamps'] as const;

/** `pods/log`: the kubelet's answer as it comes; for the platform's own parts, their process's log. */
export function logSubresource(kubelet: KubeletClient, config: ProcessConfig): SubresourceHandler {
  return {
    group: '',
    plural: 'pods',
    name: 'log',
    verbs: ['get'],
    kind: 'Pod',
    handle: (call) => serveLog(kubelet, config, call),
  };
}

async function serveLog(kubelet: KubeletClient, config: ProcessConfig, call: SubresourceCall): Promise<ApiResponse> {
  const { request, namespace, name } = call;
  const pod = call.parent as Pod;
  const options = logOptions(request.query, name);
  const container = chooseContainer(pod, request.query.get('container') ?? '');
  const system = systemLog(pod, config);
  if (system !== undefined) {
    const tailLines = options.get('tailLines');
    const reading = {
      follow: options.has('follow'),
      signal: request.signal,
      ...(tailLines === null ? {} : { tailLines: Number(tailLines) }),
    };
    return stream(readSystemLog(system, reading));
  }
  const nodeName = pod.spec.nodeName ?? '';
  // Nobody runs it yet: it has said nothing.
  if (nodeName === '') return { status: 200, headers: {}, body: { kind: 'text', text: '', contentType: 'text/plain' } };
  const path = `/containerLogs/${[namespace, name, container].map(encodeURIComponent).join('/')}?${options.toString()}`;
  const response = await kubelet.send(nodeName, { method: 'GET', path, signal: request.signal });
  if (response.statusCode !== 200) throw await refusal(response);
  return stream(response as AsyncIterable<Uint8Array>);
}

function stream(chunks: AsyncIterable<Uint8Array>): ApiResponse {
  return { status: 200, headers: {}, body: { kind: 'stream', chunks, contentType: 'text/plain' } };
}

/** PodLogOptions, checked as kube-apiserver does, as the kubelet's query. */
export function logOptions(query: URLSearchParams, pod: string): URLSearchParams {
  const options = new URLSearchParams();
  const errors: FieldError[] = [];
  for (const [name, minimum] of Object.entries(numbers)) {
    const text = query.get(name) ?? '';
    if (text === '') continue;
    if (!/^[+-]?\d+$/.test(text)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
    const bound = minimum === 0 ? 'must be greater than or equal to 0' : 'must be greater than 0';
    if (Number(text) < minimum) errors.push(fieldInvalid(name, Number(text), bound));
    options.set(name, String(Number(text)));
  }
  for (const name of switches) if (isTrue(query.get(name))) options.set(name, 'true');
  const sinceTime = query.get('sinceTime') ?? '';
  if (sinceTime !== '') {
    if (Number.isNaN(Date.parse(sinceTime))) throw badRequest(`parsing time ${JSON.stringify(sinceTime)}: it is no RFC 3339 time`);
    if (options.has('sinceSeconds')) errors.push(fieldForbidden('', 'at most one of `sinceTime` or `sinceSeconds` may be specified'));
    options.set('sinceTime', sinceTime);
  }
  if (errors.length > 0) throw invalid('', 'PodLogOptions', pod, errors);
  return options;
}
