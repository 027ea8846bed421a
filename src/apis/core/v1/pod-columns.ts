import type { PodSpec } from '#apis/core/v1/pod-spec.ts';
import { isFinished } from '#apis/core/v1/pod-state.ts';
import type { ContainerStateTerminated, ContainerStatus, PodStatus } from '#apis/core/v1/pod-status.ts';
import type { Column } from '#apis/definition.ts';
import { ageColumn, column, orNone, wideColumn } from '#apis/meta/columns.ts';
import { timeSince } from '#apis/meta/human-duration.ts';
import type { KubeObject } from '#apis/meta/object.ts';

interface PodLike extends KubeObject {
  spec: PodSpec;
  status?: PodStatus;
}

interface Summary {
  ready: number;
  total: number;
  reason: string;
  restarts: number;
  /** RFC 3339; empty when no container was ever restarted. */
  lastRestart: string;
}

/** READY, STATUS and RESTARTS of a pod, as `kubectl get pods` of kube-apiserver shows them. */
export function summarizePod(pod: PodLike): Summary {
  const { spec, status = {} } = pod;
  const sidecars = new Set(spec.initContainers?.filter((one) => one.restartPolicy === 'Always').map(({ name }) => name));
  const summary: Summary = {
    ready: 0,
    total: spec.containers.length + sidecars.size,
    reason: phaseReason(status),
    restarts: 0,
    lastRestart: '',
  };
  const initializing = addInitContainers(summary, pod, sidecars);
  if (!initializing || isTrue(status, 'Initialized')) addContainers(summary, pod, sidecars);
  if (pod.metadata.deletionTimestamp !== undefined && status.reason === 'NodeLost') summary.reason = 'Unknown';
  else if (pod.metadata.deletionTimestamp !== undefined && !isFinished({ status })) summary.reason = 'Terminating';
  return summary;
}

function phaseReason(status: PodStatus): string {
  const gated = status.conditions?.some(({ type, reason }) => type === 'PodScheduled' && reason === 'SchedulingGated');
  if (gated === true) return 'SchedulingGated';
  return status.reason === undefined || status.reason === '' ? (status.phase ?? '') : status.reason;
}

/** Counts init containers up to the first unfinished one; true when there is one. */
function addInitContainers(summary: Summary, { spec, status }: PodLike, sidecars: ReadonlySet<string>): boolean {
  for (const [index, container] of (status?.initContainerStatuses ?? []).entries()) {
    addRestarts(summary, container);
    const { terminated, waiting } = container.state ?? {};
    if (terminated?.exitCode === 0) continue;
    if (sidecars.has(container.name) && container.started === true) {
      if (container.ready) summary.ready += 1;
      continue;
    }
    if (terminated !== undefined) summary.reason = `Init:${terminationReason(terminated)}`;
    else if (isGiven(waiting?.reason) && waiting?.reason !== 'PodInitializing') summary.reason = `Init:${waiting?.reason}`;
    else summary.reason = `Init:${index}/${spec.initContainers?.length ?? 0}`;
    return true;
  }
  return false;
}

/** Restarts of finished init containers no longer count; those of sidecars do. */
function addContainers(summary: Summary, { status = {} }: PodLike, sidecars: ReadonlySet<string>): void {
  summary.restarts = 0;
  summary.lastRestart = '';
  for (const container of status.initContainerStatuses ?? []) if (sidecars.has(container.name)) addRestarts(summary, container);
  let running = false;
  for (const container of [...(status.containerStatuses ?? [])].reverse()) {
    addRestarts(summary, container);
    const { terminated, waiting, running: started } = container.state ?? {};
    if (isGiven(waiting?.reason)) summary.reason = waiting?.reason ?? '';
    else if (terminated !== undefined) summary.reason = terminationReason(terminated);
    else if (container.ready && started !== undefined) {
      running = true;
      summary.ready += 1;
    }
  }
  if (summary.reason === 'Completed' && running) summary.reason = isTrue(status, 'Ready') ? 'Running' : 'NotReady';
}

function addRestarts(summary: Summary, container: ContainerStatus): void {
  summary.restarts += container.restartCount;
  const finishedAt = container.lastState?.terminated?.finishedAt ?? '';
  if (finishedAt !== '' && (summary.lastRestart === '' || Date.parse(finishedAt) > Date.parse(summary.lastRestart))) {
    summary.lastRestart = finishedAt;
  }
}

function terminationReason({ reason, signal, exitCode }: ContainerStateTerminated): string {
  if (isGiven(reason)) return reason ?? '';
  return signal === undefined || signal === 0 ? `ExitCode:${exitCode}` : `Signal:${signal}`;
}

const isGiven = (text: string | undefined): boolean => text !== undefined && text !== '';
const isTrue = (status: PodStatus, type: string): boolean =>
  status.conditions?.some((condition) => condition.type === type && condition.status === 'True') ?? false;

function readinessGates({ spec, status }: PodLike): string {
  const gates = spec.readinessGates ?? [];
  if (gates.length === 0) return '<none>';
  return `${gates.filter(({ conditionType }) => isTrue(status ?? {}, conditionType)).length}/${gates.length}`;
}

export const podColumns: readonly Column[] = [
  column<PodLike>('Ready', (pod) => {
    const { ready, total } = summarizePod(pod);
    return `${ready}/${total}`;
  }),
  column<PodLike>('Status', (pod) => summarizePod(pod).reason),
  column<PodLike>('Restarts', (pod, now) => {
    const { restarts, lastRestart } = summarizePod(pod);
    return restarts === 0 || lastRestart === '' ? String(restarts) : `${restarts} (${timeSince(lastRestart, now)} ago)`;
  }),
  ageColumn,
  wideColumn<PodLike>('IP', ({ status }) => orNone(status?.podIPs?.[0]?.ip ?? status?.podIP)),
  wideColumn<PodLike>('Node', ({ spec }) => orNone(spec.nodeName)),
  wideColumn<PodLike>('Nominated Node', ({ status }) => orNone(status?.nominatedNodeName)),
  wideColumn<PodLike>('Readiness Gates', readinessGates),
];
