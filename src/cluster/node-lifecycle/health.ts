import type { Lease } from '#apis/coordination/v1/lease.ts';
import type { Node, Taint } from '#apis/core/v1/node.ts';
import type { Pod } from '#apis/core/v1/pod.ts';
import { tolerates } from '#cluster/scheduler/filters.ts';

/** A node that has not been heard of for this long is Unknown. */
export const graceMs = 50_000;

const notReadyKey = 'node.kubernetes.io/not-ready';
const unreachableKey = 'node.kubernetes.io/unreachable';
const conditionTaints: Readonly<Record<string, string>> = {
  MemoryPressure: 'node.kubernetes.io/memory-pressure',
  DiskPressure: 'node.kubernetes.io/disk-pressure',
  PIDPressure: 'node.kubernetes.io/pid-pressure',
  NetworkUnavailable: 'node.kubernetes.io/network-unavailable',
};
const unschedulableKey = 'node.kubernetes.io/unschedulable';
const managedKeys = new Set([notReadyKey, unreachableKey, unschedulableKey, ...Object.values(conditionTaints)]);

/** When the node was last heard of: its lease, or its own status before it has one. */
export function lastHeardMs(node: Node, lease: Lease | undefined): number {
  const heartbeats = (node.status?.conditions ?? []).map(({ lastHeartbeatTime }) => Date.parse(lastHeartbeatTime ?? ''));
  const times = [Date.parse(lease?.spec.renewTime ?? ''), Date.parse(node.metadata.creationTimestamp ?? ''), ...heartbeats];
  return Math.max(0, ...times.filter((ms) => !Number.isNaN(ms)));
}

/** The taints that follow from the node's conditions, with those others have set. Unchanged ones keep their time. */
export function taintsOf(node: Node, now: string): Taint[] {
  const ready = node.status?.conditions?.find(({ type }) => type === 'Ready')?.status ?? 'Unknown';
  const wanted: Taint[] = [];
  const unhealthy = ready === 'Unknown' ? unreachableKey : notReadyKey;
  if (ready !== 'True') wanted.push({ key: unhealthy, effect: 'NoSchedule' }, { key: unhealthy, effect: 'NoExecute', timeAdded: now });
  if (node.spec?.unschedulable === true) wanted.push({ key: unschedulableKey, effect: 'NoSchedule', timeAdded: now });
  for (const { type, status } of node.status?.conditions ?? []) {
    const key = conditionTaints[type];
    if (key !== undefined && status === 'True') wanted.push({ key, effect: 'NoSchedule' });
  }
  const present = node.spec?.taints ?? [];
  const same = (a: Taint, b: Taint) => a.key === b.key && a.effect === b.effect;
  const kept = present.filter((taint) => !managedKeys.has(taint.key) || wanted.some((one) => same(one, taint)));
  return [...kept, ...wanted.filter((taint) => !kept.some((one) => same(one, taint)))];
}

/** When the pod has to leave the node for its NoExecute taints, in milliseconds since the epoch; undefined: it may stay. */
export function evictionMs(pod: Pod, taints: readonly Taint[], nowMs: number): number | undefined {
  let earliest: number | undefined;
  for (const taint of taints) {
    if (taint.effect !== 'NoExecute') continue;
    const tolerations = (pod.spec?.tolerations ?? []).filter((one) => tolerates(one, taint));
    const limits = tolerations.map(({ tolerationSeconds }) => tolerationSeconds).filter((seconds) => seconds !== undefined);
    if (tolerations.length > 0 && limits.length === 0) continue;
    const added = Date.parse(taint.timeAdded ?? '');
    const start = Number.isNaN(added) ? nowMs : added;
    const due = start + Math.max(0, Math.min(...(tolerations.length === 0 ? [0] : limits))) * 1000;
    earliest = Math.min(earliest ?? Infinity, due);
  }
  return earliest;
}
