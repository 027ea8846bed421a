import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ApiServer } from '#apiserver/request.ts';
import { call, configMap, configMaps, failureOf, objectOf, startTestServer } from '#apiserver/testing/server.ts';

const root = '/apis/admissionregistration.k8s.io/v1';
const deployments = '/apis/apps/v1/namespaces/default/deployments';

async function post(server: ApiServer, path: string, body: object): Promise<void> {
  const response = await call(server, 'POST', path, { body });
  assert.equal(response.status, 201, JSON.stringify(objectOf(response)));
}

const policy = (spec: object) => ({ metadata: { name: 'limit' }, spec });
const binding = (spec: object) => ({
  metadata: { name: 'everywhere' },
  spec: { policyName: 'limit', validationActions: ['Deny'], ...spec },
});
const constraints = (resource: string, group = '') => ({
  resourceRules: [{ apiGroups: [group], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: [resource] }],
});
const deployment = (name: string, replicas: number) => ({
  metadata: { name },
  spec: {
    replicas,
    selector: { matchLabels: { a: 'b' } },
    template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
  },
});

describe('validating admission policies', () => {
  test('refuse where a binding applies them, in Kubernetes words', async () => {
    await using server = await startTestServer();
    await post(
      server,
      `${root}/validatingadmissionpolicies`,
      policy({
        matchConstraints: constraints('deployments', 'apps'),
        validations: [{ expression: 'object.spec.replicas <= 5' }],
      }),
    );
    await post(server, deployments, deployment('free', 9));
    await post(server, `${root}/validatingadmissionpolicybindings`, binding({}));
    await post(server, deployments, deployment('small', 5));
    assert.deepEqual(failureOf(await call(server, 'POST', deployments, { body: deployment('large', 6) })), [
      422,
      'Invalid',
      `deployments.apps "large" is forbidden: ValidatingAdmissionPolicy 'limit' with binding 'everywhere' denied request: failed expression: object.spec.replicas <= 5`,
    ]);
  });

  test('know parameters, variables, the old object and the namespace, and say what the expression says', async () => {
    await using server = await startTestServer();
    await post(server, configMaps, configMap('limits', { max: '3' }));
    await post(
      server,
      `${root}/validatingadmissionpolicies`,
      policy({
        paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
        matchConstraints: constraints('deployments', 'apps'),
        variables: [
          { name: 'max', expression: 'int(params.data.max)' },
          { name: 'before', expression: 'oldObject == null ? 0 : oldObject.spec.replicas' },
        ],
        validations: [
          {
            expression: 'object.spec.replicas <= variables.max + variables.before',
            messageExpression: '"at most " + string(variables.max) + " more in " + namespaceObject.metadata.name',
            reason: 'Forbidden',
          },
        ],
      }),
    );
    await post(
      server,
      `${root}/validatingadmissionpolicybindings`,
      binding({ paramRef: { name: 'limits', namespace: 'default', parameterNotFoundAction: 'Deny' } }),
    );
    await post(server, deployments, deployment('a', 3));
    const patch = (replicas: number) =>
      call(server, 'PATCH', `${deployments}/a`, {
        headers: { 'content-type': 'application/merge-patch+json' },
        body: { spec: { replicas } },
      });
    assert.equal((await patch(6)).status, 200);
    const [code, reason, message] = failureOf(await patch(10));
    assert.deepEqual([code, reason], [403, 'Forbidden']);
    assert.match(message ?? '', /denied request: at most 3 more in default$/);
  });

  test('warn instead where the binding says so, and hold back where a condition or selector does', async () => {
    await using server = await startTestServer();
    await post(
      server,
      `${root}/validatingadmissionpolicies`,
      policy({
        matchConstraints: constraints('configmaps'),
        matchConditions: [{ name: 'named', expression: 'request.name != "spared"' }],
        validations: [{ expression: 'has(object.data) && "owner" in object.data', message: 'an owner is needed' }],
      }),
    );
    await post(
      server,
      `${root}/validatingadmissionpolicybindings`,
      binding({
        validationActions: ['Warn'],
        matchResources: { objectSelector: { matchExpressions: [{ key: 'free', operator: 'DoesNotExist' }] } },
      }),
    );
    const warnings = async (body: object) => (await call(server, 'POST', configMaps, { body })).headers['warning'];
    assert.deepEqual(await warnings(configMap('a')), [
      `299 - "Validation failed for ValidatingAdmissionPolicy 'limit' with binding 'everywhere': an owner is needed"`,
    ]);
    assert.equal(await warnings(configMap('b', { owner: 'me' })), undefined);
    assert.equal(await warnings(configMap('spared')), undefined);
    assert.equal(await warnings(configMap('c', {}, { labels: { free: 'yes' } })), undefined);
  });

  test('an expression that fails refuses, unless failures are ignored', async () => {
    await using server = await startTestServer();
    const spec = { matchConstraints: constraints('configmaps'), validations: [{ expression: 'object.data.missing == "x"' }] };
    await post(server, `${root}/validatingadmissionpolicies`, policy(spec));
    await post(server, `${root}/validatingadmissionpolicybindings`, binding({}));
    assert.match(failureOf(await call(server, 'POST', configMaps, { body: configMap('a') }))[2] ?? '', /resulted in error: /);
    const patch = { headers: { 'content-type': 'application/merge-patch+json' }, body: { spec: { failurePolicy: 'Ignore' } } };
    assert.equal((await call(server, 'PATCH', `${root}/validatingadmissionpolicies/limit`, patch)).status, 200);
    await post(server, configMaps, configMap('a'));
  });
});
