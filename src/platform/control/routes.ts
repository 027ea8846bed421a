import type { ApiServer } from '#apiserver/request.ts';
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
