import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KubeObject } from '#apis/meta/object.ts';
import type { ControllerModule } from '#controller/controller.ts';
import { reconcileOnce } from '#controller/testing.ts';
import { cronJobController } from '#cluster/cron-job/reconciler.ts';
import { latestDue, parseSchedule } from '#cluster/cron-job/schedule.ts';
import { FakeClock } from '#core/clock.ts';

const at = (text: string) => Date.parse(text);

describe('a cron schedule', () => {
  for (const [schedule, zone, after, next] of [
    ['* * * * *', 'UTC', '2026-01-01T00:00:00Z', '2026-01-01T00:01:00Z'],
    ['*/15 * * * *', 'UTC', '2026-01-01T00:16:30Z', '2026-01-01T00:30:00Z'],
    ['30 4 1,15 * *', 'UTC', '2026-01-01T05:00:00Z', '2026-01-15T04:30:00Z'],
    ['0 0 * * mon-fri', 'UTC', '2026-01-02T12:00:00Z', '2026-01-05T00:00:00Z'],
    ['0 0 13 * fri', 'UTC', '2026-01-03T00:00:00Z', '2026-01-09T00:00:00Z'],
    ['0 0 29 feb *', 'UTC', '2026-01-01T00:00:00Z', '2028-02-29T00:00:00Z'],
    ['@daily', 'UTC', '2026-12-31T00:00:00Z', '2027-01-01T00:00:00Z'],
    ['@every 1h30m', 'UTC', '2026-01-01T00:00:00Z', '2026-01-01T01:30:00Z'],
    ['0 9 * * *', 'America/New_York', '2026-01-01T00:00:00Z', '2026-01-01T14:00:00Z'],
    ['0 9 * * *', 'America/New_York', '2026-07-01T00:00:00Z', '2026-07-01T13:00:00Z'],
    ['30 2 * * *', 'Europe/Berlin', '2026-03-28T12:00:00Z', '2026-03-30T00:30:00Z'],
    ['0 0 31 2 *', 'UTC', '2026-01-01T00:00:00Z', undefined],
  ] as const) {
    it(`${schedule} in ${zone} after ${after}: ${next ?? 'never'}`, () => {
      const found = parseSchedule(schedule, zone)(at(after));
      assert.equal(found === undefined ? undefined : new Date(found).toISOString().replace('.000Z', 'Z'), next);
    });
  }

  it('the latest time that has passed counts, however many were missed', () => {
    const now = at('2026-06-01T10:30:30Z');
    const latest = (schedule: string, since: string) => latestDue(parseSchedule(schedule), at(since), now);
    assert.equal(latest('* * * * *', '2020-01-01T00:00:00Z'), at('2026-06-01T10:30:00Z'));
    assert.equal(latest('@daily', '2026-01-01T00:00:00Z'), at('2026-06-01T00:00:00Z'));
    assert.equal(latest('@yearly', '2025-06-01T00:00:00Z'), at('2026-01-01T00:00:00Z'));
    assert.equal(latest('* * * * *', '2026-06-01T10:30:00Z'), undefined);
    assert.equal(latest('@yearly', '2026-02-01T00:00:00Z'), undefined);
  });
});

describe('cron job controller', () => {
  const now = '2026-01-01T12:00:30Z';
  const cronJob = (spec: object = {}, status?: object): KubeObject =>
    ({
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: { namespace: 'n', name: 'c', uid: 'u', creationTimestamp: '2026-01-01T11:59:30Z' },
      spec: { schedule: '* * * * *', jobTemplate: { metadata: { labels: { a: 'b' } }, spec: { template: {} } }, ...spec },
      ...(status === undefined ? {} : { status }),
    }) as KubeObject;
  const job = (name: string, end?: 'Complete' | 'Failed', startTime = '2026-01-01T11:00:00Z'): KubeObject =>
    ({
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: {
        namespace: 'n',
        name,
        uid: name,
        ownerReferences: [{ apiVersion: 'batch/v1', kind: 'CronJob', name: 'c', uid: 'u', controller: true }],
      },
      status: { startTime, ...(end === undefined ? {} : { conditions: [{ type: end, status: 'True' }] }) },
    }) as KubeObject;
  const reconcile = (...objects: KubeObject[]) =>
    reconcileOnce(cronJobController as ControllerModule, { objects, key: 'n/c', clock: new FakeClock(at(now)) });
  const minute = at('2026-01-01T12:00:00Z') / 60_000;

  it('starts a job at its time, and waits for the next', async () => {
    const { creates, status, events, outcome, error } = await reconcile(cronJob());
    assert.equal(error, undefined);
    const [made] = creates;
    assert.deepEqual([made?.metadata.name, made?.metadata.labels], [`c-${minute}`, { a: 'b' }]);
    assert.equal(made?.metadata.annotations?.['batch.kubernetes.io/cronjob-scheduled-timestamp'], '2026-01-01T12:00:00Z');
    assert.equal((status as { lastScheduleTime: string }).lastScheduleTime, '2026-01-01T12:00:00Z');
    assert.deepEqual(events, [`Normal SuccessfulCreate Created job c-${minute}`]);
    assert.deepEqual(outcome, { kind: 'requeue', afterMs: 30_000 });
  });

  it('starts nothing that has been started, nothing while suspended, nothing too late', async () => {
    for (const one of [
      cronJob({}, { lastScheduleTime: '2026-01-01T12:00:00Z' }),
      cronJob({ suspend: true }),
      cronJob({ startingDeadlineSeconds: 10 }),
    ])
      assert.deepEqual((await reconcile(one)).creates, []);
  });

  it('Forbid waits for the one that runs, Replace ends it, Allow lets it run', async () => {
    const running = job('c-1');
    const forbidden = await reconcile(cronJob({ concurrencyPolicy: 'Forbid' }), running);
    assert.deepEqual(forbidden.creates, []);
    assert.match(forbidden.events.join(), /JobAlreadyActive/);
    const replaced = await reconcile(cronJob({ concurrencyPolicy: 'Replace' }), running);
    assert.deepEqual([replaced.creates.length, replaced.deletes], [1, ['Job n/c-1']]);
    const allowed = await reconcile(cronJob(), running);
    assert.deepEqual([allowed.creates.length, allowed.deletes], [1, []]);
    assert.deepEqual(
      (allowed.status as { active: { name: string }[] }).active.map(({ name }) => name),
      ['c-1', `c-${minute}`],
    );
  });

  it('keeps as many of the ended as it is told, the latest', async () => {
    const spec = { suspend: true, successfulJobsHistoryLimit: 1, failedJobsHistoryLimit: 0 };
    const { deletes } = await reconcile(
      cronJob(spec),
      job('c-2', 'Complete', '2026-01-01T11:02:00Z'),
      job('c-1', 'Complete', '2026-01-01T11:01:00Z'),
      job('c-3', 'Failed'),
      job('c-4'),
    );
    assert.deepEqual(deletes, ['Job n/c-1', 'Job n/c-3']);
  });

  it('says which of those that ran has ended', async () => {
    const active = [{ kind: 'Job', apiVersion: 'batch/v1', namespace: 'n', name: 'c-1', uid: 'c-1' }];
    const { events, status } = await reconcile(cronJob({ suspend: true }, { active }), job('c-1', 'Complete'));
    assert.deepEqual(events, ['Normal SawCompletedJob Saw completed job: c-1, condition: Complete']);
    assert.deepEqual((status as { active?: unknown }).active, undefined);
  });
});
