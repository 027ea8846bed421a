import { cronScheduleError } from '#apis/batch/v1/cron-schedule.ts';
import { jobTemplateSpecSchema } from '#apis/batch/v1/job-spec.ts';
import { validateJobSpec } from '#apis/batch/v1/validate-job.ts';
import { setPodSpecDefaults } from '#apis/core/v1/pod-defaults.ts';
import { objectReferenceSchema } from '#apis/core/v1/references.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column, formatLabelSelector, optionalBoolean, workloadColumns } from '#apis/meta/columns.ts';
import { fieldInvalid } from '#apis/meta/field-error.ts';
import { timeSince } from '#apis/meta/human-duration.ts';
import { nonNegative, requiredText } from '#apis/meta/validation.ts';
import { boolean, enumeration, int32, int64, list, object, required, string, time, type Infer } from '#apis/schema.ts';

const batch = 'io.k8s.api.batch.v1';

export const cronJobSpecSchema = object(`${batch}.CronJobSpec`, {
  schedule: [1, required(string())],
  startingDeadlineSeconds: [2, int64()],
  concurrencyPolicy: [3, enumeration(['Allow', 'Forbid', 'Replace'], { default: 'Allow' })],
  suspend: [4, boolean({ default: false })],
  jobTemplate: [5, required({ ...jobTemplateSpecSchema, default: {} })],
  successfulJobsHistoryLimit: [6, int32({ default: 3 })],
  failedJobsHistoryLimit: [7, int32({ default: 1 })],
  timeZone: [8, string()],
});
export interface CronJobSpec extends Infer<typeof cronJobSpecSchema> {}

export const cronJobStatusSchema = object(`${batch}.CronJobStatus`, {
  active: [1, list(objectReferenceSchema)],
  lastScheduleTime: [4, time()],
  lastSuccessfulTime: [5, time()],
});
export interface CronJobStatus extends Infer<typeof cronJobStatusSchema> {}

export const cronJobSchema = kindSchema(`${batch}.CronJob`, {
  spec: [2, cronJobSpecSchema],
  status: [3, cronJobStatusSchema],
});
export interface CronJob extends Infer<typeof cronJobSchema> {}

/** Jobs are named after their CronJob and eleven characters more. */
const maxNameLength = 52;

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

export const cronJobDefinition = defineBuiltin<CronJob>({
  group: 'batch',
  kind: 'CronJob',
  plural: 'cronjobs',
  shortNames: ['cj'],
  categories: ['all'],
  versions: [
    {
      name: 'v1',
      schema: cronJobSchema,
      served: true,
      columns: [
        column<CronJob>('Schedule', ({ spec }) => spec.schedule),
        column<CronJob>('Timezone', ({ spec }) => spec.timeZone ?? '<none>'),
        column<CronJob>('Suspend', ({ spec }) => optionalBoolean(spec.suspend)),
        column<CronJob>('Active', ({ status }) => status?.active?.length ?? 0, 'integer'),
        column<CronJob>('Last Schedule', ({ status }, now) =>
          status?.lastScheduleTime === undefined ? '<none>' : timeSince(status.lastScheduleTime, now),
        ),
        ageColumn,
        ...workloadColumns<CronJob>(
          ({ spec }) => spec.jobTemplate.spec?.template,
          ({ spec }) => formatLabelSelector(spec.jobTemplate.spec?.selector),
        ),
      ],
    },
  ],
  default({ spec }) {
    setPodSpecDefaults(spec.jobTemplate.spec.template.spec);
  },
  validate: ({ metadata, spec }) => {
    const { schedule, timeZone, startingDeadlineSeconds, successfulJobsHistoryLimit, failedJobsHistoryLimit } = spec;
    const error = schedule === '' ? undefined : cronScheduleError(schedule);
    return [
      ...((metadata.name ?? '').length > maxNameLength
        ? [fieldInvalid('metadata.name', metadata.name, `must be no more than ${maxNameLength} characters`)]
        : []),
      ...requiredText('spec.schedule', schedule),
      ...(error === undefined ? [] : [fieldInvalid('spec.schedule', schedule, error)]),
      ...(timeZone === undefined || isTimeZone(timeZone) ? [] : [fieldInvalid('spec.timeZone', timeZone, `unknown time zone ${timeZone}`)]),
      ...nonNegative('spec.startingDeadlineSeconds', startingDeadlineSeconds),
      ...nonNegative('spec.successfulJobsHistoryLimit', successfulJobsHistoryLimit),
      ...nonNegative('spec.failedJobsHistoryLimit', failedJobsHistoryLimit),
      ...validateJobSpec(spec.jobTemplate.spec, 'spec.jobTemplate.spec'),
    ];
  },
});
export const cronJobs = resourceOf(cronJobDefinition);
