import type { Metrics } from '#core/metrics.ts';

/** Every metric of the API server, with kube-apiserver's names. */
export function apiServerMetrics(metrics: Metrics) {
  return {
    requests: metrics.counter('apiserver_request_total', 'Requests answered, by verb, resource and HTTP code.', [
      'verb',
      'group',
      'resource',
      'subresource',
      'code',
    ]),
    duration: metrics.histogram(
      'apiserver_request_duration_seconds',
      'Time to the answer, watches and streams left out.',
      ['verb', 'resource'],
      [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10],
    ),
    watches: metrics.counter('apiserver_watch_starts_total', 'Watches begun, by resource.', ['resource']),
  };
}

export type ApiServerMetrics = ReturnType<typeof apiServerMetrics>;
