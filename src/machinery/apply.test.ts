import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { objectMetaSchema, type KubeObject, type ManagedFieldsEntry } from '#apis/meta/object.ts';
import { int32, list, listMap, listSet, map, object, string } from '#apis/schema.ts';
import { applyServerSide, type Applied } from './apply.ts';
import { jsonEqual } from '#apis/meta/equal.ts';
import { deepFreeze, type JsonObject } from './deep.ts';
import { difference, intersection, isEmptySet, pathsOf, setsEqual, union, type FieldSet } from './field-set.ts';
import { fieldsOf } from './field-paths.ts';
import { trackUpdate } from './managed-fields.ts';

const schema = object('io.k8s.api.apps.v1.Thing', {
  apiVersion: string(),
  kind: string(),
  metadata: objectMetaSchema,
  spec: object('io.k8s.api.apps.v1.ThingSpec', {
    replicas: int32(),
    paused: string(),
    selector: object('Selector', { a: string() }, { 'x-kubernetes-map-type': 'atomic' }),
    args: list(string()),
    hosts: listSet(string()),
    containers: listMap(object('C', { name: string(), image: string(), env: map(string()) }), ['name']),
    ports: listMap(object('P', { port: int32(), protocol: string({ default: 'TCP' }), name: string() }), ['port', 'protocol']),
  }),
  status: object('S', { n: int32() }),
});
const [t1, t2, t3] = ['2026-01-01T00:00:01Z', '2026-01-01T00:00:02Z', '2026-01-01T00:00:03Z'] as const;
const thing = (spec: JsonObject, metadata: JsonObject = {}): JsonObject => ({
  apiVersion: 'apps/v1',
  kind: 'Thing',
  metadata: { name: 'a', ...metadata },
  spec,
});
const apply = (
  live: KubeObject | undefined,
  config: JsonObject,
  manager: string,
  options: { force?: boolean; now?: string } = {},
): Applied =>
  applyServerSide({
    schema,
    live: deepFreeze(live),
    config: deepFreeze(config),
    manager,
    apiVersion: 'apps/v1',
    force: options.force ?? false,
    now: options.now ?? t1,
  });
const update = (old: KubeObject | undefined, json: JsonObject, manager: string, now: string = t1, subresource = ''): KubeObject => {
  const next = json as unknown as KubeObject;
  const managedFields = trackUpdate({
    schema,
    old: deepFreeze(old),
    object: deepFreeze(next),
    manager,
    apiVersion: 'apps/v1',
    subresource,
    now,
  });
  return { ...next, metadata: { ...next.metadata, managedFields: [...managedFields] } };
};
const spec = (applied: { object: KubeObject }): unknown => (applied.object as unknown as { spec: unknown }).spec;
const owners = (object: KubeObject): Record<string, string[]> =>
  Object.fromEntries(
    (object.metadata.managedFields ?? []).map((entry) => [
      `${entry.operation} ${entry.manager}`,
      pathsOf(entry.fieldsV1 as FieldSet).sort(),
    ]),
  );

describe('server-side apply', () => {
  test('a created object is owned by its applier, leaf by leaf', () => {
    const { object } = apply(
      undefined,
      thing(
        { replicas: 1, containers: [{ name: 'c', image: 'i' }], args: ['x'], hosts: ['h'], selector: { a: 'b' } },
        { labels: { 'a.b/c': 'd' } },
      ),
      'me',
    );
    const [entry] = object.metadata.managedFields ?? [];
    assert.deepEqual(entry, {
      manager: 'me',
      operation: 'Apply',
      apiVersion: 'apps/v1',
      time: t1,
      fieldsType: 'FieldsV1',
      fieldsV1: {
        'f:metadata': { 'f:labels': { 'f:a.b/c': {} } },
        'f:spec': {
          'f:replicas': {},
          'f:containers': { 'k:{"name":"c"}': { '.': {}, 'f:name': {}, 'f:image': {} } },
          'f:args': {},
          'f:hosts': { 'v:"h"': {} },
          'f:selector': {},
        },
      },
    });
  });

  test('another value of a field somebody owns is a conflict; the same value is shared', () => {
    const live = update(undefined, thing({ replicas: 1, paused: 'no' }), 'kubectl-client-side-apply');
    assert.throws(() => apply(live, thing({ replicas: 2 }), 'me'), {
      code: 409,
      message: 'Apply failed with 1 conflict: conflict with "kubectl-client-side-apply" using apps/v1: .spec.replicas',
      details: {
        causes: [
          { reason: 'FieldManagerConflict', message: 'conflict with "kubectl-client-side-apply" using apps/v1', field: '.spec.replicas' },
        ],
      },
    });
    assert.throws(() => apply(live, thing({ replicas: 2, paused: 'yes' }), 'me'), {
      message: 'Apply failed with 2 conflicts: conflicts with "kubectl-client-side-apply" using apps/v1:\n- .spec.replicas\n- .spec.paused',
    });
    const shared = apply(live, thing({ replicas: 1 }), 'me').object;
    assert.deepEqual(owners(shared)['Apply me'], ['.spec.replicas']);
    assert.ok(owners(shared)['Update kubectl-client-side-apply']?.includes('.spec.replicas'));
    const forced = apply(live, thing({ replicas: 2 }), 'me', { force: true }).object;
    assert.ok(!owners(forced)['Update kubectl-client-side-apply']?.includes('.spec.replicas'));
    const between = apply(forced, thing({ containers: [{ name: 'x', image: 'y' }] }), 'other').object;
    assert.throws(() => apply(between, thing({ containers: [{ name: 'x', image: 'z' }] }), 'me'), {
      message: 'Apply failed with 1 conflict: conflict with "other": .spec.containers[name="x"].image',
    });
  });

  test('what is no longer applied goes, unless somebody else owns it', () => {
    const first = apply(
      undefined,
      thing({ replicas: 1, containers: [{ name: 'a', image: 'i' }, { name: 'b' }], hosts: ['x', 'y'] }),
      'me',
    ).object;
    const second = apply(first, thing({ containers: [{ name: 'b', image: 'theirs' }] }), 'other').object;
    const third = apply(second, thing({ hosts: ['y'] }), 'me', { now: t2 });
    assert.deepEqual(spec(third), { containers: [{ name: 'b', image: 'theirs' }], hosts: ['y'] });
    assert.deepEqual(owners(third.object)['Apply me'], ['.spec.hosts[="y"]']);
  });

  test("defaults of a removed list item go with it, other managers' members of a map stay", () => {
    const first = apply(undefined, thing({ ports: [{ port: 1 }], containers: [{ name: 'a', env: { x: '1' } }] }), 'me')
      .object as unknown as JsonObject;
    const defaulted = {
      ...first,
      spec: { ports: [{ port: 1, protocol: 'TCP', name: 'defaulted' }], containers: [{ name: 'a', env: { x: '1' } }] },
    } as unknown as KubeObject;
    const other = apply(defaulted, thing({ containers: [{ name: 'a', env: { y: '2' } }] }), 'other').object;
    const last = apply(other, thing({ containers: [{ name: 'a' }] }), 'me');
    assert.deepEqual(spec(last), { containers: [{ name: 'a', env: { y: '2' } }] });
  });

  test('applying the same again changes nothing, not even the time', () => {
    const config = thing({ replicas: 1, containers: [{ name: 'a' }] });
    const { object } = apply(undefined, config, 'me');
    const again = apply(object, config, 'me', { now: t2 });
    assert.equal(again.changed, false);
    assert.equal(again.object, object);
  });

  test('the order of the configuration wins; live-only items keep their place', () => {
    const live = update(undefined, thing({ containers: ['a', 's', 'b', 'z'].map((name) => ({ name })) }), 'x');
    const merged = apply(live, thing({ containers: ['b', 'n', 'a'].map((name) => ({ name })) }), 'me', { force: true });
    const names = (spec(merged) as { containers: { name: string }[] }).containers.map((one) => one.name);
    assert.deepEqual(
      names.filter((name) => 'bna'.includes(name)),
      ['b', 'n', 'a'],
    );
    assert.deepEqual([...names].sort(), ['a', 'b', 'n', 's', 'z']);
  });

  test('an object nobody tracked belongs to before-first-apply', () => {
    const live = thing({ replicas: 1 }, { creationTimestamp: t1 }) as unknown as KubeObject;
    assert.throws(() => apply(live, thing({ replicas: 2 }), 'me'), {
      message: 'Apply failed with 1 conflict: conflict with "before-first-apply" using apps/v1: .spec.replicas',
    });
    assert.deepEqual(Object.keys(owners(apply(live, thing({ paused: 'x' }), 'me').object)), ['Apply me', 'Update before-first-apply']);
  });

  test('kubectl may overwrite what its client-side apply wrote, and keeps the annotation in step', () => {
    const annotation = 'kubectl.kubernetes.io/last-applied-configuration';
    const live = update(
      undefined,
      thing({ replicas: 1, paused: 'no' }, { annotations: { [annotation]: JSON.stringify(thing({ replicas: 1 })) } }),
      'kubectl-client-side-apply',
    );
    assert.throws(() => apply(live, thing({ replicas: 2 }), 'me'), { code: 409 });
    assert.throws(() => apply(live, thing({ paused: 'yes' }), 'kubectl'), { code: 409 });
    const upgraded = apply(live, thing({ replicas: 2 }), 'kubectl').object;
    assert.equal((spec({ object: upgraded }) as { replicas: number }).replicas, 2);
    assert.deepEqual(JSON.parse(upgraded.metadata.annotations?.[annotation] ?? ''), thing({ replicas: 2 }));
  });

  test('a configuration with managed fields or duplicate items is refused', () => {
    assert.throws(() => apply(undefined, thing({}, { managedFields: [{ manager: 'x' }] }), 'me'), {
      code: 400,
      message: 'metadata.managedFields must be nil',
    });
    assert.throws(() => apply(undefined, thing({ ports: [{ port: 1 }, { port: 1, protocol: 'TCP' }] }), 'me'), {
      code: 400,
      message: 'failed to create typed patch object: .spec.ports: duplicate entries for key [port=1,protocol="TCP"]',
    });
  });

  test('fields the endpoint may not set are neither taken nor owned', () => {
    const config = { ...thing({ replicas: 1 }), status: { n: 1 } };
    const { object } = applyServerSide({ schema, config, manager: 'me', apiVersion: 'apps/v1', force: false, now: t1, reset: ['status'] });
    assert.deepEqual(owners(object)['Apply me'], ['.spec.replicas']);
    assert.ok(!('status' in object));
  });
});

describe('managed fields of updates', () => {
  test('a manager owns what it changed and loses what another changed', () => {
    const created = update(undefined, thing({ replicas: 1, paused: 'no' }), 'kubectl-create');
    const scaled = update(created, thing({ replicas: 2, paused: 'no' }), 'scaler', t2);
    assert.deepEqual(owners(scaled), { 'Update kubectl-create': ['.spec', '.spec.paused'], 'Update scaler': ['.spec.replicas'] });
    const removed = update(scaled, thing({ paused: 'no' }), 'remover', t3);
    assert.deepEqual(owners(removed), { 'Update kubectl-create': ['.spec', '.spec.paused'] });
  });

  test('nothing changes when no tracked field does: the list in force is returned itself', () => {
    const created = update(undefined, thing({ replicas: 1 }), 'x');
    const same = { ...thing({ replicas: 1 }, { resourceVersion: '5' }) } as unknown as KubeObject;
    assert.equal(
      trackUpdate({ schema, old: created, object: same, manager: 'y', apiVersion: 'apps/v1', now: t2 }),
      created.metadata.managedFields,
    );
  });

  test('status written through its subresource is an entry of its own', () => {
    const created = update(undefined, thing({ replicas: 1 }), 'x');
    const updated = update(created, { ...thing({ replicas: 1 }), status: { n: 1 } }, 'x', t2, 'status');
    assert.deepEqual(
      updated.metadata.managedFields?.map((entry) => entry.subresource),
      [undefined, 'status'],
    );
  });

  test('managed fields in the request replace the stored ones; [{}] clears them; then nobody is tracked', () => {
    const created = update(undefined, thing({ replicas: 1 }), 'x');
    const given: ManagedFieldsEntry[] = [
      {
        manager: 'z',
        operation: 'Update',
        apiVersion: 'apps/v1',
        time: t1,
        fieldsType: 'FieldsV1',
        fieldsV1: { 'f:spec': { 'f:replicas': {} } },
      },
    ];
    assert.deepEqual(owners(update(created, thing({ replicas: 1 }, { managedFields: given as unknown as JsonObject[] }), 'x')), {
      'Update z': ['.spec.replicas'],
    });
    const cleared = update(created, thing({ replicas: 1 }, { managedFields: [{}] }), 'x');
    assert.deepEqual(cleared.metadata.managedFields, []);
    assert.deepEqual(update(cleared, thing({ replicas: 3 }), 'x').metadata.managedFields, []);
    const invalid = update(created, thing({ replicas: 1 }, { managedFields: [{ manager: 'z', operation: 'Steal' }] }), 'x');
    assert.deepEqual(owners(invalid), owners(created));
  });

  test('many updaters fold into ancient-changes', () => {
    let object = update(undefined, thing({ replicas: 0 }), 'm0', '2026-01-01T00:00:00Z');
    for (let index = 1; index < 15; index += 1)
      object = update(
        object,
        thing({ replicas: 0 }, { labels: Object.fromEntries(Array.from({ length: index }, (_, at) => [`l${at}`, 'x'])) }),
        `m${index}`,
        `2026-01-01T00:00:${10 + index}Z`,
      );
    const managers = object.metadata.managedFields?.map((entry) => entry.manager) ?? [];
    assert.equal(managers.length, 10);
    assert.ok(managers.includes('ancient-changes') && managers.includes('m14'));
  });
});

const specs = fc.record(
  {
    replicas: fc.nat(2),
    paused: fc.constantFrom('a', 'b'),
    args: fc.array(fc.constantFrom('x', 'y'), { maxLength: 2 }),
    hosts: fc.uniqueArray(fc.constantFrom('h', 'i', 'j'), { minLength: 1 }),
    containers: fc.uniqueArray(
      fc.record(
        {
          name: fc.constantFrom('a', 'b', 'c'),
          image: fc.constantFrom('1', '2'),
          env: fc.dictionary(fc.constantFrom('k', 'l'), fc.constantFrom('1', '2'), { noNullPrototype: true, minKeys: 1 }),
        },
        { requiredKeys: ['name'], noNullPrototype: true },
      ),
      { selector: (one) => one.name, minLength: 1 },
    ),
  },
  { requiredKeys: [], noNullPrototype: true },
) as fc.Arbitrary<JsonObject>;

describe('properties of field sets and apply', () => {
  test('the algebra of sets holds', () => {
    fc.assert(
      fc.property(specs, specs, (left, right) => {
        const [a, b] = [fieldsOf(thing(left), schema), fieldsOf(thing(right), schema)];
        const both = union(a, b);
        assert.ok(setsEqual(union(b, a), both));
        assert.ok(isEmptySet(difference(difference(both, a), b)));
        assert.ok(isEmptySet(intersection(difference(a, b), b) ?? {}));
        assert.deepEqual(new Set(pathsOf(both)), new Set([...pathsOf(a), ...pathsOf(b)]));
        assert.deepEqual(new Set(pathsOf(difference(a, b))), new Set(pathsOf(a).filter((path) => !pathsOf(b).includes(path))));
      }),
    );
  });

  test('after a forced apply the object holds the configuration, its manager owns it, and applying again is nothing', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom('m', 'n', 'o'), specs), { minLength: 1, maxLength: 6 }), (steps) => {
        let live: KubeObject | undefined;
        for (const [manager, one] of steps) {
          const config = thing(one);
          live = apply(live, config, manager, { force: true }).object;
          const entry = live.metadata.managedFields?.find((each) => each.manager === manager);
          const mine = fieldsOf({ spec: one }, schema);
          assert.ok(setsEqual((entry?.fieldsV1 ?? {}) as FieldSet, mine));
          const have = fieldsOf({ spec: (live as unknown as { spec: JsonObject }).spec ?? {} }, schema);
          const missing = difference(mine, have);
          assert.ok(isEmptySet(missing) || Object.keys(one).length === 0, JSON.stringify(missing));
          assert.equal(apply(live, config, manager).changed, false);
        }
      }),
    );
  });

  test('a single applier leaves exactly its last configuration', () => {
    fc.assert(
      fc.property(fc.array(specs, { minLength: 2, maxLength: 4 }), (configs) => {
        let live: KubeObject | undefined;
        for (const one of configs) live = apply(live, thing(one), 'me').object;
        const last = configs.at(-1) ?? {};
        const left = (live as unknown as { spec?: JsonObject }).spec ?? {};
        assert.ok(jsonEqual(sortedItems(left), sortedItems(last)), `${JSON.stringify(left)} ${JSON.stringify(last)}`);
      }),
    );
  });
});

function sortedItems(one: JsonObject): JsonObject {
  const sort = (list: unknown): JsonObject[] =>
    [...((list ?? []) as JsonObject[])].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  return { ...one, hosts: sort(one['hosts']), containers: sort(one['containers']) };
}
