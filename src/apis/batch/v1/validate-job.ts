import type { JobSpec } from '#apis/batch/v1/job-spec.ts';
import type { Job } from '#apis/batch/v1/job.ts';
import type { PodTemplateSpec } from '#apis/core/v1/pod-spec.ts';
import { deadlineErrors } from '#apis/core/v1/validate-container.ts';
import { validatePodTemplate } from '#apis/core/v1/validate-pod-spec.ts';
import { fieldInvalid, fieldRequired, type FieldError } from '#apis/meta/field-error.ts';
import { selectorMatches } from '#apis/meta/label-selector.ts';
import { immutable, labelSelectorErrors, nonNegative, type Errors } from '#apis/meta/validation.ts';

/** Findings about a job's spec but for its selector; `at` is `spec`, or the path inside a CronJob. */
export function validateJobSpec(spec: JobSpec, at: string): Errors {
  const errors: FieldError[] = [];
  for (const field of [
    'parallelism',
    'completions',
    'backoffLimit',
    'ttlSecondsAfterFinished',
    'backoffLimitPerIndex',
    'maxFailedIndexes',
  ] as const) {
    errors.push(...nonNegative(`${at}.${field}`, spec[field]));
  }
  errors.push(...deadlineErrors(`${at}.activeDeadlineSeconds`, spec.activeDeadlineSeconds));
  if (spec.completionMode === 'Indexed') {
    if (spec.completions === undefined) {
      errors.push(fieldRequired(`${at}.completions`, 'when completion mode is Indexed'));
    }
    if ((spec.parallelism ?? 0) > 100_000)
      errors.push(
        fieldInvalid(`${at}.parallelism`, spec.parallelism, 'must be less than or equal to 100000 when completion mode is Indexed'),
      );
  } else if (spec.backoffLimitPerIndex !== undefined) {
    errors.push(fieldInvalid(`${at}.backoffLimitPerIndex`, spec.backoffLimitPerIndex, 'requires indexed completion mode'));
  }
  errors.push(...validatePodTemplate(spec.template, `${at}.template`));
  if (spec.template.spec.restartPolicy === 'Always') {
    errors.push(fieldRequired(`${at}.template.spec.restartPolicy`, 'valid values: "OnFailure", "Never"'));
  }
  if (spec.podFailurePolicy !== undefined && spec.template.spec.restartPolicy !== 'Never') {
    const text = 'only "Never" is supported when podFailurePolicy is specified';
    errors.push(fieldInvalid(`${at}.template.spec.restartPolicy`, spec.template.spec.restartPolicy, text));
  }
  return errors;
}

/** A job's own selector is made by the server unless `manualSelector` says otherwise. */
export function validateJobSelector({ metadata, spec }: Job): Errors {
  const labels = spec.template.metadata?.labels ?? {};
  if (spec.selector === undefined) return [fieldRequired('spec.selector')];
  const errors: FieldError[] = [...labelSelectorErrors('spec.selector', spec.selector)];
  if (spec.manualSelector !== true && spec.selector.matchLabels?.['batch.kubernetes.io/controller-uid'] !== metadata.uid) {
    errors.push(fieldInvalid('spec.selector', spec.selector, '`selector` not auto-generated'));
  } else if (errors.length === 0 && !selectorMatches(spec.selector, labels)) {
    errors.push(fieldInvalid('spec.template.metadata.labels', labels, '`selector` does not match template `labels`'));
  }
  return errors;
}

/** The template of a job that runs or has run is fixed; a suspended one may still be moved to other nodes. */
export function validateJobUpdate({ spec }: Job, old: Job): Errors {
  const suspended = old.spec.suspend === true && old.status?.startTime === undefined;
  const indexed = spec.completionMode === 'Indexed' && spec.completions === spec.parallelism;
  const template = suspended ? withSchedulingOf(spec.template, old.spec.template) : spec.template;
  return [
    ...(indexed ? [] : immutable('spec.completions', spec.completions, old.spec.completions)),
    ...immutable('spec.selector', spec.selector, old.spec.selector),
    ...immutable('spec.template', template, old.spec.template),
    ...immutable('spec.completionMode', spec.completionMode, old.spec.completionMode),
    ...immutable('spec.podFailurePolicy', spec.podFailurePolicy, old.spec.podFailurePolicy),
    ...immutable('spec.backoffLimitPerIndex', spec.backoffLimitPerIndex, old.spec.backoffLimitPerIndex),
    ...immutable('spec.managedBy', spec.managedBy, old.spec.managedBy),
    ...immutable('spec.successPolicy', spec.successPolicy, old.spec.successPolicy),
  ];
}

const schedulingFields = ['affinity', 'nodeSelector', 'tolerations', 'schedulingGates'] as const;

function withSchedulingOf(template: PodTemplateSpec, old: PodTemplateSpec): unknown {
  const spec: Record<string, unknown> = { ...template.spec };
  for (const field of schedulingFields) spec[field] = old.spec[field];
  return { ...template, metadata: old.metadata, spec };
}
