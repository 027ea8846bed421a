import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { defineBuiltin, dropUnset, kindSchema } from '#apis/meta/builtin.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import { refine } from '#apis/meta/test-kit.ts';
import { enumeration, int32, list, map, object, protobufEmbedded, protobufFields, required, string } from '#apis/schema.ts';

const inner = object('x.Inner', { mode: enumeration(['A', 'B'], { default: 'A' }), kind: enumeration(['', 'C']), text: string() });
const schema = kindSchema('x.Thing', {
  spec: [2, object('x.Spec', { name: [1, required(string())], one: [[2, 1], inner], many: [3, list(inner)], labels: [4, map(string())] })],
  status: [3, object('x.Status', { count: int32() })],
});

describe('built-in kinds', () => {
  it('take null for absent, and an empty string for absent where a default or an enumeration stands', () => {
    const value = {
      spec: { one: { mode: '', kind: '', text: '' }, many: [{ mode: '' }, { mode: 'B', text: null }], labels: { a: '' } },
      status: null,
    };
    dropUnset(value, schema);
    assert.deepEqual(value, { spec: { one: { mode: 'A', kind: '', text: '' }, many: [{ mode: 'A' }, { mode: 'B' }], labels: { a: '' } } });
  });

  it('leave values of a wrong type alone', () => {
    const value = { spec: 'text', status: [1] };
    dropUnset(value, schema);
    assert.deepEqual(value, { spec: 'text', status: [1] });
  });

  it('always have a spec', () => {
    assert.deepEqual(schema.properties?.['spec']?.default, {});
    assert.deepEqual(Object.keys(schema.properties ?? {}), ['apiVersion', 'kind', 'metadata', 'spec', 'status']);
  });

  it('know where protobuf keeps their fields', () => {
    const spec = schema.properties?.['spec'];
    assert.deepEqual(schema[protobufFields], { metadata: 1, spec: 2, status: 3 });
    assert.deepEqual(spec?.[protobufFields], { name: 1, many: 3, labels: 4 });
    assert.deepEqual(spec?.[protobufEmbedded], { one: [2, 1] });
  });

  const definition = defineBuiltin<KubeObject & { spec: { name: string }; touched?: boolean }>({
    group: 'x',
    kind: 'Thing',
    plural: 'things',
    versions: [{ name: 'v1', schema, served: true }],
    default(thing) {
      thing.touched = thing.spec.name.length > 0;
    },
    validate: () => [{ type: 'FieldValueRequired', field: 'spec', message: 'Required value' }],
  });

  it('give defaults only to objects that have what the schema requires', () => {
    assert.equal(refine(definition, { metadata: {}, spec: {} }).object['touched'], undefined);
    assert.equal(refine(definition, { metadata: {}, spec: { name: 'a' } }).object['touched'], true);
  });

  it('are not validated when only their status changes', () => {
    assert.deepEqual(refine(definition, { metadata: {}, spec: { name: 'a' } }, { subresource: 'status' }).errors, []);
    assert.deepEqual(refine(definition, { metadata: {}, spec: { name: 'a' } }).errors, ['spec: Required value']);
  });
});
