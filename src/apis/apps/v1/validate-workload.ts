import type { PodTemplateSpec } from '#apis/core/v1/pod-spec.ts';
import { validatePodTemplate } from '#apis/core/v1/validate-pod-spec.ts';
import { fieldForbidden, fieldInvalid, fieldNotSupported, type FieldError } from '#apis/meta/field-error.ts';
import { isEmptySelector, selectorMatches } from '#apis/meta/label-selector.ts';
import type { LabelSelector } from '#apis/meta/object.ts';
import { labelSelectorErrors, nonNegative, type Errors } from '#apis/meta/validation.ts';

interface WorkloadSpec {
  readonly replicas?: number;
  readonly minReadySeconds?: number;
  readonly revisionHistoryLimit?: number;
  readonly selector: LabelSelector;
  readonly template: PodTemplateSpec;
}

/** What the workloads of apps/v1 have in common: counts, a selector that is not empty and matches the template, pods that restart. */
export function validateWorkload(spec: WorkloadSpec, kind: 'deployment' | 'statefulset' | 'daemonset'): Errors {
  const errors: FieldError[] = [
    ...nonNegative('spec.replicas', spec.replicas),
    ...nonNegative('spec.minReadySeconds', spec.minReadySeconds),
    ...nonNegative('spec.revisionHistoryLimit', spec.revisionHistoryLimit),
    ...labelSelectorErrors('spec.selector', spec.selector),
  ];
  const usable = errors.length === 0;
  if (isEmptySelector(spec.selector)) errors.push(fieldInvalid('spec.selector', spec.selector, `empty selector is invalid for ${kind}`));
  else if (usable) errors.push(...templateLabelErrors(spec.selector, spec.template));
  return [...errors, ...validatePodTemplate(spec.template, 'spec.template'), ...longRunningErrors(spec.template)];
}

/** A workload would forever make new pods whose labels its selector does not match. */
export function templateLabelErrors(selector: LabelSelector, template: PodTemplateSpec): Errors {
  const labels = template.metadata?.labels ?? {};
  if (selectorMatches(selector, labels)) return [];
  return [fieldInvalid('spec.template.metadata.labels', labels, '`selector` does not match template `labels`')];
}

export function longRunningErrors({ spec }: PodTemplateSpec): Errors {
  const errors: FieldError[] = [];
  if (spec.restartPolicy !== 'Always') {
    errors.push(fieldNotSupported('spec.template.spec.restartPolicy', spec.restartPolicy, ['Always']));
  }
  if (spec.activeDeadlineSeconds !== undefined) {
    errors.push(fieldForbidden('spec.template.spec.activeDeadlineSeconds', 'activeDeadlineSeconds in ReplicaSet is not Supported'));
  }
  return errors;
}
