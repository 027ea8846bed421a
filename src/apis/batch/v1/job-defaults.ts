import type { JobSpec } from '#apis/batch/v1/job-spec.ts';
import { setPodSpecDefaults } from '#apis/core/v1/pod-defaults.ts';

const unlimited = 2 ** 31 - 1;

/** Defaults of a job that depend on its other fields: one pod, six retries. */
export function setJobDefaults(spec: JobSpec): void {
  setPodSpecDefaults(spec.template.spec);
  if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1;
  spec.parallelism ??= 1;
  spec.backoffLimit ??= spec.backoffLimitPerIndex === undefined ? 6 : unlimited;
  if (spec.backoffLimitPerIndex !== undefined) spec.maxFailedIndexes ??= spec.completions ?? unlimited;
  spec.podReplacementPolicy ??= spec.podFailurePolicy === undefined ? 'TerminatingOrFailed' : 'Failed';
  for (const rule of spec.podFailurePolicy?.rules ?? []) {
    for (const pattern of rule.onPodConditions ?? []) pattern.status ??= 'True';
  }
}
