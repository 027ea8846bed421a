import { cronJobs, type CronJob } from '#apis/batch/v1/cron-job.ts';
import { endOf, type Job, jobs } from '#apis/batch/v1/job.ts';
import { isReason } from '#apis/meta/status.ts';
import { deleteObject } from '#client/delete-object.ts';
import type { Informer } from '#client/informer-types.ts';
import { done, requeue, type ControllerContext, type ControllerModule, type Outcome } from '#controller/controller.ts';
import { childrenOf, controllerReference, trackChildren } from '#controller/owner.ts';
import { latestDue, parseSchedule, type Schedule } from '#cluster/cron-job/schedule.ts';
import { rfc3339 } from '#core/clock.ts';

/** CronJob → a Job at each of its times. */
export const cronJobController: ControllerModule<CronJob> = {
  name: 'cronjob-controller',
  setup(context, enqueue) {
    const informer = context.informers.of(jobs);
    trackChildren(informer, cronJobs, enqueue);
    const reconciler = new CronJobReconciler(context, informer);
    return {
      resource: cronJobs,
      skipsTerminating: true,
      reconcile: (cronJob) => reconciler.reconcile(cronJob),
    };
  },
};

const startOf = ({ metadata, status }: Job): string => status?.startTime ?? metadata.creationTimestamp ?? '';

class CronJobReconciler {
  readonly #context: ControllerContext;
  readonly #jobs: Informer<Job>;

  constructor(context: ControllerContext, informer: Informer<Job>) {
    this.#context = context;
    this.#jobs = informer;
  }

  async reconcile(cronJob: CronJob): Promise<Outcome> {
    const own = childrenOf(this.#jobs, cronJob);
    const active = own.filter((job) => endOf(job) === undefined);
    this.#noteEnded(cronJob, own);
    await this.#trim(cronJob, own);
    cronJob.status = { ...cronJob.status, active: active.map(referenceTo) };
    if (active.length === 0) delete cronJob.status.active;
    if (cronJob.spec.suspend === true) return done;
    const next = parseSchedule(cronJob.spec.schedule, cronJob.spec.timeZone);
    const nowMs = this.#context.clock.now();
    const due = dueTime(cronJob, next, nowMs);
    if (due !== undefined) await this.#start(cronJob, active, due, nowMs);
    const nextMs = next(nowMs);
    return nextMs === undefined ? done : requeue(Math.max(100, nextMs - nowMs));
  }

  /** Says which of those that ran have ended, and since when the last success is. */
  #noteEnded(cronJob: CronJob, own: readonly Job[]): void {
    for (const { name, uid } of cronJob.status?.active ?? []) {
      const job = own.find(({ metadata }) => metadata.uid === uid);
      if (job === undefined) this.#say(cronJob, 'Normal', 'MissingJob', `Active job went missing: ${name}`);
      else if (endOf(job) !== undefined)
        this.#say(cronJob, 'Normal', 'SawCompletedJob', `Saw completed job: ${name}, condition: ${endOf(job)?.type}`);
    }
    const successes = own.flatMap(({ status }) => status?.completionTime ?? []).sort();
    const last = successes.at(-1);
    if (last !== undefined && last > (cronJob.status?.lastSuccessfulTime ?? ''))
      cronJob.status = { ...cronJob.status, lastSuccessfulTime: last };
  }

  async #trim(cronJob: CronJob, own: readonly Job[]): Promise<void> {
    const { successfulJobsHistoryLimit = 3, failedJobsHistoryLimit = 1 } = cronJob.spec;
    for (const [end, limit] of [
      ['Complete', successfulJobsHistoryLimit],
      ['Failed', failedJobsHistoryLimit],
    ] as const) {
      const ended = own.filter((job) => endOf(job)?.type === end).toSorted((a, b) => (startOf(a) < startOf(b) ? -1 : 1));
      for (const job of ended.slice(0, Math.max(0, ended.length - limit))) await this.#remove(cronJob, job);
    }
  }

  async #start(cronJob: CronJob, active: readonly Job[], dueMs: number, nowMs: number): Promise<void> {
    const { startingDeadlineSeconds, concurrencyPolicy } = cronJob.spec;
    if (startingDeadlineSeconds !== undefined && dueMs + startingDeadlineSeconds * 1000 < nowMs) {
      this.#say(
        cronJob,
        'Warning',
        'MissSchedule',
        `Missed scheduled time to start a job: ${new Date(dueMs).toUTCString().replace('GMT', '+0000')}`,
      );
      return;
    }
    if (concurrencyPolicy === 'Forbid' && active.length > 0) {
      this.#say(
        cronJob,
        'Normal',
        'JobAlreadyActive',
        'Not starting job because prior execution is running and concurrency policy is Forbid',
      );
      return;
    }
    if (concurrencyPolicy === 'Replace') for (const job of active) await this.#remove(cronJob, job);
    const running = concurrencyPolicy === 'Replace' ? [] : active.map(referenceTo);
    const job = await this.#create(cronJob, dueMs);
    cronJob.status = {
      ...cronJob.status,
      active: job === undefined ? running : [...running, referenceTo(job)],
      lastScheduleTime: rfc3339(dueMs),
    };
  }

  /** Nothing when it has been created before, by somebody whose status was not stored any more. */
  async #create(cronJob: CronJob, dueMs: number): Promise<Job | undefined> {
    const { metadata = {}, spec } = cronJob.spec.jobTemplate;
    const annotations = { ...metadata.annotations, 'batch.kubernetes.io/cronjob-scheduled-timestamp': rfc3339(dueMs) };
    const job = {
      metadata: {
        name: `${cronJob.metadata.name}-${Math.floor(dueMs / 60_000)}`,
        namespace: cronJob.metadata.namespace,
        ...(metadata.labels === undefined ? {} : { labels: metadata.labels }),
        annotations,
        ownerReferences: [controllerReference(cronJob, cronJobs)],
      },
      spec,
    } as Job;
    try {
      const created = await this.#context.client.of(jobs).create(job);
      this.#say(cronJob, 'Normal', 'SuccessfulCreate', `Created job ${created.metadata.name}`);
      return created;
    } catch (error) {
      if (isReason(error, 'AlreadyExists')) return undefined;
      this.#say(cronJob, 'Warning', 'FailedCreate', `Error creating job: ${(error as Error).message}`);
      throw error;
    }
  }

  async #remove(cronJob: CronJob, job: Job): Promise<void> {
    try {
      if (!(await deleteObject(this.#context.client.of(jobs), job, { propagationPolicy: 'Background' }))) return;
    } catch (error) {
      this.#say(cronJob, 'Warning', 'FailedDelete', `Deleted job: ${(error as Error).message}`);
      throw error;
    }
    this.#say(cronJob, 'Normal', 'SuccessfulDelete', `Deleted job ${job.metadata.name}`);
  }

  #say(cronJob: CronJob, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#context.events.event(cronJob, type, reason, message);
  }
}

function referenceTo({ metadata }: Job) {
  const { namespace = '', name = '', uid = '', resourceVersion = '' } = metadata;
  return { kind: 'Job', apiVersion: 'batch/v1', namespace, name, uid, resourceVersion };
}

/** The time whose job has not been started: the latest that has passed since the last one, or since the CronJob is there. */
function dueTime({ metadata, spec, status }: CronJob, next: Schedule, nowMs: number): number | undefined {
  const sinceMs = Date.parse(status?.lastScheduleTime ?? metadata.creationTimestamp ?? '');
  const reachMs = spec.startingDeadlineSeconds === undefined ? sinceMs : Math.max(sinceMs, nowMs - spec.startingDeadlineSeconds * 1000);
  return latestDue(next, reachMs, nowMs);
}
