import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { jobs, type Job } from '#apis/batch/v1/job.ts';
import { pods, type Pod } from '#apis/core/v1/pod.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import type { ControllerModule } from '#controller/controller.ts';
import { startRig, type Rig } from '#controller/testing.ts';
import { formatIndexes, parseIndexes } from '#cluster/job/indexes.ts';
import { backoffLeftMs } from '#cluster/job/progress.ts';
import { jobController } from '#cluster/job/reconciler.ts';

const modules = [jobController] as readonly ControllerModule[];

function job(spec: Partial<Job['spec']> = {}): KubeObject {
  const labels = { 'job-name': 'j' };
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { namespace: 'n', name: 'j', uid: 'uid-of-j' },
    spec: {
      completions: 1,
      parallelism: 1,
      backoffLimit: 6,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'i' }], restartPolicy: 'Never' } },
      ...spec,
    },
  } as KubeObject;
}

async function rigWith(spec: Partial<Job['spec']> = {}): Promise<Rig> {
  const rig = await startRig(modules, [job(spec)]);
  await rig.settle();
  return rig;
}

const running = (rig: Rig): Pod[] => rig.cluster.all(pods).filter(({ status }) => status?.phase === undefined);
const statusOf = (rig: Rig) => rig.cluster.find(jobs, 'n', 'j')?.status;
const holding = (rig: Rig): string[] =>
  (statusOf(rig)?.conditions ?? []).filter(({ status }) => status === 'True').map(({ type, reason }) => `${type} ${reason}`);

/** What the node agent would report. */
async function end(rig: Rig, pod: Pod | undefined, phase: 'Succeeded' | 'Failed'): Promise<void> {
  const finishedAt = new Date(rig.clock.now()).toISOString();
  rig.cluster.change(pods, 'n', pod?.metadata.name ?? '', (object) => {
    object.status = { phase, containerStatuses: [{ name: 'main', state: { terminated: { exitCode: 0, finishedAt } } }] } as never;
  });
  await rig.settle();
}

describe('job controller', () => {
  test('runs a pod, counts it once, lets it go, and is complete', async () => {
    await using rig = await rigWith();
    const [pod] = running(rig);
    assert.deepEqual(pod?.metadata.finalizers, ['batch.kubernetes.io/job-tracking']);
    assert.deepEqual([statusOf(rig)?.active, typeof statusOf(rig)?.startTime], [1, 'string']);
    await end(rig, pod, 'Succeeded');
    const { succeeded, active, uncountedTerminatedPods, completionTime } = statusOf(rig) ?? {};
    assert.deepEqual({ succeeded, active, uncountedTerminatedPods }, { succeeded: 1, active: 0, uncountedTerminatedPods: {} });
    assert.equal(typeof completionTime, 'string');
    assert.deepEqual(holding(rig), ['SuccessCriteriaMet CompletionsReached', 'Complete CompletionsReached']);
    assert.equal(rig.cluster.all(pods)[0]?.metadata.finalizers?.length ?? 0, 0);
    assert.equal(rig.events.includes('Normal Completed Job completed'), true);
  });

  test('keeps to parallelism until all completions are there', async () => {
    await using rig = await rigWith({ completions: 3, parallelism: 2 });
    assert.equal(running(rig).length, 2);
    await end(rig, running(rig)[0], 'Succeeded');
    assert.equal(running(rig).length, 2);
    await end(rig, running(rig)[0], 'Succeeded');
    assert.equal(running(rig).length, 1);
    await end(rig, running(rig)[0], 'Succeeded');
    assert.deepEqual([statusOf(rig)?.succeeded, rig.cluster.all(pods).length], [3, 3]);
  });

  test('waits longer after each failure and gives up beyond the limit', async () => {
    await using rig = await rigWith({ backoffLimit: 1 });
    await end(rig, running(rig)[0], 'Failed');
    assert.equal(running(rig).length, 0);
    await rig.clock.advance(10_000);
    await rig.settle();
    assert.equal(running(rig).length, 1);
    await end(rig, running(rig)[0], 'Failed');
    assert.deepEqual(holding(rig), ['FailureTarget BackoffLimitExceeded', 'Failed BackoffLimitExceeded']);
    assert.deepEqual([statusOf(rig)?.failed, statusOf(rig)?.completionTime], [2, undefined]);
    assert.equal(rig.events.includes('Warning BackoffLimitExceeded Job has reached the specified backoff limit'), true);
  });

  test('stops its pods when the deadline is over', async () => {
    await using rig = await rigWith({ activeDeadlineSeconds: 60 });
    await rig.clock.advance(61_000);
    await rig.settle();
    assert.deepEqual(running(rig), []);
    assert.deepEqual(holding(rig), ['FailureTarget DeadlineExceeded', 'Failed DeadlineExceeded']);
  });

  test('gives each index its pod, and notes which have succeeded', async () => {
    await using rig = await rigWith({ completionMode: 'Indexed', completions: 3, parallelism: 3 });
    const [first, second] = running(rig);
    assert.deepEqual([second?.metadata.annotations?.['batch.kubernetes.io/job-completion-index'], second?.spec?.hostname], ['1', 'j-1']);
    assert.equal(first?.spec?.containers[0]?.env?.[0]?.name, 'JOB_COMPLETION_INDEX');
    await end(rig, running(rig)[0], 'Succeeded');
    await end(rig, running(rig)[1], 'Succeeded');
    assert.deepEqual([statusOf(rig)?.completedIndexes, statusOf(rig)?.succeeded], ['0,2', 2]);
    await end(rig, running(rig)[0], 'Succeeded');
    assert.deepEqual([statusOf(rig)?.completedIndexes, holding(rig).at(-1)], ['0-2', 'Complete CompletionsReached']);
  });

  test('has no pods while suspended', async () => {
    await using rig = await rigWith({ suspend: true });
    assert.deepEqual([rig.cluster.all(pods).length, holding(rig)], [0, ['Suspended JobSuspended']]);
    rig.cluster.change(jobs, 'n', 'j', (object) => void (object.spec.suspend = false));
    await rig.settle();
    assert.deepEqual([running(rig).length, holding(rig)], [1, []]);
  });

  test('goes some time after its end', async () => {
    await using rig = await rigWith({ ttlSecondsAfterFinished: 30 });
    await end(rig, running(rig)[0], 'Succeeded');
    assert.notEqual(statusOf(rig), undefined);
    await rig.clock.advance(30_000);
    await rig.settle();
    assert.equal(rig.cluster.find(jobs, 'n', 'j'), undefined);
  });

  test('a deleted pod is not held by a job that is gone', async () => {
    await using rig = await rigWith();
    const name = running(rig)[0]?.metadata.name ?? '';
    await rig.cluster.of(jobs).delete('n', 'j');
    await rig.cluster.of(pods).delete('n', name);
    await rig.settle();
    assert.deepEqual(rig.cluster.all(pods), []);
  });
});

describe('completion indexes', () => {
  test('are written as runs and read back', () => {
    const text = formatIndexes([5, 0, 1, 3, 2, 7, 8]);
    assert.equal(text, '0-3,5,7,8');
    assert.deepEqual([...parseIndexes(text, 8)], [0, 1, 2, 3, 5, 7]);
    assert.deepEqual([...parseIndexes('x,-1,2-1', 8)], []);
  });
});

describe('back-off', () => {
  const pod = (phase: string, finishedAt: string): Pod =>
    ({ metadata: {}, status: { phase, containerStatuses: [{ state: { terminated: { finishedAt } } }] } }) as unknown as Pod;
  const now = Date.parse('2026-01-01T00:10:00Z');
  const left = (...ended: Pod[]) => backoffLeftMs(job() as Job, ended, now);

  test('doubles with each failure since the last success', () => {
    assert.equal(left(), 0);
    assert.equal(left(pod('Failed', '2026-01-01T00:10:00Z')), 10_000);
    assert.equal(left(pod('Failed', '2026-01-01T00:10:00Z'), pod('Failed', '2026-01-01T00:09:00Z')), 20_000);
    assert.equal(left(pod('Failed', '2026-01-01T00:09:00Z'), pod('Succeeded', '2026-01-01T00:09:30Z')), 0);
  });
});
