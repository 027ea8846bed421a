import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KubeObject } from '#apis/meta/object.ts';
import type { Status } from '#apis/meta/status.ts';
import { call, configMap, configMaps, failureOf, objectOf, startTestServer } from '#apiserver/testing/server.ts';
import { MemoryStorage } from '#storage/memory-storage.ts';

const json = { 'content-type': 'application/json' };
const patchOf = (type: string) => ({ 'content-type': `application/${type}` });

describe('create, update and patch', () => {
  test('a created object has what the server alone decides, and reads back the same', async () => {
    await using server = await startTestServer();
    const response = await call(server, 'POST', configMaps, { body: configMap('a', { k: 'v' }), headers: { 'user-agent': 'me/1.0' } });
    const { metadata } = objectOf(response);
    assert.equal(response.status, 201);
    assert.match(metadata.uid ?? '', /^[0-9a-f-]{36}$/);
    assert.match(metadata.resourceVersion ?? '', /^\d+$/);
    assert.equal(metadata.namespace, 'default');
    assert.deepEqual(metadata.managedFields?.[0]?.manager, 'me');
    assert.deepEqual(objectOf(await call(server, 'GET', `${configMaps}/a`)), objectOf(response));
  });

  test('what is refused says so in Kubernetes words', async () => {
    await using server = await startTestServer();
    const post = async (body: unknown, target = configMaps) => failureOf(await call(server, 'POST', target, { body, headers: json }));
    await call(server, 'POST', configMaps, { body: configMap('a') });
    assert.deepEqual(await post(configMap('a')), [409, 'AlreadyExists', 'configmaps "a" already exists']);
    assert.deepEqual(await post(configMap('a'), '/api/v1/namespaces/none/configmaps'), [404, 'NotFound', 'namespaces "none" not found']);
    assert.match(
      (await post(configMap('A_')))[2] ?? '',
      /^ConfigMap "A_" is invalid: metadata.name: Invalid value: "A_": a lowercase RFC 1123/,
    );
    assert.match((await post('{"a":'))[2] ?? '', /^the object provided is unrecognized \(must be of type ConfigMap\)/);
    assert.deepEqual(await post({ ...configMap('b'), kind: 'Secret' }), [
      400,
      'BadRequest',
      'the kind in the data (Secret) does not match the expected kind (ConfigMap)',
    ]);
    assert.equal((await post({ ...configMap('b'), data: { a: 5 } }))[0], 400);
    assert.deepEqual(await post(configMap('b', {}, { namespace: 'other' })), [
      400,
      'BadRequest',
      'the namespace of the provided object does not match the namespace sent on the request',
    ]);
  });

  test('a value that is not supported, or a second of one name, hides nothing else that is wrong', async () => {
    await using server = await startTestServer();
    const containers = [
      { name: 'a', image: 'b', ports: [{ containerPort: 70_000 }] },
      { name: 'a', image: '' },
    ];
    const body = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec: { restartPolicy: 'Sometimes', containers } };
    const response = await call(server, 'POST', '/api/v1/namespaces/default/pods', { body });
    const causes =
      response.body.kind === 'object'
        ? (response.body.object as { details: { causes: { field: string; message: string }[] } }).details.causes
        : [];
    assert.deepEqual(causes.map(({ field, message }) => `${field}: ${message}`).toSorted(), [
      'spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive',
      'spec.containers[1].image: Required value',
      'spec.containers[1].name: Duplicate value: "a"',
      'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"',
    ]);
  });

  test('what is not served is a 404 with details, empty as they are', async () => {
    await using server = await startTestServer();
    await call(server, 'POST', configMaps, { body: configMap('a') });
    for (const path of ['/apis/none.example.com/v1/things', '/nowhere', `${configMaps}/a/nothing`]) {
      const { status, body } = await call(server, 'GET', path);
      const details = body.kind === 'object' ? (body.object as { details?: unknown }).details : undefined;
      assert.deepEqual([path, status, details], [path, 404, {}]);
    }
  });

  test('unknown fields warn by default, are refused under Strict and pass under Ignore', async () => {
    await using server = await startTestServer();
    const body = { ...configMap('a'), odd: 1 };
    const warned = await call(server, 'POST', configMaps, { body });
    assert.deepEqual(warned.headers['warning'], ['299 - "unknown field \\"odd\\""']);
    assert.deepEqual(failureOf(await call(server, 'POST', `${configMaps}?fieldValidation=Strict`, { body })), [
      400,
      'BadRequest',
      'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "odd"',
    ]);
    const ignored = await call(server, 'POST', `${configMaps}?fieldValidation=Ignore`, { body: { ...body, metadata: { name: 'b' } } });
    assert.deepEqual([ignored.status, ignored.headers['warning']], [201, undefined]);
  });

  test('dryRun changes nothing', async () => {
    await using server = await startTestServer();
    assert.equal((await call(server, 'POST', `${configMaps}?dryRun=All`, { body: configMap('a') })).status, 201);
    assert.equal((await call(server, 'GET', `${configMaps}/a`)).status, 404);
    await call(server, 'POST', configMaps, { body: configMap('a') });
    await call(server, 'DELETE', `${configMaps}/a?dryRun=All`);
    assert.equal((await call(server, 'GET', `${configMaps}/a`)).status, 200);
  });

  test('generateName gives names of their own', async () => {
    await using server = await startTestServer();
    const make = async () =>
      objectOf(await call(server, 'POST', configMaps, { body: { ...configMap(''), metadata: { generateName: 'x-' } } })).metadata.name;
    const names = await Promise.all([make(), make(), make()]);
    assert.equal(new Set(names).size, 3);
    for (const name of names) assert.match(name ?? '', /^x-[a-z0-9]{5}$/);
  });

  test('an update with an old resourceVersion conflicts; one that changes nothing writes nothing', async () => {
    await using server = await startTestServer();
    const first = objectOf(await call(server, 'POST', configMaps, { body: configMap('a', { k: '1' }) }));
    const second = objectOf(await call(server, 'PUT', `${configMaps}/a`, { body: { ...first, data: { k: '2' } } }));
    assert.notEqual(second.metadata.resourceVersion, first.metadata.resourceVersion);
    assert.deepEqual(failureOf(await call(server, 'PUT', `${configMaps}/a`, { body: { ...first, data: { k: '3' } } })), [
      409,
      'Conflict',
      'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again',
    ]);
    const same = objectOf(await call(server, 'PUT', `${configMaps}/a`, { body: second }));
    assert.equal(same.metadata.resourceVersion, second.metadata.resourceVersion);
  });

  test('every kind of patch, and many at once', async () => {
    await using server = await startTestServer();
    await call(server, 'POST', configMaps, { body: configMap('a', { k: '1' }) });
    const patch = async (type: string, body: unknown, query = '') =>
      objectOf<{ data: unknown }>(await call(server, 'PATCH', `${configMaps}/a${query}`, { body, headers: patchOf(type) })).data;
    assert.deepEqual(await patch('json-patch+json', [{ op: 'add', path: '/data/j', value: '2' }]), { k: '1', j: '2' });
    assert.deepEqual(await patch('merge-patch+json', { data: { j: null, m: '3' } }), { k: '1', m: '3' });
    assert.deepEqual(await patch('strategic-merge-patch+json', { data: { s: '4' } }), { k: '1', m: '3', s: '4' });
    await Promise.all(Array.from({ length: 8 }, (_, at) => patch('merge-patch+json', { data: { [`p${at}`]: 'x' } })));
    const { data } = objectOf<{ data: Record<string, string> }>(await call(server, 'GET', `${configMaps}/a`));
    assert.equal(Object.keys(data).length, 11);
    const wrong = await call(server, 'PATCH', `${configMaps}/a`, { body: {}, headers: json });
    assert.equal(failureOf(wrong)[0], 415);
  });

  test('apply creates, owns fields, conflicts and forces', async () => {
    await using server = await startTestServer();
    const apply = (manager: string, value: string, force = '') =>
      call(server, 'PATCH', `${configMaps}/a?fieldManager=${manager}${force}`, {
        body: `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: "${value}"}\n`,
        headers: patchOf('apply-patch+yaml'),
      });
    assert.equal((await apply('one', '1')).status, 201);
    assert.deepEqual(failureOf(await apply('two', '2')).slice(0, 2), [409, 'Conflict']);
    assert.deepEqual(objectOf<{ data: unknown }>(await apply('two', '2', '&force=true')).data, { k: '2' });
    const missing = await call(server, 'PATCH', `${configMaps}/a`, { body: '{}', headers: patchOf('apply-patch+yaml') });
    assert.match(failureOf(missing)[2] ?? '', /fieldManager: Required value: is required for apply patch/);
  });

  test('managed fields of Kubernetes kinds leave out structs that are always there, as kube-apiserver 1.35 does', async () => {
    await using server = await startTestServer();
    const deployments = '/apis/apps/v1/namespaces/default/deployments';
    const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'x', image: 'x' }] } };
    const spec = { replicas: 0, selector: { matchLabels: { a: 'b' } }, template };
    const body = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'd' }, spec };
    const fields = ({ metadata }: KubeObject, by: string) => metadata.managedFields?.find(({ manager }) => manager === by)?.fieldsV1;
    const container = Object.fromEntries(
      ['.', 'f:name', 'f:image', 'f:imagePullPolicy', 'f:resources', 'f:terminationMessagePath', 'f:terminationMessagePolicy'].map(
        (one) => [one, {}],
      ),
    );
    const rolling = { '.': {}, 'f:maxSurge': {}, 'f:maxUnavailable': {} };
    const pod = ['f:dnsPolicy', 'f:restartPolicy', 'f:schedulerName', 'f:securityContext', 'f:terminationGracePeriodSeconds'];
    const own = ['f:progressDeadlineSeconds', 'f:replicas', 'f:revisionHistoryLimit', 'f:selector'];
    assert.deepEqual(
      fields(objectOf(await call(server, 'POST', `${deployments}?fieldManager=creator`, { body, headers: json })), 'creator'),
      {
        'f:spec': {
          ...Object.fromEntries(own.map((one) => [one, {}])),
          'f:strategy': { 'f:rollingUpdate': rolling, 'f:type': {} },
          'f:template': {
            'f:metadata': { 'f:labels': { '.': {}, 'f:a': {} } },
            'f:spec': { ...Object.fromEntries(pod.map((one) => [one, {}])), 'f:containers': { 'k:{"name":"x"}': container } },
          },
        },
      },
    );
    const change = async (path: string, patch: object, manager: string) =>
      objectOf(
        await call(server, 'PATCH', `${deployments}/d${path}?fieldManager=${manager}`, {
          body: patch,
          headers: patchOf('merge-patch+json'),
        }),
      );
    const labelled = await change('', { metadata: { labels: { x: 'y' } } }, 'labels');
    assert.deepEqual(fields(labelled, 'labels'), { 'f:metadata': { 'f:labels': { '.': {}, 'f:x': {} } } });
    const reported = await change('/status', { status: { observedGeneration: 1 } }, 'status');
    assert.deepEqual(fields(reported, 'status'), { 'f:status': { 'f:observedGeneration': {} } });
  });

  test('a patch whose result does not decode is answered with 422 and what was made of it', async () => {
    await using server = await startTestServer();
    await call(server, 'POST', configMaps, { body: configMap('a', { x: '1' }) });
    const answer = async (type: string, body: unknown) =>
      objectOf<Status>(await call(server, 'PATCH', `${configMaps}/a`, { body: JSON.stringify(body), headers: patchOf(type) }));
    const merge = await answer('merge-patch+json', { data: { x: 5, y: '<' } });
    assert.deepEqual(
      [merge.code, merge.reason, merge.details?.name, merge.details?.causes?.[0]?.field],
      [422, 'Invalid', undefined, 'patch'],
    );
    assert.match(
      merge.message ?? '',
      /^ "" is invalid: patch: Invalid value: "\{.*\\"x\\":5,\\"y\\":\\"\\\\u003c\\".*\}": json: cannot unmarshal/,
    );
    assert.match(
      (await answer('json-patch+json', [{ op: 'replace', path: '/metadata', value: 'x' }])).message ?? '',
      /json: cannot unmarshal string into Go struct field ConfigMap\.metadata of type v1\.ObjectMeta$/,
    );
    for (const [patch, shown, detail] of [
      [{ data: { x: 5 } }, 'map[data:map[x:5]]', 'cannot convert int64 to string'],
      [{ data: { x: [1, 'a'], b: '<' } }, 'map[data:map[b:< x:[1 a]]]', 'unrecognized type: string'],
      [{ data: 'x' }, 'map[data:x]', 'cannot restore map from string'],
      [{ metadata: 'x' }, 'map[metadata:x]', 'cannot restore struct from: string'],
      [{ immutable: 'x' }, 'map[immutable:x]', 'unrecognized type: bool'],
    ] as const)
      assert.equal(
        (await answer('strategic-merge-patch+json', patch)).message,
        ` "" is invalid: patch: Invalid value: "${shown}": ${detail}`,
      );
    assert.equal((await answer('strategic-merge-patch+json', { kind: 'Secret', apiVersion: 'v2' })).kind, 'ConfigMap');
    assert.equal((await answer('json-patch+json', [{ op: 'replace', path: '', value: 'x' }])).code, 422);
    assert.match((await answer('strategic-merge-patch+json', [])).message ?? '', /^json: cannot unmarshal array into Go value of type map/);
  });

  test('quantities are stored in canonical form; one stored in another form is no change of the spec', async () => {
    const deployments = '/apis/apps/v1/namespaces/default/deployments';
    const container = { name: 'c', image: 'i', resources: { limits: { cpu: '0.1', memory: '1024Mi' } } };
    const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [container] } };
    const body = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'd' },
      spec: { selector: { matchLabels: { a: 'b' } }, template },
    };
    const canonical = '{"cpu":"100m","memory":"1Gi"}';
    const written = new MemoryStorage();
    {
      await using server = await startTestServer({ storage: written });
      assert.ok(JSON.stringify(objectOf(await call(server, 'POST', deployments, { body, headers: json }))).includes(canonical));
    }
    const storage = new MemoryStorage();
    for (const { key, value } of (await written.list('')).entries)
      await storage.write({ key, value: value.replace(canonical, '{"cpu":"0.1","memory":"1024Mi"}'), expected: 0 });
    await using server = await startTestServer({ storage });
    const stored = objectOf(await call(server, 'GET', `${deployments}/d`));
    assert.ok(!JSON.stringify(stored).includes(canonical));
    const updated = objectOf(await call(server, 'PUT', `${deployments}/d`, { body: stored, headers: json }));
    assert.ok(JSON.stringify(updated).includes(canonical));
    assert.equal(updated.metadata.generation, 1);
  });

  test('status changes through its subresource alone, and generation counts the rest', async () => {
    await using server = await startTestServer();
    const deployments = '/apis/apps/v1/namespaces/default/deployments';
    const body = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'd' },
      spec: {
        selector: { matchLabels: { a: 'b' } },
        template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
      },
      status: { replicas: 7 },
    };
    type Deployment = { metadata: { generation: number }; spec: { replicas: number }; status: { replicas?: number } };
    const created = objectOf<Deployment>(await call(server, 'POST', deployments, { body }));
    assert.deepEqual([created.metadata.generation, created.status?.replicas], [1, undefined]);
    const patch = patchOf('merge-patch+json');
    const status = { spec: { replicas: 9 }, status: { replicas: 3 } };
    const reported = objectOf<Deployment>(await call(server, 'PATCH', `${deployments}/d/status`, { body: status, headers: patch }));
    assert.deepEqual([reported.metadata.generation, reported.spec.replicas, reported.status.replicas], [1, 1, 3]);
    const scaled = objectOf<{ kind: string; spec: unknown; status: unknown }>(
      await call(server, 'PATCH', `${deployments}/d/scale`, { body: { spec: { replicas: 4 } }, headers: patch }),
    );
    assert.deepEqual([scaled.kind, scaled.spec, scaled.status], ['Scale', { replicas: 4 }, { replicas: 3, selector: 'a=b' }]);
    assert.equal(objectOf<Deployment>(await call(server, 'GET', `${deployments}/d`)).metadata.generation, 2);
  });
});
