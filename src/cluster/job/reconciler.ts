import { endOf, type Job, jobs } from '#apis/batch/v1/job.ts';
import { pods, type Pod } from '#apis/core/v1/pod.ts';
import { objectKey } from '#apis/meta/object.ts';
import { ifThere } from '#apis/meta/status.ts';
import type { Informer } from '#client/informer-types.ts';
import { timestamp, withCondition } from '#controller/conditions.ts';
import { done, requeue, type ControllerContext, type ControllerModule, type Outcome } from '#controller/controller.ts';
import { childrenOf, enqueueOwner, indexByOwner, ownerKey } from '#controller/owner.ts';
import { errorText } from '#core/errors.ts';
import { deepClone } from '#machinery/deep.ts';
import { Expectations } from '#cluster/expectations.ts';
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
    indexByOwner(informer);
    const expectations = new Expectations(context.clock);
    const reconciler = new JobReconciler(context, informer, expectations);
    const releaseOrphan = (pod: Pod) => {
      const key = ownerKey(pod, jobs);
      if (key === undefined || !isTracked(pod) || !isTerminating(pod) || !jobInformer.synced) return;
      const slash = key.indexOf('/');
      if (jobInformer.get(key.slice(0, slash), key.slice(slash + 1)) === undefined) void reconciler.releaseOrphan(pod);
    };
    informer.on((event) => {
      const key = ownerKey(event.object, jobs);
      if (key === undefined) return;
      const uid = event.object.metadata.uid ?? '';
      if (event.type === 'added') expectations.seen(key, `+${uid}`);
      if (event.type === 'deleted' || isTerminating(event.object)) expectations.seen(key, `-${uid}`);
      if (event.type !== 'deleted') releaseOrphan(event.object);
    });
    enqueueOwner(informer, jobs, enqueue);
    // A pod held by its finalizer whose job has gone would stay for ever.
    jobInformer.on(({ type, object }) => {
      if (type === 'deleted') for (const pod of childrenOf(informer, object)) if (isTracked(pod)) void reconciler.releaseOrphan(pod);
    });
    return {
      resource: jobs,
      workers: 4,
      reconcile: (job) => reconciler.reconcile(job),
      deleted: (key) => expectations.forget(key),
      run() {
        for (const pod of informer.list()) releaseOrphan(pod);
        return Promise.resolve();
      },
    };
  },
};

class JobReconciler {
  readonly #context: ControllerContext;
  readonly #pods: Informer<Pod>;
  readonly #expectations: Expectations;

  constructor(context: ControllerContext, informer: Informer<Pod>, expectations: Expectations) {
    this.#context = context;
    this.#pods = informer;
    this.#expectations = expectations;
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
    const own = childrenOf(this.#pods, job);
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
    if (!this.#expectations.met(objectKey(job))) return deadline;
    const wanted = job.spec.suspend === true ? 0 : wantedActive(job, progress);
    const surplus = progress.active.length - wanted;
    if (surplus > 0) await this.#remove(job, deletionOrder(progress.active).slice(0, surplus));
    if (surplus >= 0) return deadline;
    const backoff = backoffLeftMs(job, own, now);
    if (backoff > 0) return Math.min(backoff, deadline ?? Infinity);
    const missing = Math.min(-surplus, burst);
    const indexes = isIndexed(job) ? freeIndexes(job, progress, missing) : Array.from({ length: missing }, () => undefined);
    const results = await Promise.allSettled(indexes.map((index) => this.#create(job, index)));
    const failure = results.find((result) => result.status === 'rejected');
    if (failure !== undefined) throw failure.reason;
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
    const { namespace, name = '', uid } = job.metadata;
    const options = { propagationPolicy: 'Foreground' as const, ...(uid === undefined ? {} : { preconditions: { uid } }) };
    await ifThere(this.#context.client.of(jobs).delete(namespace, name, options));
    return done;
  }

  async #create(job: Job, index: number | undefined): Promise<void> {
    const key = objectKey(job);
    try {
      const created = await this.#context.client.of(pods).create(makePod(job, index));
      const { namespace, name = '', uid = '' } = created.metadata;
      if (this.#pods.get(namespace, name) === undefined) this.#expectations.expect(key, `+${uid}`);
      this.#context.events.event(job, 'Normal', 'SuccessfulCreate', `Created pod: ${name}`);
    } catch (error) {
      this.#context.events.event(job, 'Warning', 'FailedCreate', `Error creating: ${(error as Error).message}`);
      throw error;
    }
  }

  async #remove(job: Job, surplus: readonly Pod[]): Promise<void> {
    const key = objectKey(job);
    await Promise.all(
      surplus.map(async ({ metadata: { namespace, name = '', uid = '' } }) => {
        this.#expectations.expect(key, `-${uid}`);
        try {
          await ifThere(this.#context.client.of(pods).delete(namespace, name, { preconditions: { uid } }));
          this.#context.events.event(job, 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`);
        } catch (error) {
          this.#expectations.seen(key, `-${uid}`);
          throw error;
        }
      }),
    );
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
