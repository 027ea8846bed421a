import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { call, objectOf, startTestServer } from '#apiserver/testing/server.ts';
import { FakeClock } from '#core/clock.ts';

const path = '/api/v1/namespaces/default/events';
const minute = 60_000;

describe('events', () => {
  test('go an hour after their last change', async () => {
    const clock = new FakeClock();
    await using server = await startTestServer({ clock });
    const names = async () =>
      objectOf<{ items: { metadata: { name: string } }[] }>(await call(server, 'GET', path)).items.map(({ metadata }) => metadata.name);
    const create = async (name: string) => {
      const body = { metadata: { name }, involvedObject: { kind: 'Pod', namespace: 'default', name: 'p' }, reason: 'r', message: name };
      assert.equal((await call(server, 'POST', path, { body })).status, 201);
    };
    await create('forgotten');
    await create('repeated');
    await clock.advance(30 * minute);
    await create('later');
    const patch = { headers: { 'content-type': 'application/merge-patch+json' }, body: { count: 2 } };
    assert.equal((await call(server, 'PATCH', `${path}/repeated`, patch)).status, 200);
    await clock.advance(25 * minute);
    assert.deepEqual(await names(), ['forgotten', 'later', 'repeated']);
    await clock.advance(15 * minute);
    assert.deepEqual(await names(), ['later', 'repeated']);
    await clock.advance(30 * minute);
    assert.deepEqual(await names(), []);
  });
});
