import type { Job } from '#apis/batch/v1/job.ts';
import type { Pod } from '#apis/core/v1/pod.ts';
import { isActive, isReady, isTerminating, restartsOf } from '#apis/core/v1/pod-state.ts';
import { formatIndexes, parseIndexes } from '#cluster/job/indexes.ts';
import { failureVerdict, isIgnored, metSuccessRule } from '#cluster/job/policies.ts';
import { endedMs, hasFailed, hasSucceeded, indexOf, isTracked } from '#cluster/job/pods.ts';

const firstBackoffMs = 10_000;
const slowestBackoffMs = 600_000;

/** Where a job stands: its counted pods and those being counted, and what runs. */
export interface Progress {
  readonly active: readonly Pod[];
  readonly terminating: readonly Pod[];
  readonly succeeded: number;
  readonly failed: number;
  /** Indexed jobs: indexes that have succeeded. */
  readonly completed: ReadonlySet<number>;
  /** Why a pod's failure ends the job, where its failure policy says so. */
  readonly fatal: string | undefined;
}

export interface Ending {
  readonly success: boolean;
  readonly reason: string;
  readonly message: string;
}

export const isIndexed = (job: Job): boolean => job.spec.completionMode === 'Indexed';

/**
 * Takes note of ended pods in `status.uncountedTerminatedPods` and moves those whose finalizer is gone into the counts. A pod is
 * so counted exactly once, whenever this process dies: it keeps its finalizer until the note of it is stored. Returns the pods
 * whose note is stored, so that they may lose their finalizer.
 */
export function countPods(job: Job, pods: readonly Pod[], stored: Job['status']): Pod[] {
  const status = (job.status ??= {});
  const byUid = new Map(pods.map((pod) => [pod.metadata.uid ?? '', pod]));
  const kept = { succeeded: [] as string[], failed: [] as string[] };
  for (const outcome of ['succeeded', 'failed'] as const) {
    for (const uid of status.uncountedTerminatedPods?.[outcome] ?? []) {
      const pod = byUid.get(uid);
      if (pod !== undefined && isTracked(pod)) kept[outcome].push(uid);
      else if (!(outcome === 'succeeded' && isIndexed(job))) status[outcome] = (status[outcome] ?? 0) + 1;
    }
  }
  const noted = new Set([...(stored?.uncountedTerminatedPods?.succeeded ?? []), ...(stored?.uncountedTerminatedPods?.failed ?? [])]);
  const completed = completedOf(job, pods);
  const released: Pod[] = [];
  for (const pod of pods) {
    const { uid = '' } = pod.metadata;
    if (!isTracked(pod)) continue;
    if (noted.has(uid) || isIgnored(job, pod)) released.push(pod);
    else if (hasSucceeded(pod)) kept.succeeded.push(uid);
    else if (hasFailed(job, pod)) kept.failed.push(uid);
  }
  const uncounted = Object.fromEntries(Object.entries(kept).filter(([, uids]) => uids.length > 0));
  status.uncountedTerminatedPods = uncounted;
  if (isIndexed(job)) {
    status.completedIndexes = formatIndexes(completed);
    status.succeeded = completed.size;
  }
  return released;
}

export function progressOf(job: Job, pods: readonly Pod[]): Progress {
  const { status = {} } = job;
  const { succeeded = [], failed = [] } = status.uncountedTerminatedPods ?? {};
  return {
    active: pods.filter(isActive),
    terminating: pods.filter((pod) => isTerminating(pod) && pod.status?.phase !== 'Succeeded' && pod.status?.phase !== 'Failed'),
    succeeded: (status.succeeded ?? 0) + (isIndexed(job) ? 0 : succeeded.length),
    failed: (status.failed ?? 0) + failed.length,
    completed: completedOf(job, pods),
    fatal: pods.map((pod) => failureVerdict(job, pod)).find((verdict) => verdict?.action === 'FailJob')?.message,
  };
}

function completedOf(job: Job, pods: readonly Pod[]): Set<number> {
  if (!isIndexed(job)) return new Set();
  const completions = job.spec.completions ?? 0;
  const completed = parseIndexes(job.status?.completedIndexes, completions);
  for (const pod of pods) {
    const index = indexOf(pod);
    if (index !== undefined && index < completions && hasSucceeded(pod)) completed.add(index);
  }
  return completed;
}

/** How the job ends, once it is clear; undefined while it goes on. Words and reasons are Kubernetes'. */
export function endingOf(job: Job, progress: Progress, nowMs: number): Ending | undefined {
  const target = job.status?.conditions?.find(
    ({ type, status }) => (type === 'FailureTarget' || type === 'SuccessCriteriaMet') && status === 'True',
  );
  if (target !== undefined)
    return { success: target.type === 'SuccessCriteriaMet', reason: target.reason ?? '', message: target.message ?? '' };
  if (progress.fatal !== undefined) return { success: false, reason: 'PodFailurePolicy', message: progress.fatal };
  const { backoffLimit = 6, completions, template } = job.spec;
  const restarts = progress.active.reduce((sum, pod) => sum + restartsOf(pod), 0);
  const restarted = template.spec?.restartPolicy === 'OnFailure' && restarts > 0 && restarts >= backoffLimit;
  if (progress.failed > backoffLimit || restarted)
    return { success: false, reason: 'BackoffLimitExceeded', message: 'Job has reached the specified backoff limit' };
  const left = deadlineLeftMs(job, nowMs);
  if (left !== undefined && left <= 0)
    return { success: false, reason: 'DeadlineExceeded', message: 'Job was active longer than specified deadline' };
  if (job.spec.suspend === true) return undefined;
  const rule = metSuccessRule(job, progress.completed);
  if (rule !== undefined) return { success: true, reason: 'SuccessPolicy', message: `Matched rules at index ${rule}` };
  // Without a number of completions one success is the sign that the work is done; the other pods end by themselves.
  const complete = completions === undefined ? progress.succeeded > 0 && progress.active.length === 0 : progress.succeeded >= completions;
  return complete ? { success: true, reason: 'CompletionsReached', message: 'Reached expected number of succeeded pods' } : undefined;
}

/** Milliseconds until activeDeadlineSeconds are over; undefined when there is no deadline. */
export function deadlineLeftMs(job: Job, nowMs: number): number | undefined {
  const { activeDeadlineSeconds, suspend } = job.spec;
  const start = job.status?.startTime;
  if (activeDeadlineSeconds === undefined || start === undefined || suspend === true) return undefined;
  return Date.parse(start) + activeDeadlineSeconds * 1000 - nowMs;
}

/** Pods that should run now. */
export function wantedActive(job: Job, progress: Progress): number {
  const { parallelism = 1, completions, podReplacementPolicy } = job.spec;
  if (completions === undefined && progress.succeeded > 0) return Math.min(parallelism, progress.active.length);
  const wanted = completions === undefined ? parallelism : Math.min(parallelism, completions - progress.succeeded);
  return Math.max(0, wanted - (podReplacementPolicy === 'Failed' ? progress.terminating.length : 0));
}

/** How long to wait after failures: 10 s, 20 s, 40 s … 10 min, from the last one; a success starts anew. */
export function backoffLeftMs(job: Job, pods: readonly Pod[], nowMs: number): number {
  const lastSuccess = Math.max(0, ...pods.filter(hasSucceeded).map(endedMs));
  const failures = pods
    .filter((pod) => hasFailed(job, pod) && !isIgnored(job, pod))
    .map(endedMs)
    .filter((ms) => ms > lastSuccess);
  if (failures.length === 0) return 0;
  const delay = Math.min(slowestBackoffMs, firstBackoffMs * 2 ** (failures.length - 1));
  return Math.max(0, Math.max(...failures) + delay - nowMs);
}

/** The lowest indexes nobody has completed or works on. */
export function freeIndexes(job: Job, progress: Progress, count: number): number[] {
  const taken = new Set([...progress.completed, ...progress.active.map(indexOf)]);
  if (job.spec.podReplacementPolicy === 'Failed') for (const pod of progress.terminating) taken.add(indexOf(pod));
  const free: number[] = [];
  for (let index = 0; index < (job.spec.completions ?? 0) && free.length < count; index += 1) if (!taken.has(index)) free.push(index);
  return free;
}

export const readyCount = (progress: Progress): number => progress.active.filter(isReady).length;
