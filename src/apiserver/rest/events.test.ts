import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { call, failureOf, nextEvent, objectOf, startTestServer, watchOf } from '#apiserver/testing/server.ts';

const core = '/api/v1/namespaces/default/events';
const group = '/apis/events.k8s.io/v1/namespaces/default/events';
const pod = { apiVersion: 'v1', kind: 'Pod', namespace: 'default', name: 'p' };

describe('events of both groups', () => {
  test('are the same objects by other names', async () => {
    await using server = await startTestServer();
    const body = {
      metadata: { name: 'a', namespace: 'default' },
      involvedObject: pod,
      reason: 'Started',
      message: 'it runs',
      source: { component: 'kubelet', host: 'n' },
      count: 3,
    };
    const created = objectOf(await call(server, 'POST', core, { body }));
    assert.equal(created.apiVersion, 'v1');
    const other = objectOf(await call(server, 'GET', `${group}/a`)) as unknown as Record<string, unknown>;
    assert.deepEqual(
      [other['apiVersion'], other['kind'], other['regarding'], other['note'], other['deprecatedCount'], other['deprecatedSource']],
      ['events.k8s.io/v1', 'Event', pod, 'it runs', 3, { component: 'kubelet', host: 'n' }],
    );
    assert.equal(other['message'], undefined);
    assert.equal((other['metadata'] as { uid?: string }).uid, created.metadata.uid);
  });

  test('written through one, seen and deleted through the other', async () => {
    await using server = await startTestServer();
    const stop = new AbortController();
    const changes = await watchOf(server, `${core}?watch=true`, { signal: stop.signal });
    const body = {
      metadata: { name: 'b', namespace: 'default' },
      eventTime: '2026-01-01T00:00:00.000000Z',
      regarding: pod,
      reason: 'Waited',
      action: 'Waiting',
      note: 'for a node',
      reportingController: 'example.com/scheduler',
      reportingInstance: 's-1',
      type: 'Normal',
    };
    assert.equal((await call(server, 'POST', group, { body })).status, 201);
    const seen = (await nextEvent(changes))?.object as unknown as Record<string, unknown>;
    assert.deepEqual([seen['apiVersion'], seen['message'], seen['reportingComponent']], ['v1', 'for a node', 'example.com/scheduler']);
    stop.abort();
    const selected = async (path: string) => {
      const { items } = objectOf<{ items: { metadata: { name: string } }[] }>(await call(server, 'GET', path));
      return items.map(({ metadata }) => metadata.name);
    };
    assert.deepEqual(await selected(`${core}?fieldSelector=involvedObject.name%3Dp`), ['b']);
    assert.deepEqual(await selected(`${group}?fieldSelector=regarding.name%3Dp`), ['b']);
    const patch = { headers: { 'content-type': 'application/merge-patch+json' }, body: { note: 'for two nodes' } };
    assert.equal((await call(server, 'PATCH', `${group}/b`, patch)).status, 200);
    assert.equal((objectOf(await call(server, 'GET', `${core}/b`)) as unknown as { message: string }).message, 'for two nodes');
    assert.equal((await call(server, 'DELETE', `${core}/b`)).status, 200);
    assert.deepEqual(failureOf(await call(server, 'GET', `${group}/b`)), [404, 'NotFound', 'events.events.k8s.io "b" not found']);
  });
});
