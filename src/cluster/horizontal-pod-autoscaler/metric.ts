import type { Pod } from '#apis/core/v1/pod.ts';
import type { HorizontalPodAutoscalerSpec } from '#apis/autoscaling/v2/horizontal-pod-autoscaler.ts';
import type { MetricSpec, MetricStatus, MetricTarget, MetricValueStatus } from '#apis/autoscaling/v2/metrics.ts';
import type { PodMetrics } from '#apis/metrics/v1beta1/usage.ts';
import { defaultTolerance, proposeReplicas, type Aim, type Proposal } from '#cluster/horizontal-pod-autoscaler/replicas.ts';
import { MetricError, requestsByPod, usageByPod } from '#cluster/horizontal-pod-autoscaler/usage.ts';
import { formatQuantity, parseQuantity, quantityMilliValue, quantityToNumber, type QuantityFormat } from '#apis/meta/quantity.ts';

/** What is known when the metrics of one autoscaler are looked at. */
export interface Surroundings {
  readonly spec: HorizontalPodAutoscalerSpec;
  readonly current: number;
  readonly pods: readonly Pod[];
  /** Of the workload's pods; rejects when the metrics API does not answer. */
  readonly metrics: () => Promise<readonly PodMetrics[]>;
  readonly nowMs: number;
}

/** What one metric proposes, and how the status shows it. */
export interface Evaluation {
  readonly replicas: number;
  readonly name: string;
  readonly status: MetricStatus;
}

/** A metric that gives no answer: the reason of the ScalingActive condition, and the message of the event. */
export class InvalidMetric extends Error {
  readonly reason: string;
  /** What it was, in the message that counts the invalid ones. */
  readonly what: string;
  constructor(reason: string, message: string, what: string) {
    super(message);
    this.reason = reason;
    this.what = what;
  }
}

/** Throws InvalidMetric. Metrics of other origin than the kubelets need an adapter's API (custom.metrics.k8s.io), which is not served here. */
export async function evaluate(metric: MetricSpec, around: Surroundings): Promise<Evaluation> {
  const { resource, containerResource } = metric;
  if (resource !== undefined) {
    const { replicas, name, current } = await evaluateResource(resource.name, resource.target, around);
    return { replicas, name, status: { type: 'Resource', resource: { name: resource.name, current } } };
  }
  if (containerResource !== undefined) {
    const { name: resourceName, container, target } = containerResource;
    const { replicas, name, current } = await evaluateResource(resourceName, target, around, container);
    return { replicas, name, status: { type: 'ContainerResource', containerResource: { name: resourceName, container, current } } };
  }
  throw notServed(metric);
}

async function evaluateResource(resource: string, target: MetricTarget, around: Surroundings, container?: string) {
  const kind = container === undefined ? 'resource' : 'container resource';
  const share = target.averageUtilization;
  try {
    const usage = usageByPod(await fetched(around, resource), resource, container);
    if (usage.size === 0)
      throw new MetricError(`unable to get metrics for resource ${resource}: no metrics returned from resource metrics API`);
    const requests = share === undefined ? undefined : requestsByPod(around.pods, resource, container);
    const measured = { pods: around.pods, usage, resource, nowMs: around.nowMs };
    const proposal = proposeReplicas(around.current, measured, aimOf(target, requests, around.spec));
    const percent = requests === undefined ? undefined : percentOf(proposal, measured, requests);
    const name = `${resource} ${kind}${share === undefined ? '' : ' utilization (percentage of request)'}`;
    return { replicas: proposal.replicas, name, current: currentOf(proposal, target, percent, resource) };
  } catch (error) {
    if (!(error instanceof MetricError)) throw error;
    const text = `failed to get ${resource} ${share === undefined ? 'usage' : 'utilization'}: ${error.message}`;
    const reason = container === undefined ? 'FailedGetResourceMetric' : 'FailedGetContainerResourceMetric';
    throw new InvalidMetric(reason, text, `failed to get ${resource} ${kind} metric value`);
  }
}

async function fetched({ metrics }: Surroundings, resource: string): Promise<readonly PodMetrics[]> {
  try {
    return await metrics();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new MetricError(`unable to get metrics for resource ${resource}: unable to fetch metrics from resource metrics API: ${why}`);
  }
}

function aimOf(target: MetricTarget, requests: ReadonlyMap<string, number> | undefined, { behavior }: HorizontalPodAutoscalerSpec): Aim {
  const tolerance = { up: toleranceOf(behavior?.scaleUp?.tolerance), down: toleranceOf(behavior?.scaleDown?.tolerance) };
  if (requests === undefined) {
    const value = quantityMilliValue(parseQuantity(target.averageValue ?? '0'));
    return { targetOf: () => value, fullOf: () => value, tolerance };
  }
  const share = (target.averageUtilization ?? 100) / 100;
  const request = (pod: string) => requests.get(pod) ?? 0;
  return { targetOf: (pod) => request(pod) * share, fullOf: (pod) => request(pod) * Math.max(1, share), tolerance };
}

function toleranceOf(quantity: string | number | undefined): number {
  return quantity === undefined ? defaultTolerance : quantityToNumber(parseQuantity(quantity));
}

function percentOf({ used }: Proposal, { usage }: { usage: ReadonlyMap<string, unknown> }, requests: ReadonlyMap<string, number>): number {
  let asked = 0;
  for (const [pod, request] of requests) if (usage.has(pod)) asked += request;
  return asked === 0 ? 0 : Math.floor((used * 100) / asked);
}

function currentOf({ used, counted }: Proposal, target: MetricTarget, percent: number | undefined, resource: string): MetricValueStatus {
  const format: QuantityFormat = resource === 'memory' ? 'BinarySI' : 'DecimalSI';
  const averageValue = formatQuantity({ nanos: BigInt(Math.floor(used / counted)) * 1_000_000n, format });
  return target.averageUtilization === undefined || percent === undefined
    ? { averageValue }
    : { averageUtilization: percent, averageValue };
}

function notServed({ type, pods, object, external }: MetricSpec): InvalidMetric {
  const group = external === undefined ? 'custom' : 'external';
  const name = (pods ?? object ?? external)?.metric.name ?? '';
  const missing = `no ${group} metrics API (${group}.metrics.k8s.io) registered`;
  const reason = { Pods: 'FailedGetPodsMetric', Object: 'FailedGetObjectMetric', External: 'FailedGetExternalMetric' }[type as string];
  const what = `failed to get ${type.toLowerCase()} metric value`;
  return new InvalidMetric(reason ?? 'InvalidMetricSourceType', `unable to get metric ${name}: ${missing}`, what);
}
