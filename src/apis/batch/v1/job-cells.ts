import type { JobSpec } from '#apis/batch/v1/job-spec.ts';
import type { JobStatus } from '#apis/batch/v1/job.ts';
import { humanDuration } from '#apis/meta/human-duration.ts';
import type { KubeObject } from '#apis/meta/object.ts';

interface JobLike extends KubeObject {
  spec: JobSpec;
  status?: JobStatus;
}

const conditionTexts = ['Suspended', 'FailureTarget', 'SuccessCriteriaMet'];

/** STATUS of `kubectl get jobs`. */
export function statusText({ metadata, status }: JobLike): string {
  const isTrue = (type: string) => status?.conditions?.some((one) => one.type === type && one.status === 'True') ?? false;
  if (isTrue('Complete')) return 'Complete';
  if (isTrue('Failed')) return 'Failed';
  if (metadata.deletionTimestamp !== undefined) return 'Terminating';
  return conditionTexts.find(isTrue) ?? 'Running';
}

/** COMPLETIONS: `3/5`; for a work queue of several pods `0/1 of 5`. */
export function completionsText({ spec, status }: JobLike): string {
  const succeeded = status?.succeeded ?? 0;
  if (spec.completions !== undefined) return `${succeeded}/${spec.completions}`;
  const parallelism = spec.parallelism ?? 0;
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`;
}

/** DURATION: from start to completion, or until now. */
export function durationText({ status }: JobLike, now: number): string {
  if (status?.startTime === undefined) return '';
  const end = status.completionTime === undefined ? now : Date.parse(status.completionTime);
  return humanDuration(end - Date.parse(status.startTime));
}
