import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { StatusError } from '#apis/meta/status.ts';
import { int32, list, listMap, listSet, map, object, string } from '#apis/schema.ts';
import { jsonEqual } from '#apis/meta/equal.ts';
import { deepClone, deepFreeze, type JsonObject, type JsonValue } from './deep.ts';
import { applyJsonPatch } from './json-patch.ts';
import { applyMergePatch, createMergePatch } from './merge-patch.ts';
import { applyStrategicMergePatch } from './strategic-merge.ts';

const json = fc.jsonValue({ maxDepth: 4 }) as fc.Arbitrary<JsonValue>;
const names = fc.constantFrom('a', 'b', 'c/d', '~');
const documents = fc.letrec<{ value: JsonValue; object: JsonObject }>((tie) => ({
  value: fc.oneof({ maxDepth: 3 }, fc.integer(), fc.string(), fc.boolean(), tie('object'), fc.array(fc.integer())),
  object: fc.dictionary(names, tie('value'), { noNullPrototype: true }),
})).object;

describe('JSON patch', () => {
  test('the operations of RFC 6902', () => {
    const document = deepFreeze({ a: { b: [1, 2] }, 'c/d': 1, '~': 2 });
    for (const [patch, expected] of [
      [[{ op: 'add', path: '/a/b/-', value: 3 }], { a: { b: [1, 2, 3] }, 'c/d': 1, '~': 2 }],
      [[{ op: 'add', path: '/a/b/0', value: 0 }], { a: { b: [0, 1, 2] }, 'c/d': 1, '~': 2 }],
      [
        [
          { op: 'remove', path: '/c~1d' },
          { op: 'remove', path: '/~0' },
        ],
        { a: { b: [1, 2] } },
      ],
      [[{ op: 'replace', path: '/a/b', value: null }], { a: { b: null }, 'c/d': 1, '~': 2 }],
      [[{ op: 'move', from: '/a/b', path: '/x' }], { a: {}, x: [1, 2], 'c/d': 1, '~': 2 }],
      [[{ op: 'copy', from: '/a/b/1', path: '/a/b/0' }], { a: { b: [2, 1, 2] }, 'c/d': 1, '~': 2 }],
      [[{ op: 'test', path: '/a', value: { b: [1, 2] } }], document],
      [[{ op: 'test', path: '/nope', value: null }], document],
      [[{ op: 'replace', path: '', value: 1 }], 1],
    ] as const)
      assert.deepEqual(applyJsonPatch(document as unknown as JsonValue, patch), expected);
  });

  test('what does not apply is refused: 422, malformed 400, too many 413', () => {
    const codeOf = (patch: unknown): number | undefined => {
      try {
        applyJsonPatch({ a: [1] }, patch);
      } catch (error) {
        return (error as StatusError).code;
      }
      return undefined;
    };
    for (const operation of [
      { op: 'test', path: '/a', value: 2 },
      { op: 'remove', path: '/b' },
      { op: 'replace', path: '/b', value: 1 },
      { op: 'add', path: '/b/c', value: 1 },
      { op: 'add', path: '/a/5', value: 1 },
      { op: 'add', path: '/a/01', value: 1 },
      { op: 'move', from: '/a', path: '/a/0' },
      { op: 'jump', path: '/a' },
      { op: 'remove', path: 'a' },
      { op: 'replace', path: '/toString', value: 1 },
    ])
      assert.equal(codeOf([operation]), 422, JSON.stringify(operation));
    for (const patch of [{}, null, 'x', [1], [{ op: 'add', path: '/b' }], [{ path: '/b' }]])
      assert.equal(codeOf(patch), 400, JSON.stringify(patch));
    assert.equal(codeOf(Array.from({ length: 10_001 }, () => ({ op: 'test', path: '/a', value: [1] }))), 413);
    const doubling = Array.from({ length: 40 }, (_, index) => ({ op: 'copy', from: '', path: `/x${index}` }));
    assert.equal(codeOf([{ op: 'add', path: '/big', value: 'x'.repeat(1000) }, ...doubling]), 413);
    assert.throws(() => applyJsonPatch({ a: 1 }, [{ op: 'test', path: '/a', value: 2 }]), {
      message: 'the server rejected our request due to an error in our request',
      cause: new Error('testing value /a failed: test failed'),
    });
  });

  test('a path into __proto__ touches no prototype', () => {
    applyJsonPatch({}, [{ op: 'add', path: '/__proto__', value: { polluted: 1 } }]);
    assert.throws(() => applyJsonPatch({}, [{ op: 'add', path: '/__proto__/polluted', value: 1 }]), StatusError);
    assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
  });

  test('adding then removing gives the document back, and nothing given changes', () => {
    fc.assert(
      fc.property(documents, names, json, (document, name, value) => {
        const before = JSON.stringify(document);
        const path = `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}x`;
        const patch = [
          { op: 'add', path, value },
          { op: 'test', path, value },
          { op: 'remove', path },
        ];
        assert.ok(jsonEqual(applyJsonPatch(deepFreeze(document), patch), document));
        assert.equal(JSON.stringify(document), before);
      }),
    );
  });
});

describe('JSON merge patch', () => {
  test('the examples of RFC 7386', () => {
    for (const [document, patch, expected] of [
      [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
      [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
      [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
      [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
      [{ a: 'foo' }, null, null],
      [{ e: null }, { a: 1 }, { e: null, a: 1 }],
      [[1, 2], { a: 'b', c: null }, { a: 'b' }],
      [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
    ] as const)
      assert.deepEqual(applyMergePatch(document as unknown as JsonValue, patch as unknown as JsonValue), expected);
  });

  test('the patch from one document to another makes the one of the other', () => {
    fc.assert(
      fc.property(documents, documents, (from, to) => {
        const patch = createMergePatch(deepFreeze(from), to);
        assert.ok(jsonEqual(patch === undefined ? from : applyMergePatch(from, patch), to));
      }),
    );
  });
});

const port = object('Port', { containerPort: int32(), protocol: string(), name: string() });
const container = object('Container', {
  name: string(),
  image: string(),
  ports: listMap(port, ['containerPort', 'protocol']),
  args: list(string()),
});
const schema = object('Thing', {
  containers: listMap(container, ['name']),
  finalizers: listSet(string(), { 'x-kubernetes-patch-strategy': 'merge' }),
  strategy: object(
    'Strategy',
    { type: string(), rolling: object('Rolling', { max: int32() }) },
    { 'x-kubernetes-patch-strategy': 'retainKeys' },
  ),
  labels: map(string()),
});
const merge = (document: JsonObject, patch: JsonObject): JsonObject =>
  applyStrategicMergePatch(deepFreeze(document), deepFreeze(patch), schema);
const containers = (...list: string[]): JsonObject => ({ containers: list.map((name) => ({ name, image: name })) });
const order = (result: JsonObject): unknown[] => (result['containers'] as { name: string }[]).map((one) => one.name);

describe('strategic merge patch', () => {
  test('lists merge by key; atomic lists are replaced', () => {
    const document = {
      containers: [
        { name: 'a', image: 'x', args: ['1'] },
        { name: 'b', image: 'y' },
      ],
    };
    assert.deepEqual(merge(document, { containers: [{ name: 'a', image: 'z', args: ['2'] }] }), {
      containers: [
        { name: 'a', image: 'z', args: ['2'] },
        { name: 'b', image: 'y' },
      ],
    });
  });

  test('directives: delete, replace, retainKeys, deleteFromPrimitiveList', () => {
    assert.deepEqual(order(merge(containers('a', 'b'), { containers: [{ $patch: 'delete', name: 'a' }] })), ['b']);
    assert.deepEqual(order(merge(containers('a', 'b'), { containers: [{ $patch: 'replace' }, { name: 'c' }] })), ['c']);
    assert.deepEqual(merge({ labels: { a: '1' } }, { labels: { $patch: 'replace', b: '2' } }), { labels: { b: '2' } });
    assert.deepEqual(merge({ labels: { a: '1' } }, { labels: { $patch: 'delete' } }), { labels: {} });
    assert.deepEqual(
      merge({ strategy: { type: 'Rolling', rolling: { max: 1 } } }, { strategy: { $retainKeys: ['type'], type: 'Recreate' } }),
      {
        strategy: { type: 'Recreate' },
      },
    );
    assert.deepEqual(merge({ finalizers: ['a', 'b'] }, { '$deleteFromPrimitiveList/finalizers': ['a'], finalizers: ['c'] }), {
      finalizers: ['c', 'b'],
    });
    assert.deepEqual(merge({}, { labels: { a: null, b: '1' }, containers: [{ name: 'a', image: null }] }), {
      labels: { b: '1' },
      containers: [{ name: 'a' }],
    });
  });

  test('the order is the one kubectl asks for', () => {
    const setOrder = (...names: string[]): JsonObject => ({ '$setElementOrder/containers': names.map((name) => ({ name })) });
    assert.deepEqual(order(merge(containers('a', 'b', 'c'), setOrder('c', 'a', 'b'))), ['c', 'a', 'b']);
    assert.deepEqual(order(merge(containers('a', 'server', 'b'), { ...setOrder('a', 'new', 'b'), containers: [{ name: 'new' }] })), [
      'a',
      'new',
      'server',
      'b',
    ]);
    assert.deepEqual(order(merge(containers('a', 'b'), { ...setOrder('b'), containers: [{ $patch: 'delete', name: 'a' }] })), ['b']);
    assert.deepEqual(order(merge(containers('a', 'b'), { containers: [{ name: 'c' }] })), ['c', 'a', 'b']);
    assert.deepEqual(merge({ finalizers: ['a', 'b'] }, { '$setElementOrder/finalizers': ['b', 'c', 'a'], finalizers: ['c'] }), {
      finalizers: ['b', 'c', 'a'],
    });
  });

  test('malformed directives are 400, missing merge keys 422', () => {
    assert.throws(() => merge({}, { labels: { $patch: 'explode' } }), { code: 400 });
    assert.throws(() => merge({ strategy: {} }, { strategy: { $retainKeys: ['x'], type: 'y' } }), { code: 400 });
    assert.throws(() => merge(containers('a'), { '$setElementOrder/containers': 1 }), { code: 400 });
    assert.throws(() => merge(containers('a'), { containers: [{ image: 'x' }] }), {
      code: 422,
      message:
        'the server rejected our request due to an error in our request: map: {"image":"x"} does not contain declared merge key: name',
    });
  });

  test('without directives and lists it is a JSON merge patch, and applying twice is applying once', () => {
    const clean = documents.map((one) => deepClone(one));
    fc.assert(
      fc.property(clean, clean, (document, patch) => {
        const once = merge(document, patch);
        assert.ok(jsonEqual(once, applyMergePatch(document, patch)));
        assert.ok(jsonEqual(merge(once, patch), once));
      }),
    );
  });
});
