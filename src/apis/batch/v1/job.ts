import { completionsText, durationText, statusText } from '#apis/batch/v1/job-cells.ts';
import { setJobDefaults } from '#apis/batch/v1/job-defaults.ts';
import { jobSpecSchema } from '#apis/batch/v1/job-spec.ts';
import { validateJobSelector, validateJobSpec, validateJobUpdate } from '#apis/batch/v1/validate-job.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column, formatLabelSelector, workloadColumns } from '#apis/meta/columns.ts';
import { int32, list, listSet, object, required, string, time, type Infer } from '#apis/schema.ts';

const batch = 'io.k8s.api.batch.v1';

export const jobConditionSchema = object(`${batch}.JobCondition`, {
  type: [1, required(string())],
  status: [2, required(string())],
  lastProbeTime: [3, time()],
  lastTransitionTime: [4, time()],
  reason: [5, string()],
  message: [6, string()],
});
export interface JobCondition extends Infer<typeof jobConditionSchema> {}

export const uncountedTerminatedPodsSchema = object(`${batch}.UncountedTerminatedPods`, {
  succeeded: [1, listSet(string())],
  failed: [2, listSet(string())],
});
export interface UncountedTerminatedPods extends Infer<typeof uncountedTerminatedPodsSchema> {}

export const jobStatusSchema = object(`${batch}.JobStatus`, {
  conditions: [1, list(jobConditionSchema, { 'x-kubernetes-patch-strategy': 'merge', 'x-kubernetes-patch-merge-key': 'type' })],
  startTime: [2, time()],
  completionTime: [3, time()],
  active: [4, int32()],
  succeeded: [5, int32()],
  failed: [6, int32()],
  completedIndexes: [7, string()],
  uncountedTerminatedPods: [8, uncountedTerminatedPodsSchema],
  ready: [9, int32()],
  failedIndexes: [10, string()],
  terminating: [11, int32()],
});
export interface JobStatus extends Infer<typeof jobStatusSchema> {}

export const jobSchema = kindSchema(`${batch}.Job`, {
  spec: [2, jobSpecSchema],
  status: [3, jobStatusSchema],
});
export interface Job extends Infer<typeof jobSchema> {}

/** Ties the job to its pods by its uid, so that no two jobs can claim the same pods. */
function generateSelector({ metadata, spec }: Job): void {
  if (spec.manualSelector === true || spec.selector !== undefined) return;
  const { uid = '', name = '' } = metadata;
  const identity = { 'batch.kubernetes.io/controller-uid': uid, 'batch.kubernetes.io/job-name': name };
  spec.template.metadata = {
    ...spec.template.metadata,
    labels: { ...spec.template.metadata?.labels, ...identity, 'controller-uid': uid, 'job-name': name },
  };
  spec.selector = { matchLabels: { 'batch.kubernetes.io/controller-uid': uid } };
}

export const jobDefinition = defineBuiltin<Job>({
  group: 'batch',
  kind: 'Job',
  plural: 'jobs',
  categories: ['all'],
  versions: [
    {
      name: 'v1',
      schema: jobSchema,
      served: true,
      columns: [
        column('Status', statusText),
        column('Completions', completionsText),
        column('Duration', durationText),
        ageColumn,
        ...workloadColumns<Job>(
          ({ spec }) => spec.template,
          ({ spec }) => formatLabelSelector(spec.selector),
        ),
      ],
    },
  ],
  selectableFields: ({ status }) => ({ 'status.successful': String(status?.succeeded ?? 0) }),
  default(job, { operation }) {
    setJobDefaults(job.spec);
    if (operation === 'create') generateSelector(job);
    if (Object.keys(job.metadata.labels ?? {}).length === 0) job.metadata.labels = { ...job.spec.template.metadata?.labels };
  },
  validate: (job, { old }) => [
    ...validateJobSpec(job.spec, 'spec'),
    ...validateJobSelector(job),
    ...(old === undefined ? [] : validateJobUpdate(job, old)),
  ],
});
export const jobs = resourceOf(jobDefinition);

/** The condition that says how a job has ended; undefined while it goes on. */
export function endOf({ status }: Job): JobCondition | undefined {
  return status?.conditions?.find(({ type, status: value }) => (type === 'Complete' || type === 'Failed') && value === 'True');
}
