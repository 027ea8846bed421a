import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { UserInfo } from '#apis/definition.ts';
import type { ApiServer, Credentials } from '#apiserver/request.ts';
import { call, configMap, configMaps, failureOf, objectOf, startTestServer, nextEvent, watchOf } from '#apiserver/testing/server.ts';

const rbac = '/apis/rbac.authorization.k8s.io/v1';
const user = (username: string, ...groups: string[]): UserInfo => ({ username, groups: [...groups, 'system:authenticated'] });
const jane = user('jane');

async function bind(server: ApiServer, role: string, subject: Record<string, string>, as?: UserInfo): Promise<number> {
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role };
  const body = {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: { generateName: 'b-' },
    roleRef,
    subjects: [subject],
  };
  return (await call(server, 'POST', `${rbac}/namespaces/default/rolebindings`, { body, ...(as === undefined ? {} : { user: as }) }))
    .status;
}

/** A request as it comes from the wire. */
function wire(server: ApiServer, path: string, credentials: Omit<Extract<Credentials, { kind: 'wire' }>, 'kind'> = {}, token?: string) {
  return server.handle({
    method: 'GET',
    path,
    query: new URLSearchParams(),
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    credentials: { kind: 'wire', ...credentials },
    signal: new AbortController().signal,
  });
}

describe('authorization', () => {
  test('nobody may do anything without a role; the refusal says what was missing', async () => {
    await using server = await startTestServer();
    assert.deepEqual(failureOf(await call(server, 'GET', '/api/v1/namespaces/default/pods', { user: jane })), [
      403,
      'Forbidden',
      'pods is forbidden: User "jane" cannot list resource "pods" in API group "" in the namespace "default"',
    ]);
    assert.equal(
      failureOf(await call(server, 'GET', '/apis/apps/v1/deployments', { user: jane }))[2],
      'deployments.apps is forbidden: User "jane" cannot list resource "deployments" in API group "apps" at the cluster scope',
    );
    assert.equal(failureOf(await call(server, 'GET', '/metrics', { user: jane }))[2], 'forbidden: User "jane" cannot get path "/metrics"');
    assert.equal((await call(server, 'GET', '/apis', { user: jane })).status, 200);
  });

  test('a binding whose role is missing is named in the refusal', async () => {
    await using server = await startTestServer();
    await bind(server, 'gone', { kind: 'User', name: 'jane' });
    const refusal = 'pods is forbidden: User "jane" cannot list resource "pods" in API group "" in the namespace "default"';
    const list = async () => failureOf(await call(server, 'GET', '/api/v1/namespaces/default/pods', { user: jane }))[2];
    assert.equal(await list(), `${refusal}: RBAC: clusterrole.rbac.authorization.k8s.io "gone" not found`);
    await bind(server, 'gone-too', { kind: 'User', name: 'jane' });
    assert.match((await list()) ?? '', /: RBAC: \[clusterrole\S+ "gone\S* not found, clusterrole\S+ "gone\S* not found\]$/);
  });

  test('roles bound in a namespace work there, aggregates included', async () => {
    await using server = await startTestServer();
    await bind(server, 'edit', { kind: 'User', name: 'jane' });
    assert.equal((await call(server, 'POST', configMaps, { user: jane, body: configMap('a') })).status, 201);
    assert.equal((await call(server, 'GET', configMaps, { user: jane })).status, 200);
    assert.equal((await call(server, 'GET', '/api/v1/namespaces/kube-system/configmaps', { user: jane })).status, 403);
    assert.equal((await call(server, 'GET', `${rbac}/namespaces/default/roles`, { user: jane })).status, 403);
  });

  test('aggregates show their rules, and follow the roles that make them up', async () => {
    await using server = await startTestServer();
    const rulesOf = async (name: string) =>
      objectOf<{ rules: { resources: string[] }[] }>(await call(server, 'GET', `${rbac}/clusterroles/${name}`)).rules;
    for (const name of ['view', 'edit', 'admin']) {
      assert.ok(
        (await rulesOf(name)).some(({ resources }) => resources.includes('configmaps')),
        name,
      );
    }
    const stop = new AbortController();
    const changes = await watchOf(server, `${rbac}/clusterroles?watch=true&fieldSelector=metadata.name%3Dadmin`, { signal: stop.signal });
    const rules = [{ apiGroups: ['x.example.com'], resources: ['things'], verbs: ['get'] }];
    const labels = { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' };
    const role = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name: 'things', labels }, rules };
    assert.equal((await call(server, 'POST', `${rbac}/clusterroles`, { body: role })).status, 201);
    const hasThings = (rules: { resources?: string[] }[] = []) => rules.some(({ resources }) => resources?.includes('things'));
    const until = async (wanted: boolean) => {
      for (;;) {
        const event = await nextEvent(changes);
        if (event === undefined || hasThings((event.object as { rules?: [] }).rules) === wanted) return;
      }
    };
    await until(true);
    assert.ok(hasThings(await rulesOf('view')));
    await bind(server, 'view', { kind: 'User', name: 'jane' });
    await call(server, 'DELETE', `${rbac}/clusterroles/things`);
    await until(false);
    assert.ok(!hasThings(await rulesOf('edit')));
    stop.abort();
  });

  test('nobody gives away more than they have', async () => {
    await using server = await startTestServer();
    await bind(server, 'admin', { kind: 'User', name: 'jane' });
    assert.equal(await bind(server, 'edit', { kind: 'User', name: 'joe' }, jane), 201);
    assert.equal(await bind(server, 'cluster-admin', { kind: 'User', name: 'jane' }, jane), 403);
    const rules = [{ apiGroups: ['x.example.com'], resources: ['things'], verbs: ['get'] }];
    const role = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata: { name: 'r' }, rules };
    const refused = await call(server, 'POST', `${rbac}/namespaces/default/roles`, { user: jane, body: role });
    assert.match(
      failureOf(refused)[2] ?? '',
      /is attempting to grant RBAC permissions not currently held:\n\{APIGroups:\["x.example.com"\]/,
    );
  });

  test('reviews answer for oneself and for others; impersonation needs its verb', async () => {
    await using server = await startTestServer();
    const attributes = { verb: 'create', resource: 'pods', namespace: 'default' };
    const ask = async (plural: string, spec: unknown, as?: UserInfo) => {
      const body = { spec };
      const response = await call(server, 'POST', `/apis/authorization.k8s.io/v1/${plural}`, {
        body,
        ...(as === undefined ? {} : { user: as }),
      });
      return objectOf<{ status: { allowed: boolean } }>(response).status.allowed;
    };
    assert.equal(await ask('selfsubjectaccessreviews', { resourceAttributes: attributes }), true);
    assert.equal(await ask('selfsubjectaccessreviews', { resourceAttributes: attributes }, jane), false);
    assert.equal(await ask('subjectaccessreviews', { user: 'jane', resourceAttributes: attributes }), false);
    const headers = { 'impersonate-user': 'jane' };
    assert.equal((await call(server, 'GET', configMaps, { headers })).status, 403);
    assert.match(failureOf(await call(server, 'GET', configMaps, { user: jane, headers }))[2] ?? '', /cannot impersonate resource "users"/);
    const who = await call(server, 'POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', { headers, body: {} });
    assert.deepEqual(objectOf<{ status: unknown }>(who).status, { userInfo: { username: 'jane', groups: ['system:authenticated'] } });
  });
});

describe('authentication', () => {
  test('anonymous callers see health and version alone', async () => {
    await using server = await startTestServer();
    for (const path of ['/livez', '/readyz', '/healthz', '/version', '/version/']) assert.equal((await wire(server, path)).status, 200);
    assert.equal((await wire(server, '/version/more')).status, 404);
    for (const path of ['/api', '/apis', '/api/v1/pods', '/openapi/v3']) assert.equal((await wire(server, path)).status, 403, path);
  });

  test('a certificate gives name and groups', async () => {
    await using server = await startTestServer();
    const certificate = { commonName: 'root', organizations: ['system:masters'] };
    assert.equal((await wire(server, '/api/v1/secrets', { certificate })).status, 200);
    assert.equal((await wire(server, '/api/v1/secrets', { certificate: { commonName: 'jane', organizations: [] } })).status, 403);
  });

  test('a bound token lives as long as its account and pod do', async () => {
    await using server = await startTestServer();
    const accounts = '/api/v1/namespaces/default/serviceaccounts';
    const pod = { metadata: { name: 'p' }, spec: { containers: [{ name: 'c', image: 'i' }] } };
    const { metadata } = objectOf(await call(server, 'POST', '/api/v1/namespaces/default/pods', { body: pod }));
    const boundObjectRef = { apiVersion: 'v1', kind: 'Pod', name: 'p', uid: metadata.uid };
    const issue = async (spec: unknown) =>
      objectOf<{ status: { token: string } }>(await call(server, 'POST', `${accounts}/default/token`, { body: { spec } })).status.token;
    const token = await issue({ boundObjectRef });
    assert.equal((await wire(server, '/api', {}, token)).status, 200);
    assert.match(
      failureOf(await wire(server, '/api/v1/secrets', {}, token))[2] ?? '',
      /User "system:serviceaccount:default:default" cannot list/,
    );
    assert.equal((await wire(server, '/api', {}, `${token.slice(0, -4)}AAAA`)).status, 401);
    assert.equal((await wire(server, '/api', {}, await issue({ audiences: ['vault'] }))).status, 401);
    await call(server, 'DELETE', '/api/v1/namespaces/default/pods/p?gracePeriodSeconds=0');
    assert.equal((await wire(server, '/api', {}, token)).status, 401);
    const lasting = await issue({});
    await call(server, 'DELETE', `${accounts}/default`);
    assert.equal((await wire(server, '/api', {}, lasting)).status, 401);
    assert.equal((await call(server, 'POST', `${accounts}/none/token`, { body: { spec: {} } })).status, 404);
  });

  test('requests beyond the limit are told to come again', async () => {
    await using server = await startTestServer({ limits: { reads: 0, writes: 0 } });
    const response = await call(server, 'GET', '/api', { user: jane });
    assert.deepEqual([response.status, response.headers['retry-after']], [429, '1']);
  });
});
