import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { Metrics } from '#core/metrics.ts';

/** Metrics over prom-client: the one file that imports it. Process metrics (`process_*`, `nodejs_*`) are in it. Registering a name again gives the same metric. */
export function createMetrics(component: string): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ component });
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 100 });
  return {
    counter(name, help, labelNames = []) {
      const counter =
        (registry.getSingleMetric(name) as Counter | undefined) ??
        new Counter({ name, help, labelNames: [...labelNames], registers: [registry] });
      return { inc: (labels = {}, by = 1) => counter.inc(labels, by) };
    },
    gauge(name, help, labelNames = []) {
      const gauge =
        (registry.getSingleMetric(name) as Gauge | undefined) ??
        new Gauge({ name, help, labelNames: [...labelNames], registers: [registry] });
      return { set: (labels, value) => gauge.set(labels, value), remove: (labels) => gauge.remove(labels) };
    },
    histogram(name, help, labelNames = [], buckets) {
      const histogram =
        (registry.getSingleMetric(name) as Histogram | undefined) ??
        new Histogram({
          name,
          help,
          labelNames: [...labelNames],
          registers: [registry],
          ...(buckets === undefined ? {} : { buckets: [...buckets] }),
        });
      return { observe: (labels, value) => histogram.observe(labels, value) };
    },
    expose: () => registry.metrics(),
  };
}
