import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Pod } from '#apis/core/v1/pod.ts';
import { call, failureOf, objectOf, startTestServer } from '#apiserver/testing/server.ts';

const pods = '/api/v1/namespaces/default/pods';
const strategic = { 'content-type': 'application/strategic-merge-patch+json' };
type Server = Awaited<ReturnType<typeof startTestServer>>;

async function startWithPod(): Promise<Server> {
  const server = await startTestServer();
  await call(server, 'POST', pods, { body: { metadata: { name: 'a' }, spec: { containers: [{ name: 'c', image: 'i' }] } } });
  return server;
}
const add = (server: Server, container: object, more: object = {}) =>
  call(server, 'PATCH', `${pods}/a/ephemeralcontainers`, {
    headers: strategic,
    body: { spec: { ephemeralContainers: [container], ...more } },
  });

describe('ephemeral containers of a pod', () => {
  test('are added through their subresource, which changes nothing else', async () => {
    await using server = await startWithPod();
    const added = objectOf<Pod>(await add(server, { name: 'd', image: 'i', targetContainerName: 'c', tty: true }, { hostname: 'other' }));
    const [container] = added.spec.ephemeralContainers ?? [];
    assert.deepEqual(
      [container?.name, container?.targetContainerName, container?.imagePullPolicy, container?.terminationMessagePolicy],
      ['d', 'c', 'Always', 'File'],
    );
    assert.equal(added.spec.hostname, undefined);
    await add(server, { name: 'e', image: 'i' });
    const read = objectOf<Pod>(await call(server, 'GET', `${pods}/a/ephemeralcontainers`));
    assert.deepEqual(
      read.spec.ephemeralContainers?.map(({ name }) => name).toSorted((a, b) => a.localeCompare(b)),
      ['d', 'e'],
    );
    const next = structuredClone(read);
    next.spec.ephemeralContainers?.push({ name: 'f', image: 'i' } as never);
    const put = await call(server, 'PUT', `${pods}/a/ephemeralcontainers`, { body: next });
    assert.equal(objectOf<Pod>(put).spec.ephemeralContainers?.length, 3);
    assert.equal(failureOf(await call(server, 'PUT', `${pods}/a/ephemeralcontainers`, { body: next }))[0], 409);
  });

  test('stay as they are, and cannot be added otherwise', async () => {
    await using server = await startWithPod();
    await add(server, { name: 'd', image: 'i' });
    const patch = async (body: object, where = `${pods}/a/ephemeralcontainers`) =>
      failureOf(await call(server, 'PATCH', where, { headers: { 'content-type': 'application/merge-patch+json' }, body }))[2] ?? '';
    const text = (what: string) =>
      `Pod "a" is invalid: spec.ephemeralContainers: Forbidden: existing ephemeral containers "d" may not be ${what}\n`;
    assert.equal(await patch({ spec: { ephemeralContainers: [] } }), text('removed'));
    assert.equal(await patch({ spec: { ephemeralContainers: [{ name: 'd', image: 'other' }] } }), text('changed'));
    assert.match(await patch({ spec: { ephemeralContainers: [] } }, `${pods}/a`), /pod updates may not change fields other than/);
  });

  test('have a name, an image and a target of the pod, and nothing that serves or limits', async () => {
    await using server = await startWithPod();
    const refusal = async (container: object) => failureOf(await add(server, { name: 'd', image: 'i', ...container }))[2] ?? '';
    const at = 'Pod "a" is invalid: spec.ephemeralContainers[0]';
    assert.equal(await refusal({ targetContainerName: 'x' }), `${at}.targetContainerName: Not found: "x"`);
    assert.equal(await refusal({ ports: [{ containerPort: 1 }] }), `${at}.ports: Forbidden: cannot be set for an Ephemeral Container`);
    assert.equal(
      await refusal({ resources: { limits: { cpu: '1' } } }),
      `${at}.resources: Forbidden: cannot be set for an Ephemeral Container`,
    );
    assert.match(await refusal({ name: 'c' }), /spec\.ephemeralContainers\[0\]\.name: Duplicate value: "c"/);
  });
});
