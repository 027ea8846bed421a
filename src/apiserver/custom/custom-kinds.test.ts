import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ApiServer } from '#apiserver/request.ts';
import { call, failureOf, nextEvent, objectOf, startTestServer, watchOf } from '#apiserver/testing/server.ts';

const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const things = '/apis/example.com/v1/namespaces/default/things';
const merge = { 'content-type': 'application/merge-patch+json' };

const specSchema = {
  type: 'object',
  required: ['size'],
  properties: {
    size: { type: 'integer', minimum: 1, maximum: 9 },
    colour: { type: 'string', default: 'red' },
    tags: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
  },
  'x-kubernetes-validations': [{ rule: 'self.size < 5 || self.colour != "red"', message: 'big ones are not red' }],
};
const definition = (spec: object = specSchema, extra: object = {}) => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'things.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { plural: 'things', kind: 'Thing', shortNames: ['th'] },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {} },
        selectableFields: [{ jsonPath: '.spec.colour' }],
        additionalPrinterColumns: [{ name: 'Size', type: 'integer', jsonPath: '.spec.size' }],
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: { spec, status: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
          },
        },
        ...extra,
      },
    ],
  },
});
const thing = (name: string, spec: object) => ({ apiVersion: 'example.com/v1', kind: 'Thing', metadata: { name }, spec });
const define = (server: ApiServer, body: unknown = definition()) => call(server, 'POST', definitions, { body });

describe('custom kinds', () => {
  test('are served as soon as their definition is there: defaults, pruning, validation, rules', async () => {
    await using server = await startTestServer();
    const { status } = objectOf<{ status: { conditions: { type: string; status: string }[] } }>(await define(server));
    assert.deepEqual(
      status.conditions.map((one) => `${one.type}=${one.status}`),
      ['NamesAccepted=True', 'Established=True'],
    );
    const created = await call(server, 'POST', things, { body: thing('a', { size: 3, odd: true }) });
    assert.deepEqual(objectOf<{ spec: unknown }>(created).spec, { size: 3, colour: 'red' });
    const refused = async (spec: object) => failureOf(await call(server, 'POST', things, { body: thing('b', spec) }))[2] ?? '';
    assert.match(
      await refused({ size: 10 }),
      /^Thing.example.com "b" is invalid: spec.size: Invalid value: 10: spec.size in body should be less than or equal to 9/,
    );
    assert.match(await refused({}), /spec.size: Required value/);
    assert.match(await refused({ size: 7 }), /big ones are not red/);
  });

  test('have columns, selectable fields, discovery and OpenAPI', async () => {
    await using server = await startTestServer();
    await define(server);
    await call(server, 'POST', things, { body: thing('a', { size: 1 }) });
    await call(server, 'POST', things, { body: thing('b', { size: 1, colour: 'blue' }) });
    const { items } = objectOf<{ items: { metadata: { name: string } }[] }>(
      await call(server, 'GET', `${things}?fieldSelector=spec.colour%3Dblue`),
    );
    assert.deepEqual(
      items.map(({ metadata }) => metadata.name),
      ['b'],
    );
    const table = objectOf<{ columnDefinitions: { name: string }[]; rows: { cells: unknown[] }[] }>(
      await call(server, 'GET', things, { headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' } }),
    );
    assert.deepEqual(
      [table.columnDefinitions.map(({ name }) => name), table.rows[0]?.cells],
      [
        ['Name', 'Size'],
        ['a', 1],
      ],
    );
    const { resources } = objectOf<{ resources: { name: string }[] }>(await call(server, 'GET', '/apis/example.com/v1'));
    assert.deepEqual(
      resources.map(({ name }) => name),
      ['things', 'things/status'],
    );
    const { groups } = objectOf<{ groups: { name: string }[] }>(await call(server, 'GET', '/apis'));
    assert.equal(groups.at(-1)?.name, 'example.com');
    const api = objectOf<{ components: { schemas: Record<string, unknown> } }>(
      await call(server, 'GET', '/openapi/v3/apis/example.com/v1'),
    );
    assert.ok('com.example.v1.Thing' in api.components.schemas);
  });

  test('a changed schema shows in objects that were stored before', async () => {
    await using server = await startTestServer();
    await define(server);
    await call(server, 'POST', things, { body: thing('a', { size: 1 }) });
    const wider = { ...specSchema, properties: { ...specSchema.properties, shape: { type: 'string', default: 'round' } } };
    await call(server, 'PATCH', `${definitions}/things.example.com`, { body: { spec: definition(wider).spec }, headers: merge });
    assert.deepEqual(objectOf<{ spec: unknown }>(await call(server, 'GET', `${things}/a`)).spec, {
      size: 1,
      colour: 'red',
      shape: 'round',
    });
  });

  test('a definition takes its objects along', async () => {
    await using server = await startTestServer();
    await define(server);
    await call(server, 'POST', things, { body: thing('a', { size: 1 }) });
    const events = await watchOf(server, `${definitions}?watch=1`);
    assert.equal((await nextEvent(events))?.type, 'ADDED');
    await call(server, 'DELETE', `${definitions}/things.example.com`);
    let event = await nextEvent(events);
    while (event?.type === 'MODIFIED') event = await nextEvent(events);
    assert.equal(event?.type, 'DELETED');
    assert.equal((await call(server, 'GET', things)).status, 404);
    await define(server);
    assert.deepEqual(objectOf<{ items: unknown[] }>(await call(server, 'GET', things)).items, []);
    await events.return?.(undefined);
  });

  test('schemas that are not structural, and rules that do not compile, are refused', async () => {
    await using server = await startTestServer();
    const errorsOf = async (spec: object) => failureOf(await define(server, definition(spec)))[2] ?? '';
    assert.match(await errorsOf({ properties: { a: { type: 'string' } } }), /properties\[spec\].type: Required value/);
    assert.match(
      await errorsOf({ type: 'object', properties: { a: { type: 'array' } } }),
      /properties\[a\].items: Required value: must be specified/,
    );
    assert.match(
      await errorsOf({ type: 'object', anyOf: [{ type: 'object' }] }),
      /anyOf\[0\].type: Forbidden: must be empty to be structural/,
    );
    assert.match(
      await errorsOf({ type: 'object', 'x-kubernetes-validations': [{ rule: 'self.no == 1' }] }),
      /x-kubernetes-validations\[0\].rule: Invalid value/,
    );
  });
});
