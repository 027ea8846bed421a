import type { ApiServer } from '#apiserver/request.ts';
import { badRequest } from '#apis/meta/status.ts';
import type { StatsReceiver } from '#autoscaler/stats-receiver.ts';
import type { Metrics } from '#core/metrics.ts';

/** `/metrics` of the control process in Prometheus' text format; for those RBAC lets read it. */
export function addMetricsRoute(server: ApiServer, metrics: Metrics): void {
  server.addRoute({
    path: '/metrics',
    methods: ['GET'],
    async handle() {
      return {
        status: 200,
        headers: {},
        body: { kind: 'text', text: await metrics.expose(), contentType: 'text/plain; version=0.0.4; charset=utf-8' },
      };
    },
  });
}

/** Where the gateways send their counters (apis/dormouse/stats.ts). RBAC: the non-resource URL, which the gateway's role names. */
export function addStatsRoute(server: ApiServer, receiver: StatsReceiver): void {
  server.addRoute({
    path: '/apis/dormouse.dev/v1/stats',
    methods: ['POST'],
    handle(request) {
      if (request.body === undefined) return Promise.reject(badRequest('the counters are sent as the body, one JSON object a line'));
      const chunks = receiver.receive(request.body.stream());
      return Promise.resolve({ status: 200, headers: {}, body: { kind: 'stream', chunks, contentType: 'application/x-ndjson' } });
    },
  });
}
