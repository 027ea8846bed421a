import type { Counter, Gauge, Histogram, Metrics } from '#core/metrics.ts';

export interface ControllerMetrics {
  readonly depth: Gauge;
  readonly reconcileSeconds: Histogram;
  readonly reconciles: Counter;
  readonly statusWrites: Counter;
  readonly leading: Gauge;
}

const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Every metric of this part. `result`: `done`, `requeue`, `conflict`, `error` or `permanent_error`. */
export function controllerMetrics(metrics: Metrics): ControllerMetrics {
  return {
    depth: metrics.gauge('dormouse_workqueue_depth', 'Keys waiting to be reconciled.', ['controller']),
    reconcileSeconds: metrics.histogram('dormouse_reconcile_duration_seconds', 'Duration of one reconcile.', ['controller'], buckets),
    reconciles: metrics.counter('dormouse_reconcile_total', 'Reconciles by result.', ['controller', 'result']),
    statusWrites: metrics.counter('dormouse_reconcile_status_writes_total', 'Status changes written.', ['controller']),
    leading: metrics.gauge('leader_election_master_status', 'Whether a process of its own leads (1) or waits (0), by lease.', ['name']),
  };
}
