import { latencyBoundsMs, type LatencyHistogram } from '#gateway/stats/histogram.ts';
import type { Proxy } from '#gateway/proxy/proxy.ts';
import type { Backend } from '#gateway/slots/backend.ts';

/** The gateway's metrics: the one place where they are named. */
export const gatewayMetrics = {
  requests: ['dormouse_gateway_requests_total', 'counter', 'Finished requests by revision and class of the response status.'],
  latency: ['dormouse_gateway_request_duration_seconds', 'histogram', 'Time from a request head to the end of its response.'],
  running: ['dormouse_gateway_requests_running', 'gauge', 'Requests inside the containers of a revision.'],
  queued: ['dormouse_gateway_requests_queued', 'gauge', 'Requests waiting for a slot of a revision.'],
  rejected: ['dormouse_gateway_requests_rejected_total', 'counter', 'Requests refused because the queue of a revision was full.'],
  retries: ['dormouse_gateway_upstream_retries_total', 'counter', 'Requests sent again after a refused or stale connection.'],
  coldStart: ['dormouse_gateway_cold_start_seconds', 'histogram', 'Wait of requests that found a revision without pods.'],
  podRunning: ['dormouse_gateway_pod_requests_running', 'gauge', 'Requests inside one pod.'],
  podRequests: ['dormouse_gateway_pod_requests_total', 'counter', 'Requests sent to one pod.'],
  connections: ['dormouse_gateway_client_connections', 'gauge', 'Open connections of clients.'],
  streams: ['dormouse_gateway_client_streams', 'gauge', 'Requests open on HTTP/2 connections of clients.'],
  ownAnswers: ['dormouse_gateway_own_answers_total', 'counter', 'Responses made by the gateway itself, by status.'],
  rules: ['dormouse_gateway_route_rules', 'gauge', 'Route rules in effect.'],
} as const satisfies Record<string, readonly [name: string, type: 'counter' | 'gauge' | 'histogram', help: string]>;

type MetricKey = keyof typeof gatewayMetrics;

/** Prometheus text exposition (0.0.4) of a proxy's counters. */
export function exposeProxy(proxy: Proxy): string {
  const page = new Page();
  const backends = [...proxy.backends.values()];
  page.add('requests', backends.flatMap(requestLines));
  page.add(
    'latency',
    backends.flatMap((backend) => histogramLines('latency', backend, backend.latency)),
  );
  const each = (key: 'running' | 'queued' | 'rejected' | 'retries') =>
    page.add(
      key,
      backends.map((backend) => line(key, backendLabels(backend), backend[key])),
    );
  each('running');
  each('queued');
  each('rejected');
  each('retries');
  page.add(
    'coldStart',
    backends.flatMap((backend) => histogramLines('coldStart', backend, backend.coldStarts)),
  );
  page.add(
    'podRunning',
    podLines('podRunning', backends, (pod) => pod.running),
  );
  page.add(
    'podRequests',
    podLines('podRequests', backends, (pod) => pod.requests),
  );
  page.add('connections', [line('connections', {}, proxy.connections)]);
  page.add('streams', [line('streams', {}, proxy.streams)]);
  page.add(
    'ownAnswers',
    [...proxy.ownAnswers].map(([status, count]) => line('ownAnswers', { status: String(status) }, count)),
  );
  page.add('rules', [line('rules', {}, proxy.table.ruleCount)]);
  return page.text;
}

class Page {
  text = '';
  add(key: MetricKey, lines: readonly string[]): void {
    const [name, type, help] = gatewayMetrics[key];
    this.text += `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.map((one) => `${one}\n`).join('')}`;
  }
}

function line(key: MetricKey, labels: Readonly<Record<string, string>>, value: number, suffix = ''): string {
  const pairs = Object.entries(labels).map(
    ([name, text]) => `${name}="${text.replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`))}"`,
  );
  return `${gatewayMetrics[key][0]}${suffix}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}`;
}

const backendLabels = ({ config }: Backend): Record<string, string> => ({ namespace: config.namespace, revision: config.name });

function requestLines(backend: Backend): string[] {
  const classes = [...backend.statuses].map((count, digit) => [digit === 0 ? 'client_closed' : `${digit}xx`, count] as const);
  return classes.filter(([, count]) => count > 0).map(([code, count]) => line('requests', { ...backendLabels(backend), code }, count));
}

function histogramLines(key: 'latency' | 'coldStart', backend: Backend, histogram: LatencyHistogram): string[] {
  const labels = backendLabels(backend);
  let sum = 0;
  const buckets = [...histogram.counts].map((count, index) => {
    sum += count;
    const bound = latencyBoundsMs[index];
    return line(key, { ...labels, le: bound === undefined ? '+Inf' : String(bound / 1000) }, sum, '_bucket');
  });
  return [...buckets, line(key, labels, histogram.sumMs / 1000, '_sum'), line(key, labels, sum, '_count')];
}

function podLines(key: MetricKey, backends: readonly Backend[], value: (pod: Backend['pods'][number]) => number): string[] {
  return backends.flatMap((backend) => backend.pods.map((pod) => line(key, { ...backendLabels(backend), pod: pod.key }, value(pod))));
}
