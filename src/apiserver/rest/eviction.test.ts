import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { call, failureOf, objectOf, startTestServer } from '#apiserver/testing/server.ts';

const pods = '/api/v1/namespaces/default/pods';
const budgets = '/apis/policy/v1/namespaces/default/poddisruptionbudgets';
const merge = { 'content-type': 'application/merge-patch+json' };
const violates = "Cannot evict pod as it would violate the pod's disruption budget.";
type Server = Awaited<ReturnType<typeof startTestServer>>;

async function runningPod(server: Server, name: string, ready = 'True'): Promise<void> {
  const body = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app: 'web' } },
    spec: { containers: [{ name: 'c', image: 'i' }] },
  };
  await call(server, 'POST', pods, { body });
  const status = { phase: 'Running', conditions: [{ type: 'Ready', status: ready }] };
  await call(server, 'PATCH', `${pods}/${name}/status`, { body: { status }, headers: merge });
}

async function budget(server: Server, name: string, status: object, spec: object = {}): Promise<void> {
  const selector = { matchLabels: { app: 'web' } };
  await call(server, 'POST', budgets, {
    body: { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata: { name }, spec: { selector, minAvailable: 1, ...spec } },
  });
  const body = {
    status: { observedGeneration: 1, currentHealthy: 2, desiredHealthy: 1, expectedPods: 2, disruptionsAllowed: 1, ...status },
  };
  await call(server, 'PATCH', `${budgets}/${name}/status`, { body, headers: merge });
}

const evict = (server: Server, name: string, deleteOptions: object = {}) =>
  call(server, 'POST', `${pods}/${name}/eviction`, {
    body: { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name }, deleteOptions },
  });

describe('eviction', () => {
  test('takes a disruption from the budget, and is refused when there is none left', async () => {
    await using server = await startTestServer();
    for (const name of ['a', 'b']) await runningPod(server, name);
    await budget(server, 'web', {});
    assert.equal((await evict(server, 'a')).status, 201);
    const { status } = objectOf<{ status: { disruptionsAllowed: number; disruptedPods: object } } & { metadata: object }>(
      await call(server, 'GET', `${budgets}/web`),
    );
    assert.equal(status.disruptionsAllowed, 0);
    assert.deepEqual(Object.keys(status.disruptedPods), ['a']);
    const refused = await evict(server, 'b');
    assert.deepEqual(failureOf(refused), [429, 'TooManyRequests', violates]);
    assert.deepEqual(objectOf<{ details: { causes: unknown } } & { metadata: object }>(refused).details.causes, [
      { reason: 'DisruptionBudget', message: 'The disruption budget web needs 1 healthy pods and has 2 currently' },
    ]);
    assert.equal((await call(server, 'GET', `${pods}/b`)).status, 200);
  });

  test('of many at once no more pass than the budget has', async () => {
    await using server = await startTestServer();
    const names = ['a', 'b', 'c', 'd', 'e'];
    for (const name of names) await runningPod(server, name);
    await budget(server, 'web', { disruptionsAllowed: 2, currentHealthy: 5, desiredHealthy: 3 });
    const codes = (await Promise.all(names.map((name) => evict(server, name)))).map(({ status }) => status);
    assert.deepEqual(
      codes.toSorted((a, b) => a - b),
      [201, 201, 429, 429, 429],
    );
  });

  test('waits for a budget that has not been looked at, and does not support two', async () => {
    await using server = await startTestServer();
    await runningPod(server, 'a');
    await budget(server, 'web', { observedGeneration: 0 });
    const pending = await evict(server, 'a');
    assert.deepEqual([pending.status, pending.headers['retry-after']], [429, '10']);
    await budget(server, 'other', {});
    const several = await evict(server, 'a');
    assert.equal(failureOf(several)[0], 500);
    assert.match(String(failureOf(several)[2]), /more than one PodDisruptionBudget/);
  });

  test('a dry run takes nothing; a pod that is not ready may go while the others suffice, or where the budget says always', async () => {
    await using server = await startTestServer();
    await runningPod(server, 'a');
    await runningPod(server, 'sick', 'False');
    await budget(server, 'web', {});
    assert.equal((await evict(server, 'a', { dryRun: ['All'] })).status, 201);
    assert.equal((await evict(server, 'sick')).status, 201);
    assert.equal(
      objectOf<{ status: { disruptionsAllowed: number } } & { metadata: object }>(await call(server, 'GET', `${budgets}/web`)).status
        .disruptionsAllowed,
      1,
    );
    await call(server, 'DELETE', `${budgets}/web`);
    await runningPod(server, 'sick');
    await call(server, 'PATCH', `${pods}/sick/status`, {
      body: { status: { conditions: [{ type: 'Ready', status: 'False' }] } },
      headers: merge,
    });
    await budget(server, 'strict', { currentHealthy: 0, disruptionsAllowed: 0 });
    assert.equal((await evict(server, 'sick')).status, 429);
    await call(server, 'PATCH', `${budgets}/strict`, { body: { spec: { unhealthyPodEvictionPolicy: 'AlwaysAllow' } }, headers: merge });
    assert.equal((await evict(server, 'sick')).status, 201);
  });
});
