import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { builtinKinds } from '#apis/registry.ts';
import type { Schema } from '#apis/schema.ts';
import type { ApiResponse } from '#apiserver/request.ts';
import { call, configMap, configMaps, objectOf, startTestServer } from '#apiserver/testing/server.ts';

const plurals = builtinKinds.map(
  ({ group, plural, versions }) => `${group === '' ? '/api' : `/apis/${group}`}/${versions[0]?.name}/%s${plural}`,
);
const segment = fc.oneof(
  fc.constantFrom('a', 'default', '..', '%2e', '%zz', '', 'A B', 'x:y'),
  fc.constantFrom(
    'status',
    'scale',
    'approval',
    'finalize',
    'binding',
    'eviction',
    'token',
    'log',
    'exec',
    'proxy',
    'ephemeralcontainers',
    'resize',
  ),
  fc.string({ maxLength: 8 }),
);
const path = fc.oneof(
  fc
    .tuple(fc.constantFrom(...plurals), fc.constantFrom('', 'namespaces/default/', 'namespaces/none/'), fc.array(segment, { maxLength: 3 }))
    .map(([template, namespace, rest]) => [template.replace('%s', namespace), ...rest].join('/')),
  fc.array(segment, { maxLength: 5 }).map((parts) => `/${parts.join('/')}`),
  fc.constantFrom('/', '/api', '/apis', '/openapi/v2', '/openapi/v3', '/version', '/livez', '/apis/apps', '/metrics'),
);
const queryName = fc.constantFrom(
  'labelSelector',
  'fieldSelector',
  'limit',
  'continue',
  'resourceVersion',
  'dryRun',
  'fieldValidation',
  'fieldManager',
  'force',
  'propagationPolicy',
  'timeoutSeconds',
  'resourceVersionMatch',
  'sendInitialEvents',
  'allowWatchBookmarks',
  'gracePeriodSeconds',
  'orphanDependents',
  'x',
);
const query = fc
  .array(
    fc.tuple(
      queryName,
      fc.oneof(fc.string({ maxLength: 12 }), fc.constantFrom('1', '0', 'All', 'Strict', 'a=b', 'true', '99999999999999999')),
    ),
    { maxLength: 3 },
  )
  .map((pairs) => String(new URLSearchParams(pairs)));
const contentType = fc.constantFrom(
  'application/json',
  'application/yaml',
  'application/vnd.kubernetes.protobuf',
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
  'text/plain',
);
const odd = fc.oneof({ depthSize: 'small' }, fc.jsonValue({ maxDepth: 4 }), fc.constantFrom('a', 0, -1, 1e21, null, true));
/** Objects that look like something: real field names with values of any type. */
const almost = fc.record(
  {
    apiVersion: fc.oneof(fc.constantFrom('v1', 'apps/v1'), odd),
    kind: fc.oneof(fc.constantFrom('Pod', 'ConfigMap', 'Service', 'Deployment', 'Namespace', 'Scale'), odd),
    metadata: fc.oneof(
      fc.record(
        { name: fc.oneof(fc.constant('a'), odd), labels: odd, finalizers: odd, ownerReferences: odd, managedFields: odd },
        { requiredKeys: [] },
      ),
      odd,
    ),
    spec: fc.oneof(
      fc.record(
        { replicas: odd, template: odd, selector: odd, ports: odd, containers: odd, finalizers: odd, type: odd },
        { requiredKeys: [] },
      ),
      odd,
    ),
    status: odd,
    data: odd,
    rules: odd,
    subjects: odd,
    roleRef: odd,
  },
  { requiredKeys: [] },
);
const patch = fc.array(
  fc.record(
    {
      op: fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test', 'x'),
      path: fc.constantFrom('', '/', '/metadata', '/metadata/name', '/data/a', '/a~2', '/kind'),
      value: odd,
      from: fc.constant('/metadata'),
    },
    { requiredKeys: ['op', 'path'] },
  ),
  { maxLength: 3 },
);
const body = fc.oneof(
  fc.string({ maxLength: 40 }),
  almost.map((value) => JSON.stringify(value)),
  patch.map((value) => JSON.stringify(value)),
  fc.constant('['.repeat(5000)),
  fc.constant('{"a":'.repeat(5000)),
  fc.uint8Array({ maxLength: 60 }).map((bytes) => Uint8Array.from([...Buffer.from('k8s\0'), ...bytes])),
);

/** Values after a schema: mostly of the right type, now and then anything. */
function after(schema: Schema, depth: number): fc.Arbitrary<unknown> {
  const right = (): fc.Arbitrary<unknown> => {
    if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
    if (schema.properties !== undefined && depth > 0)
      return fc.record(
        Object.fromEntries(Object.entries(schema.properties).map(([name, property]) => [name, after(property, depth - 1)])),
        { requiredKeys: [] },
      );
    if (schema.type === 'array' && schema.items !== undefined && depth > 0)
      return fc.array(after(schema.items, depth - 1), { maxLength: 2 });
    if (schema.type === 'object') return fc.dictionary(fc.constantFrom('a', 'b/c', ''), fc.constantFrom('x', '', 'A_'), { maxKeys: 2 });
    if (schema.type === 'integer') return fc.constantFrom(0, 1, -1, 80, 70_000);
    if (schema.type === 'boolean') return fc.boolean();
    return fc.constantFrom('', 'a', '1', 'A/b', '10.0.0.1', 'x.example.com/y', '50%');
  };
  return fc.oneof({ arbitrary: right(), weight: 12 }, { arbitrary: odd, weight: 1 });
}

const creatable = builtinKinds.filter(({ verbs }) => verbs === undefined || verbs.includes('create'));
const collections = creatable.map((definition) => {
  const { group, plural, namespaced, kind } = definition;
  const [version] = definition.versions;
  const root = group === '' ? '/api' : `/apis/${group}`;
  const collection = `${root}/${version?.name ?? ''}/${namespaced ? 'namespaces/default/' : ''}${plural}`;
  const { apiVersion: _apiVersion, kind: _kind, metadata: _metadata, ...properties } = version?.schema.properties ?? {};
  const apiVersion = group === '' ? 'v1' : `${group}/${version?.name ?? ''}`;
  return { collection, apiVersion, kind, content: after({ properties }, 6) };
});

/** Whatever was asked: a success, or a Status that says what was wrong with the request. */
function isProper(response: ApiResponse, what: string): void {
  if (response.status < 400) return;
  const status = objectOf<{ kind: string; status: string; code: number; message: string }>(response);
  assert.equal(status.kind, 'Status', what);
  assert.equal(status.status, 'Failure', what);
  assert.equal(status.code, response.status, what);
  assert.ok(response.status < 500, `${what}: ${status.message}`);
  assert.notEqual(status.message, '', what);
}

describe('random requests over every route', () => {
  test('each gets a proper answer and the server stays up', async () => {
    await using server = await startTestServer();
    await call(server, 'POST', configMaps, { body: configMap('a') });
    const method = fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS');
    await fc.assert(
      fc.asyncProperty(method, path, query, contentType, body, async (verb, target, search, type, text) => {
        const reading = verb === 'GET' || verb === 'HEAD';
        const headers = { 'content-type': type };
        const response = await call(server, verb, `${target.replaceAll('?', '')}?${search}`, {
          headers,
          ...(reading ? {} : { body: text }),
        });
        isProper(response, `${verb} ${target}?${search} ${type} ${String(text.slice(0, 300))}`);
      }),
      { numRuns: 3000 },
    );
    assert.equal((await call(server, 'GET', '/readyz')).status, 200);
  });

  test('objects of every kind, right but for something, are taken or refused with a reason', async () => {
    await using server = await startTestServer();
    for (const { collection, apiVersion, kind, content } of collections) {
      await fc.assert(
        fc.asyncProperty(content, content, async (first, second) => {
          const made = await call(server, 'POST', collection, {
            body: { ...(first as object), apiVersion, kind, metadata: { generateName: 'a-' } },
          });
          isProper(made, `POST ${collection} ${JSON.stringify(first)}`);
          if (made.status !== 201 || made.body.kind !== 'object') return;
          const { name } = objectOf(made).metadata;
          if (name === undefined) return;
          const headers = { 'content-type': 'application/merge-patch+json' };
          isProper(
            await call(server, 'PATCH', `${collection}/${name}`, { headers, body: second }),
            `PATCH ${collection} ${JSON.stringify([first, second])}`,
          );
          isProper(await call(server, 'DELETE', `${collection}/${name}?gracePeriodSeconds=0`), `DELETE ${collection}`);
        }),
        { numRuns: 40 },
      );
    }
  });
});
