import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { cronJobDefinition } from '#apis/batch/v1/cron-job.ts';
import { cronScheduleError } from '#apis/batch/v1/cron-schedule.ts';
import { jobDefinition, type Job } from '#apis/batch/v1/job.ts';
import { cells, refine } from '#apis/meta/test-kit.ts';

const template = { spec: { containers: [{ name: 'c', image: 'i:1' }], restartPolicy: 'Never' } };
const job = (spec: object = {}) => ({ metadata: { name: 'j', namespace: 'default', uid: 'u1' }, spec: { template, ...spec } });
const fill = (spec: object = {}) => {
  const { object, errors } = refine(jobDefinition, job(spec));
  return { job: object as unknown as Job, errors };
};

describe('jobs', () => {
  it('run one pod once with six retries, found by the uid of the job', () => {
    const { job: made, errors } = fill();
    assert.deepEqual(errors, []);
    const { template: filled, ...spec } = made.spec;
    assert.deepEqual(spec, {
      completions: 1,
      parallelism: 1,
      backoffLimit: 6,
      completionMode: 'NonIndexed',
      suspend: false,
      manualSelector: false,
      podReplacementPolicy: 'TerminatingOrFailed',
      selector: { matchLabels: { 'batch.kubernetes.io/controller-uid': 'u1' } },
    });
    const labels = {
      'batch.kubernetes.io/controller-uid': 'u1',
      'batch.kubernetes.io/job-name': 'j',
      'controller-uid': 'u1',
      'job-name': 'j',
    };
    assert.deepEqual(filled.metadata?.labels, labels);
    assert.deepEqual(made.metadata.labels, labels);
  });

  it('leave completions open for a work queue', () => assert.equal(fill({ parallelism: 3 }).job.spec.completions, undefined));

  const cases: [string, object, string[]][] = [
    [
      'pods that always restart',
      { template: { spec: { ...template.spec, restartPolicy: 'Always' } } },
      ['spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'],
    ],
    [
      'an index without completions',
      { completionMode: 'Indexed', parallelism: 2 },
      ['spec.completions: Required value: when completion mode is Indexed'],
    ],
    ['negative retries', { backoffLimit: -1 }, ['spec.backoffLimit: Invalid value: -1: must be greater than or equal to 0']],
    [
      'a selector of its own',
      { selector: { matchLabels: { a: 'b' } } },
      ['spec.selector: Invalid value: {"matchLabels":{"a":"b"}}: `selector` not auto-generated'],
    ],
  ];
  for (const [name, spec, expected] of cases) it(`refuse ${name}`, () => assert.deepEqual(fill(spec).errors, expected));

  it('keep their template, unless suspended before the start and only moved', () => {
    const old = fill().job;
    const changed = structuredClone(old);
    changed.spec.template.spec.nodeSelector = { zone: 'a' };
    assert.match(refine(jobDefinition, changed, { old }).errors.join(), /^spec\.template: Invalid value: .*: field is immutable$/);
    const suspended = fill({ suspend: true }).job;
    const moved = structuredClone(suspended);
    moved.spec.template.spec.nodeSelector = { zone: 'a' };
    assert.deepEqual(refine(jobDefinition, moved, { old: suspended }).errors, []);
  });

  const columns = jobDefinition.versions[0]?.columns;
  const shown = (spec: object, status: object) => {
    const { Status, Completions, Duration } = cells(columns, { metadata: { name: 'j' }, spec: { template, ...spec }, status });
    return [Status, Completions, Duration];
  };
  it('show status, completions and duration as kubectl does', () => {
    const startTime = '2026-01-02T03:02:05Z';
    assert.deepEqual(shown({ completions: 2 }, { startTime, succeeded: 1 }), ['Running', '1/2', '2m']);
    const conditions = [{ type: 'Complete', status: 'True' }];
    const completionTime = '2026-01-02T03:02:35Z';
    assert.deepEqual(shown({ completions: 1 }, { startTime, completionTime, conditions, succeeded: 1 }), ['Complete', '1/1', '30s']);
    assert.deepEqual(shown({ parallelism: 3 }, {}), ['Running', '0/1 of 3', '']);
  });
});

describe('cron jobs', () => {
  const schedules: [string, string | undefined][] = [
    ['*/5 * * * *', undefined],
    ['0 9-17 * jan-mar mon,wed', undefined],
    ['@daily', undefined],
    ['@every 1h30m', undefined],
    ['@sometimes', 'unrecognized descriptor: @sometimes'],
    ['* * *', 'expected exactly 5 fields, found 3: [* * *]'],
    ['60 * * * *', 'end of range (60) above maximum (59): 60'],
    ['5-1 * * * *', 'beginning of range (5) beyond end of range (1): 5-1'],
    ['* * 0 * *', 'beginning of range (0) below minimum (1): 0'],
    ['*/0 * * * *', 'step of range should be a positive number: */0'],
    ['x * * * *', 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'],
  ];
  for (const [schedule, expected] of schedules) {
    it(`judge the schedule ${schedule}`, () => assert.equal(cronScheduleError(schedule), expected));
  }

  it('have defaults and know time zones', () => {
    const made = (spec: object) => ({
      metadata: { name: 'c' },
      spec: { schedule: '@hourly', jobTemplate: { spec: { template } }, ...spec },
    });
    const { object, errors } = refine(cronJobDefinition, made({ timeZone: 'Europe/Berlin' }));
    assert.deepEqual(errors, []);
    const { concurrencyPolicy, successfulJobsHistoryLimit, failedJobsHistoryLimit } = object['spec'] as Record<string, unknown>;
    assert.deepEqual([concurrencyPolicy, successfulJobsHistoryLimit, failedJobsHistoryLimit], ['Allow', 3, 1]);
    assert.deepEqual(refine(cronJobDefinition, made({ timeZone: 'Mars/Olympus' })).errors, [
      'spec.timeZone: Invalid value: "Mars/Olympus": unknown time zone Mars/Olympus',
    ]);
  });
});
