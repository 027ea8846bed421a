import type { Pod } from '#apis/core/v1/pod.ts';
import { isFinished, isReady, isTerminating } from '#apis/core/v1/pod-state.ts';
import { MetricError, type Usage } from '#cluster/horizontal-pod-autoscaler/usage.ts';

/** Within this of the target nothing changes. */
export const defaultTolerance = 0.1;
/** A pod that has just started burns CPU that says nothing of the load (kube-controller-manager's defaults). */
const cpuInitializationMs = 300_000;
const initialReadinessMs = 30_000;

/** What is known of a workload's pods at one moment. */
export interface Measured {
  readonly pods: readonly Pod[];
  readonly usage: ReadonlyMap<string, Usage>;
  readonly resource: string;
  readonly nowMs: number;
}

/** What is aimed at: each pod's value, and how far it may be off. */
export interface Aim {
  /** Value that one pod should have, in thousandths. */
  targetOf(pod: string): number;
  /** What a pod of unknown use counts as when the question is whether one can go: all it asked for, or the target. */
  fullOf(pod: string): number;
  readonly tolerance: { readonly up: number; readonly down: number };
}

/** How many replicas bring the average to the target, and the average's ratio to the target as measured. */
export interface Proposal {
  readonly replicas: number;
  /** Sum of use, in thousandths, and how many pods it is of. */
  readonly used: number;
  readonly counted: number;
}

interface Groups {
  readonly ready: readonly string[];
  readonly unready: readonly string[];
  readonly missing: readonly string[];
}

/** Kubernetes' replica calculator: pods that are not ready or tell nothing only ever damp the decision. Throws MetricError. */
export function proposeReplicas(current: number, measured: Measured, aim: Aim): Proposal {
  if (measured.pods.length === 0) throw new MetricError('no pods returned by selector while calculating replica count');
  const { ready, unready, missing } = group(measured);
  if (ready.length === 0) throw new MetricError('did not receive metrics for targeted pods (pods might be unready)');
  const values = new Map(ready.map((pod) => [pod, measured.usage.get(pod)?.milli ?? 0]));
  const used = sum(values.values());
  const result = (replicas: number): Proposal => ({ replicas, used, counted: ready.length });
  const ratio = used / sum(ready.map((pod) => aim.targetOf(pod)));
  const unreadyCount = unready.length > 0 && ratio > 1;
  if (!unreadyCount && missing.length === 0) return result(isNear(ratio, aim) ? current : ceil(ratio * ready.length));
  if (ratio < 1) for (const pod of missing) values.set(pod, aim.fullOf(pod));
  if (ratio > 1) for (const pod of missing) values.set(pod, 0);
  if (unreadyCount) for (const pod of unready) values.set(pod, 0);
  const damped = sum(values.values()) / sum([...values.keys()].map((pod) => aim.targetOf(pod)));
  if (isNear(damped, aim) || damped < 1 !== ratio < 1 || damped > 1 !== ratio > 1) return result(current);
  const replicas = ceil(damped * values.size);
  return result((damped < 1 && replicas > current) || (damped > 1 && replicas < current) ? current : replicas);
}

function group({ pods, usage, resource, nowMs }: Measured): Groups {
  const groups = { ready: [] as string[], unready: [] as string[], missing: [] as string[] };
  for (const pod of pods) {
    if (isTerminating(pod) || isFinished(pod)) continue;
    const name = pod.metadata.name ?? '';
    const own = usage.get(name);
    if (pod.status?.phase === 'Pending') groups.unready.push(name);
    else if (own === undefined) groups.missing.push(name);
    else if (resource === 'cpu' && isStarting(pod, own, nowMs)) groups.unready.push(name);
    else groups.ready.push(name);
  }
  return groups;
}

function isStarting(pod: Pod, { atMs, windowMs }: Usage, nowMs: number): boolean {
  const condition = pod.status?.conditions?.find(({ type }) => type === 'Ready');
  const startMs = Date.parse(pod.status?.startTime ?? '');
  if (condition === undefined || Number.isNaN(startMs)) return true;
  const changedMs = Date.parse(condition.lastTransitionTime ?? '');
  if (startMs + cpuInitializationMs > nowMs) return !isReady(pod) || atMs < changedMs + windowMs;
  // Never been ready since its beginning: what it does is still its start.
  return !isReady(pod) && startMs + initialReadinessMs > changedMs;
}

function isNear(ratio: number, { tolerance }: Aim): boolean {
  return ratio >= 1 - tolerance.down && ratio <= 1 + tolerance.up;
}

/** Floating point must not make a replica of a billionth. */
const ceil = (value: number): number => Math.ceil(value - 1e-9);

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
