import { defineKind } from '#apis/definition.ts';
import { kindSchema } from '#apis/meta/builtin.ts';
import { list, map, object, quantity, required, string, time, type Infer } from '#apis/schema.ts';

const metrics = 'io.k8s.metrics.pkg.apis.metrics.v1beta1';

export const containerMetricsSchema = object(`${metrics}.ContainerMetrics`, {
  name: [1, required(string())],
  usage: [2, required(map(quantity()))],
});

export const nodeMetricsSchema = kindSchema(`${metrics}.NodeMetrics`, {
  timestamp: [2, required(time())],
  window: [3, required(string())],
  usage: [4, required(map(quantity()))],
});
export interface NodeMetrics extends Infer<typeof nodeMetricsSchema> {}

export const podMetricsSchema = kindSchema(`${metrics}.PodMetrics`, {
  timestamp: [2, required(time())],
  window: [3, required(string())],
  containers: [4, required(list(containerMetricsSchema))],
});
export interface PodMetrics extends Infer<typeof podMetricsSchema> {}

const common = { group: 'metrics.k8s.io', verbs: ['get', 'list'] } as const;

/** What nodes and pods use now: measured when asked for, never stored. `kubectl top` reads them. */
export const usageKinds = [
  defineKind<NodeMetrics>({
    ...common,
    kind: 'NodeMetrics',
    plural: 'nodes',
    singular: '',
    namespaced: false,
    versions: [{ name: 'v1beta1', schema: nodeMetricsSchema, served: true }],
  }),
  defineKind<PodMetrics>({
    ...common,
    kind: 'PodMetrics',
    plural: 'pods',
    singular: '',
    versions: [{ name: 'v1beta1', schema: podMetricsSchema, served: true }],
  }),
] as const;
