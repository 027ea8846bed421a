import { endOf, type Job, jobs } from '#apis/batch/v1/job.ts';
import { pods, type Pod } from '#apis/core/v1/pod.ts';
import { objectKey } from '#apis/meta/object.ts';
import { ifThere } from '#apis/meta/status.ts';
import { deleteObject } from '#client/delete-object.ts';
import { OwnedPods } from '#cluster/owned-pods.ts';
import { timestamp, withCondition } from '#controller/conditions.ts';
import { done, requeue, type ControllerContext, type ControllerModule, type Outcome } from '#controller/controller.ts';
import { ownerKey } from '#controller/owner.ts';
import { settleAll } from '#core/async.ts';
import { errorText } from '#core/errors.ts';
import { deepClone } from '#machinery/deep.ts';
import { isTerminating } from '#apis/core/v1/pod-state.ts';
import { deletionOrder } from '#cluster/replica-set/pod-ranking.ts';
import { isTracked, makePod, trackingFinalizer } from '#cluster/job/pods.ts';
import {
  backoffLeftMs,
  countPods,
  deadlineLeftMs,
  endingOf,
  freeIndexes,
  isIndexed,
  progressOf,
  readyCount,
  wantedActive,
  type Ending,
  type Progress,
} from '#cluster/job/progress.ts';

const burst = 500;

/** Job → pods until enough have succeeded, or too many have failed. */
export const jobController: ControllerModule<Job> = {
  name: 'job-controller',
  setup(context, enqueue) {
    const informer = context.informers.of(pods);
    const jobInformer = context.informers.of(jobs);
    const own = new OwnedPods(context, jobs, enqueue);
    const reconciler = new JobReconciler(context, own);
    const releaseOrphan = (pod: Pod) => {
      const key = ownerKey(pod, jobs);
      if (key === undefined || !isTracked(pod) || !isTerminating(pod) || !jobInformer.synced) return;
      const slash = key.indexOf('/');
      if (jobInformer.get(key.slice(0, slash), key.slice(slash + 1)) === undefined) void reconciler.releaseOrphan(pod);
    };
    // A pod held by its finalizer whose job has gone would stay for ever.
    informer.on(({ type, object }) => {
      if (type !== 'deleted') releaseOrphan(object);
    });
    jobInformer.on(({ type, object }) => {
      if (type === 'deleted') for (const pod of own.of(object)) if (isTracked(pod)) void reconciler.releaseOrphan(pod);
    });
    return {
      resource: jobs,
      workers: 4,
      reconcile: (job) => reconciler.reconcile(job),
      deleted: (key) => own.forget(key),
      run() {
        for (const pod of informer.list()) releaseOrphan(pod);
        return Promise.resolve();
      },
    };
  },
};

class JobReconciler {
  readonly #context: ControllerContext;
  readonly #pods: OwnedPods;

  constructor(context: ControllerContext, own: OwnedPods) {
    this.#context = context;
    this.#pods = own;
  }

  async releaseOrphan(pod: Pod): Promise<void> {
    try {
      await this.#release(pod);
    } catch (error) {
      this.#context.logger.warn('cannot release the pod of a job that is gone', { pod: objectKey(pod), error: errorText(error) });
    }
  }

  async reconcile(job: Job): Promise<Outcome> {
    if ((job.spec.managedBy ?? 'kubernetes.io/job-controller') !== 'kubernetes.io/job-controller') return done;
    const own = this.#pods.of(job);
    if (job.metadata.deletionTimestamp !== undefined) {
      await Promise.all(own.filter(isTracked).map((pod) => this.#release(pod)));
      return done;
    }
    if (endOf(job) !== undefined) return this.#afterEnd(job, own);
    const stored = deepClone(job.status);
    const released = countPods(job, own, stored);
    const progress = progressOf(job, own);
    this.#start(job);
    const now = this.#context.clock.now();
    const ending = endingOf(job, progress, now);
    const waitMs = ending === undefined ? await this.#proceed(job, own, progress) : await this.#end(job, ending, progress);
    Object.assign(job.status ?? {}, {
      active: progress.active.length,
      ready: readyCount(progress),
      terminating: progress.terminating.length,
    });
    await Promise.all(released.map((pod) => this.#release(pod)));
    return waitMs === undefined ? done : requeue(Math.max(10, waitMs));
  }

  /** Start time, and whether the job is suspended. */
  #start(job: Job): void {
    const status = (job.status ??= {});
    const suspended = status.conditions?.find(({ type }) => type === 'Suspended');
    const now = timestamp(this.#context.clock);
    if (job.spec.suspend === true) {
      delete status.startTime;
      if (suspended?.status === 'True') return;
      this.#condition(job, 'Suspended', 'True', 'JobSuspended', 'Job suspended');
      this.#context.events.event(job, 'Normal', 'Suspended', 'Job suspended');
      return;
    }
    status.startTime ??= now;
    if (suspended?.status !== 'True') return;
    status.startTime = now;
    this.#condition(job, 'Suspended', 'False', 'JobResumed', 'Job resumed');
    this.#context.events.event(job, 'Normal', 'Resumed', 'Job resumed');
  }

  /** Brings the number of running pods in line; returns when to look again without an event. */
  async #proceed(job: Job, own: readonly Pod[], progress: Progress): Promise<number | undefined> {
    const now = this.#context.clock.now();
    const deadline = deadlineLeftMs(job, now);
    if (!this.#pods.isSettled(job)) return deadline;
    const wanted = job.spec.suspend === true ? 0 : wantedActive(job, progress);
    const surplus = progress.active.length - wanted;
    if (surplus > 0) await this.#remove(job, deletionOrder(progress.active).slice(0, surplus));
    if (surplus >= 0) return deadline;
    const backoff = backoffLeftMs(job, own, now);
    if (backoff > 0) return Math.min(backoff, deadline ?? Infinity);
    const missing = Math.min(-surplus, burst);
    const indexes = isIndexed(job) ? freeIndexes(job, progress, missing) : Array.from({ length: missing }, () => undefined);
    await settleAll(indexes.map((index) => this.#pods.create(job, makePod(job, index))));
    return deadline;
  }

  /** Says first how it ends, stops what still runs, and ends once nothing runs and everything is counted. */
  async #end(job: Job, ending: Ending, progress: Progress): Promise<undefined> {
    const { reason, message, success } = ending;
    this.#condition(job, success ? 'SuccessCriteriaMet' : 'FailureTarget', 'True', reason, message);
    if (progress.active.length > 0) await this.#remove(job, progress.active);
    const { succeeded = [], failed = [] } = job.status?.uncountedTerminatedPods ?? {};
    if (progress.active.length + progress.terminating.length + succeeded.length + failed.length > 0) return;
    this.#condition(job, success ? 'Complete' : 'Failed', 'True', reason, message);
    if (success && job.status !== undefined) job.status.completionTime = timestamp(this.#context.clock);
    if (success) this.#context.events.event(job, 'Normal', 'Completed', 'Job completed');
    else this.#context.events.event(job, 'Warning', reason, message);
  }

  /** Lets go of pods that came to an end late, and removes the job when its time to live is over. */
  async #afterEnd(job: Job, own: readonly Pod[]): Promise<Outcome> {
    await Promise.all(own.filter(isTracked).map((pod) => this.#release(pod)));
    const { ttlSecondsAfterFinished: ttl } = job.spec;
    if (ttl === undefined) return done;
    const left = Date.parse(endOf(job)?.lastTransitionTime ?? '') + ttl * 1000 - this.#context.clock.now();
    if (left > 0) return requeue(left);
    await deleteObject(this.#context.client.of(jobs), job, { propagationPolicy: 'Foreground' });
    return done;
  }

  async #remove(job: Job, surplus: readonly Pod[]): Promise<void> {
    await settleAll(surplus.map((pod) => this.#pods.remove(job, pod)));
  }

  async #release(pod: Pod): Promise<void> {
    const { namespace, name = '', uid, resourceVersion, finalizers = [] } = pod.metadata;
    const body = { metadata: { uid, resourceVersion, finalizers: finalizers.filter((one) => one !== trackingFinalizer) } };
    await ifThere(this.#context.client.of(pods).patch(namespace, name, { type: 'merge', body }));
  }

  #condition(job: Job, type: string, status: string, reason: string, message: string): void {
    const now = timestamp(this.#context.clock);
    const old = job.status?.conditions?.find((one) => one.type === type);
    if (old?.status === status && old.reason === reason) return;
    (job.status ??= {}).conditions = withCondition(job.status.conditions, { type, status, reason, message, lastProbeTime: now }, now);
  }
}
