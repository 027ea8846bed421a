import { cpus, freemem, loadavg, totalmem, uptime } from 'node:os';
import type { Pod } from '#apis/core/v1/pod.ts';
import type { PodStats, Provider } from '#node/provider.ts';

/** A pod of the API together with what it uses now. */
export interface MeasuredPod {
  readonly pod: Pod;
  readonly stats: PodStats;
}

/** Asks the provider for every pod that runs; pods that end meanwhile are left out. */
export async function measurePods(pods: readonly Pod[], provider: Provider): Promise<readonly MeasuredPod[]> {
  const measured = await Promise.all(
    pods.map(async (pod) => {
      const stats = await provider.getPodStats?.(pod.metadata.uid ?? '').catch(() => undefined);
      return stats === undefined ? undefined : { pod, stats };
    }),
  );
  return measured.filter((one) => one !== undefined);
}

export interface NodeUsage {
  readonly timeMs: number;
  readonly startedAtMs: number;
  readonly cpuNanos: number;
  readonly memoryBytes: number;
}

/** What the machine as a whole has used. */
export function nodeUsage(timeMs: number, startedAtMs: number): NodeUsage {
  const busyMs = cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);
  return { timeMs, startedAtMs, cpuNanos: busyMs * 1e6, memoryBytes: totalmem() - freemem() };
}

const time = (ms: number): string => new Date(ms).toISOString();

/** CPU used per second since the last summary, in billionths of a core; remembers what it saw. */
export class CpuRates {
  readonly #seen = new Map<string, { readonly timeMs: number; readonly nanos: number; rate: number }>();

  /** `sinceMs`: when counting began, for the mean of a first look. */
  rate(key: string, timeMs: number, nanos: number, sinceMs: number): number {
    const before = this.#seen.get(key);
    const isNewer = before !== undefined && timeMs > before.timeMs && nanos >= before.nanos;
    const mean = timeMs > sinceMs ? Math.round((nanos / (timeMs - sinceMs)) * 1000) : 0;
    const rate = isNewer ? Math.round(((nanos - before.nanos) / (timeMs - before.timeMs)) * 1000) : (before?.rate ?? mean);
    if (before === undefined || timeMs - before.timeMs >= 1000) this.#seen.set(key, { timeMs, nanos, rate });
    return rate;
  }

  /** Forgets everything but `keys`. */
  keep(keys: ReadonlySet<string>): void {
    for (const key of this.#seen.keys()) if (!keys.has(key)) this.#seen.delete(key);
  }
}

/** kubelet's stats/v1alpha1 Summary. */
export function statsSummary(nodeName: string, node: NodeUsage, pods: readonly MeasuredPod[], rates: CpuRates): object {
  const keys = new Set(['node']);
  const cpu = (key: string, timeMs: number, nanos: number, sinceMs: number) => {
    keys.add(key);
    return { time: time(timeMs), usageNanoCores: rates.rate(key, timeMs, nanos, sinceMs), usageCoreNanoSeconds: Math.round(nanos) };
  };
  const summary = {
    node: {
      nodeName,
      startTime: time(node.startedAtMs),
      cpu: cpu('node', node.timeMs, node.cpuNanos, node.timeMs - uptime() * 1000),
      memory: memory(node.timeMs, node.memoryBytes, node.memoryBytes, Math.max(0, totalmem() - node.memoryBytes)),
      rlimit: { time: time(node.timeMs), curproc: Math.round((loadavg()[0] ?? 0) + pods.length) },
    },
    pods: pods.map(({ pod, stats }) => podSummary(pod, stats, cpu)),
  };
  rates.keep(keys);
  return summary;
}

function podSummary(pod: Pod, stats: PodStats, cpu: (key: string, timeMs: number, nanos: number, sinceMs: number) => object): object {
  const { name = '', namespace = '', uid = '' } = pod.metadata;
  const { timestampMs, containers } = stats;
  const sum = (pick: (one: PodStats['containers'][number]) => number) => containers.reduce((total, one) => total + pick(one), 0);
  return {
    podRef: { name, namespace, uid },
    startTime: pod.status?.startTime ?? time(timestampMs),
    containers: containers.map((one) => ({
      name: one.name,
      startTime: time(one.startedAtMs),
      cpu: cpu(`${uid}/${one.name}`, timestampMs, one.cpuUsageNanos, one.startedAtMs),
      memory: memory(timestampMs, one.memoryUsageBytes, one.memoryWorkingSetBytes),
    })),
    cpu: cpu(
      uid,
      timestampMs,
      sum((one) => one.cpuUsageNanos),
      Math.min(timestampMs, ...containers.map((one) => one.startedAtMs)),
    ),
    memory: memory(
      timestampMs,
      sum((one) => one.memoryUsageBytes),
      sum((one) => one.memoryWorkingSetBytes),
    ),
    process_stats: { process_count: sum((one) => one.pids) },
  };
}

function memory(timeMs: number, usageBytes: number, workingSetBytes: number, availableBytes?: number): object {
  return { time: time(timeMs), ...(availableBytes === undefined ? {} : { availableBytes }), usageBytes, workingSetBytes };
}

/** kubelet's /metrics/resource, in the Prometheus text format; what metrics-server reads. */
export function resourceMetrics(node: NodeUsage, pods: readonly MeasuredPod[]): string {
  const families: [string, string, string, string[]][] = [];
  const family = (name: string, type: string, help: string, samples: string[]) => families.push([name, type, help, samples]);
  const containers = pods.flatMap(({ pod, stats }) =>
    stats.containers.map((one) => ({
      labels: `container="${one.name}",namespace="${pod.metadata.namespace}",pod="${pod.metadata.name}"`,
      one,
      at: stats.timestampMs,
    })),
  );
  const podSum = (pick: (one: PodStats['containers'][number]) => number) =>
    pods.map(({ pod, stats }) => ({
      labels: `namespace="${pod.metadata.namespace}",pod="${pod.metadata.name}"`,
      value: stats.containers.reduce((total, one) => total + pick(one), 0),
      at: stats.timestampMs,
    }));
  const sample = (name: string, labels: string, value: number, at: number) => `${name}{${labels}} ${value} ${at}`;
  const of = (name: string, pick: (one: PodStats['containers'][number]) => number) =>
    containers.map(({ labels, one, at }) => sample(name, labels, pick(one), at));
  const ofPods = (name: string, pick: (one: PodStats['containers'][number]) => number) =>
    podSum(pick).map(({ labels, value, at }) => sample(name, labels, value, at));
  const seconds = (one: PodStats['containers'][number]) => one.cpuUsageNanos / 1e9;
  const workingSet = (one: PodStats['containers'][number]) => one.memoryWorkingSetBytes;
  family(
    'container_cpu_usage_seconds_total',
    'counter',
    'Cumulative cpu time consumed by the container in core-seconds',
    of('container_cpu_usage_seconds_total', seconds),
  );
  family(
    'container_memory_working_set_bytes',
    'gauge',
    'Current working set of the container in bytes',
    of('container_memory_working_set_bytes', workingSet),
  );
  family(
    'container_start_time_seconds',
    'gauge',
    'Start time of the container since unix epoch in seconds',
    of('container_start_time_seconds', (one) => one.startedAtMs / 1000),
  );
  family('node_cpu_usage_seconds_total', 'counter', 'Cumulative cpu time consumed by the node in core-seconds', [
    `node_cpu_usage_seconds_total ${node.cpuNanos / 1e9} ${node.timeMs}`,
  ]);
  family('node_memory_working_set_bytes', 'gauge', 'Current working set of the node in bytes', [
    `node_memory_working_set_bytes ${node.memoryBytes} ${node.timeMs}`,
  ]);
  family(
    'pod_cpu_usage_seconds_total',
    'counter',
    'Cumulative cpu time consumed by the pod in core-seconds',
    ofPods('pod_cpu_usage_seconds_total', seconds),
  );
  family(
    'pod_memory_working_set_bytes',
    'gauge',
    'Current working set of the pod in bytes',
    ofPods('pod_memory_working_set_bytes', workingSet),
  );
  family('resource_scrape_error', 'gauge', '1 if there was an error while getting container metrics, 0 otherwise', [
    'resource_scrape_error 0',
  ]);
  return families
    .map(([name, type, help, samples]) => [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...samples, ''].join('\n'))
    .join('');
}
