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
async function end(rig: Rig, pod: Pod | undefined, phase: 'Succeeded' | 'Failed', exitCode = 0, conditions: object[] = []): Promise<void> {
  const finishedAt = new Date(rig.clock.now()).toISOString();
  rig.cluster.change(pods, 'n', pod?.metadata.name ?? '', (object) => {
    object.status = { phase, conditions, containerStatuses: [{ name: 'main', state: { terminated: { exitCode, finishedAt } } }] } as never;
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

  const podFailurePolicy = {
    rules: [
      { action: 'Ignore' as const, onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
      { action: 'FailJob' as const, onExitCodes: { containerName: 'main', operator: 'In' as const, values: [42] } },
    ],
  };

  test('a failure that its policy ignores does not count and is made good at once', async () => {
    await using rig = await rigWith({ backoffLimit: 0, podFailurePolicy });
    await end(rig, running(rig)[0], 'Failed', 143, [{ type: 'DisruptionTarget', status: 'True' }]);
    assert.equal(running(rig).length, 1);
    assert.deepEqual([statusOf(rig)?.failed ?? 0, holding(rig)], [0, []]);
    await end(rig, running(rig)[0], 'Succeeded');
    assert.equal(holding(rig).at(-1), 'Complete CompletionsReached');
    assert.deepEqual(
      rig.cluster.all(pods).map(({ metadata }) => metadata.finalizers?.length ?? 0),
      [0, 0],
    );
  });

  test('a failure that its policy calls fatal ends it, and the other pods', async () => {
    await using rig = await rigWith({ completions: 2, parallelism: 2, podFailurePolicy });
    const [pod] = running(rig);
    await end(rig, pod, 'Failed', 42);
    assert.deepEqual(running(rig), []);
    assert.deepEqual(holding(rig), ['FailureTarget PodFailurePolicy', 'Failed PodFailurePolicy']);
    const message = `Container main for pod n/${pod?.metadata.name} failed with exit code 42 matching FailJob rule at index 1`;
    assert.equal(statusOf(rig)?.conditions?.at(-1)?.message, message);
  });

  test('a failure that no rule of its policy matches counts', async () => {
    await using rig = await rigWith({ backoffLimit: 0, podFailurePolicy });
    await end(rig, running(rig)[0], 'Failed', 1);
    assert.equal(holding(rig).at(-1), 'Failed BackoffLimitExceeded');
  });

  test('is complete as soon as a rule of its success policy is met', async () => {
    const successPolicy = { rules: [{ succeededIndexes: '1-2', succeededCount: 1 }] };
    await using rig = await rigWith({ completionMode: 'Indexed', completions: 3, parallelism: 3, successPolicy });
    await end(rig, running(rig)[0], 'Succeeded');
    assert.deepEqual(holding(rig), []);
    await end(rig, running(rig)[0], 'Succeeded');
    assert.deepEqual(running(rig), []);
    assert.deepEqual(holding(rig), ['SuccessCriteriaMet SuccessPolicy', 'Complete SuccessPolicy']);
    assert.equal(statusOf(rig)?.conditions?.at(-1)?.message, 'Matched rules at index 0');
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
