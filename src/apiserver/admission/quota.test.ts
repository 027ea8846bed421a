import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ResourceQuota } from '#apis/core/v1/resource-quota.ts';
import type { ApiServer } from '#apiserver/request.ts';
import { call, configMap, configMaps, failureOf, objectOf, startTestServer } from '#apiserver/testing/server.ts';

const pods = '/api/v1/namespaces/default/pods';
const quotas = '/api/v1/namespaces/default/resourcequotas';
const pod = (name: string, resources: object = {}, more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: { containers: [{ name: 'c', image: 'i', resources }], ...more },
});

/** A quota as its controller leaves it: with a status. */
async function makeQuota(server: ApiServer, name: string, hard: object, used: object, spec: object = {}): Promise<void> {
  await call(server, 'POST', quotas, { body: { metadata: { name }, spec: { hard, ...spec } } });
  const headers = { 'content-type': 'application/merge-patch+json' };
  const { status } = await call(server, 'PATCH', `${quotas}/${name}/status`, { headers, body: { status: { hard, used } } });
  assert.equal(status, 200);
}

async function usedOf(server: ApiServer, name: string): Promise<unknown> {
  return objectOf<ResourceQuota>(await call(server, 'GET', `${quotas}/${name}`)).status?.used;
}

describe('resource quotas', () => {
  test('take what is created, and refuse what does not fit', async () => {
    await using server = await startTestServer();
    await makeQuota(
      server,
      'q',
      { pods: '3', 'requests.cpu': '1', 'count/configmaps': '1' },
      { pods: '0', 'requests.cpu': '0', 'count/configmaps': '0' },
    );
    const half = { requests: { cpu: '600m' } };
    assert.equal((await call(server, 'POST', pods, { body: pod('a', half) })).status, 201);
    assert.deepEqual(await usedOf(server, 'q'), { 'count/configmaps': '0', pods: '1', 'requests.cpu': '600m' });
    assert.deepEqual(failureOf(await call(server, 'POST', pods, { body: pod('b', half) })), [
      403,
      'Forbidden',
      'pods "b" is forbidden: exceeded quota: q, requested: requests.cpu=600m, used: requests.cpu=600m, limited: requests.cpu=1',
    ]);
    assert.deepEqual(failureOf(await call(server, 'POST', pods, { body: pod('b') })), [
      403,
      'Forbidden',
      'pods "b" is forbidden: failed quota: q: must specify requests.cpu for: c',
    ]);
    assert.equal((await call(server, 'POST', `${configMaps}?dryRun=All`, { body: configMap('x') })).status, 201);
    assert.equal((await call(server, 'POST', configMaps, { body: configMap('x') })).status, 201);
    assert.match(
      failureOf(await call(server, 'POST', configMaps, { body: configMap('y') }))[2] ?? '',
      /exceeded quota: q, requested: count\/configmaps=1, used: count\/configmaps=1, limited: count\/configmaps=1/,
    );
  });

  test('many at once have no more than there is, and a write that fails gives back', async () => {
    await using server = await startTestServer();
    await makeQuota(server, 'q', { configmaps: '5' }, { configmaps: '0' });
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_none, index) => call(server, 'POST', configMaps, { body: configMap(`m-${index}`) })),
    );
    assert.deepEqual(
      [201, 403].map((code) => answers.filter(({ status }) => status === code).length),
      [5, 7],
    );
    assert.deepEqual(await usedOf(server, 'q'), { configmaps: '5' });
    await makeQuota(server, 'r', { services: '2' }, { services: '0' });
    const service = { metadata: { name: 's' }, spec: { ports: [{ port: 80 }] } };
    const services = '/api/v1/namespaces/default/services';
    assert.equal((await call(server, 'POST', services, { body: service })).status, 201);
    assert.equal((await call(server, 'POST', services, { body: service })).status, 409);
    assert.equal((await call(server, 'POST', services, { body: { ...service, metadata: { name: 't' } } })).status, 201);
    assert.deepEqual(await usedOf(server, 'r'), { services: '2' });
  });

  test('of scopes concern the pods in them; one not yet counted is not known', async () => {
    await using server = await startTestServer();
    await makeQuota(server, 'best', { pods: '0' }, { pods: '0' }, { scopes: ['BestEffort'] });
    assert.equal((await call(server, 'POST', pods, { body: pod('a', { requests: { cpu: '1' } }) })).status, 201);
    assert.match(
      failureOf(await call(server, 'POST', pods, { body: pod('b') }))[2] ?? '',
      /exceeded quota: best, requested: pods=1, used: pods=0, limited: pods=0/,
    );
    await makeQuota(server, 'new', { configmaps: '1' }, {});
    assert.match(
      failureOf(await call(server, 'POST', configMaps, { body: configMap('x') }))[2] ?? '',
      /status unknown for quota: new, resources: configmaps/,
    );
  });
});

describe('limit ranges', () => {
  const limitRanges = '/api/v1/namespaces/default/limitranges';

  test('give containers their defaults and say so', async () => {
    await using server = await startTestServer();
    const limits = [{ type: 'Container', default: { cpu: '1', memory: '512Mi' }, defaultRequest: { cpu: '100m' } }];
    await call(server, 'POST', limitRanges, { body: { metadata: { name: 'l' }, spec: { limits } } });
    const made = objectOf<{ metadata: { annotations?: object }; spec: { containers: { resources: object }[] } }>(
      await call(server, 'POST', pods, { body: pod('a', { limits: { memory: '1Gi' } }) }),
    );
    assert.deepEqual(made.spec.containers[0]?.resources, { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '100m', memory: '1Gi' } });
    assert.deepEqual(made.metadata.annotations, {
      'kubernetes.io/limit-ranger': 'LimitRanger plugin set: cpu request for container c; cpu limit for container c',
    });
  });

  test('refuse what is outside of them', async () => {
    await using server = await startTestServer();
    const limits = [
      { type: 'Container', min: { cpu: '100m' }, max: { cpu: '1' }, maxLimitRequestRatio: { cpu: '2' } },
      { type: 'Pod', max: { memory: '1Gi' } },
      { type: 'PersistentVolumeClaim', min: { storage: '1Gi' }, max: { storage: '2Gi' } },
    ];
    await call(server, 'POST', limitRanges, { body: { metadata: { name: 'l' }, spec: { limits } } });
    const memory = { memory: '1Gi' };
    for (const [resources, why] of [
      [
        { requests: { cpu: '50m' }, limits: { cpu: '1', ...memory } },
        'minimum cpu usage per Container is 100m, but request is 50m, cpu max limit',
      ],
      [{ requests: { cpu: '1' }, limits: { cpu: '2', ...memory } }, 'maximum cpu usage per Container is 1, but limit is 2'],
      [
        { requests: { cpu: '200m' }, limits: { cpu: '600m', ...memory } },
        'cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000',
      ],
      [{ requests: { cpu: '1' }, limits: { cpu: '1', memory: '2Gi' } }, 'maximum memory usage per Pod is 1Gi, but limit is 2Gi'],
      [{ requests: { cpu: '1' }, limits: { cpu: '1' } }, 'maximum memory usage per Pod is 1Gi.  No limit is specified'],
    ] as const) {
      const [code, , message = ''] = failureOf(await call(server, 'POST', pods, { body: pod('p', resources) }));
      assert.equal(code, 403);
      assert.ok(message.includes(why), message);
    }
    assert.equal(
      (await call(server, 'POST', pods, { body: pod('p', { requests: { cpu: '500m' }, limits: { cpu: '1', ...memory } }) })).status,
      201,
    );
    const claim = (storage: string) => ({
      metadata: { name: 'c' },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } } },
    });
    const claims = '/api/v1/namespaces/default/persistentvolumeclaims';
    assert.match(
      failureOf(await call(server, 'POST', claims, { body: claim('5Gi') }))[2] ?? '',
      /maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 5Gi/,
    );
    assert.equal((await call(server, 'POST', claims, { body: claim('2Gi') })).status, 201);
  });
});
