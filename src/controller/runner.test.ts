import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Resource } from '#apis/definition.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import { conflict } from '#apis/meta/status.ts';
import { done, PermanentError, requeue, type Controller, type ControllerModule, type Enqueue } from '#controller/controller.ts';
import { reconcileOnce, runTable, startRig } from '#controller/testing.ts';

interface Widget extends KubeObject {
  spec?: { size?: number; fail?: string };
  status?: { seen?: number; labels?: Record<string, string>; conditions?: { type: string }[] };
}
const widgets: Resource<Widget> = { group: 'example.dev', version: 'v1', plural: 'widgets', kind: 'Widget', namespaced: true };
const parts: Resource<Widget> = { group: 'example.dev', version: 'v1', plural: 'parts', kind: 'Part', namespaced: true };

const widget = (spec: Widget['spec'], status?: Widget['status']): Widget => ({
  apiVersion: 'example.dev/v1',
  kind: 'Widget',
  metadata: { name: 'w', namespace: 'n' },
  ...(spec === undefined ? {} : { spec }),
  ...(status === undefined ? {} : { status }),
});

const moduleOf = (reconcile: Controller<Widget>['reconcile'], more: Partial<Controller<Widget>> = {}): ControllerModule => ({
  name: 'widget-controller',
  setup: () => ({ resource: widgets, reconcile, ...more }) as Controller<KubeObject>,
});

const copySize: ControllerModule = {
  name: 'copy-size',
  setup: ({ client, events }) => {
    const controller: Controller<Widget> = {
      resource: widgets,
      async reconcile(object) {
        object.status = { ...object.status, seen: object.spec?.size ?? 0 };
        if (object.spec?.fail === 'late') throw new Error('late failure');
        if (object.spec?.fail === 'permanent') throw new PermanentError('cannot ever work');
        if (object.spec?.size === 7) {
          await client.of(parts).create({ metadata: { namespace: 'n', generateName: 'part-' }, spec: { size: 7 } });
          events.event(object, 'Normal', 'Created', 'a part');
          return requeue(500);
        }
        return done;
      },
    };
    return controller as Controller<KubeObject>;
  },
};

describe('reconciler harness', () => {
  runTable(
    moduleOf(async (object) => ((object.status = { seen: 1 }), done), { skipsTerminating: true }),
    [
      {
        name: 'leaves an object alone that is being deleted',
        objects: [
          {
            ...widget({ size: 3 }),
            metadata: { name: 'w', namespace: 'n', deletionTimestamp: '2026-01-01T00:00:00Z', finalizers: ['x/y'] },
          },
        ],
        key: 'n/w',
        status: undefined,
      },
    ],
  );

  runTable(copySize, [
    { name: 'writes a changed status', objects: [widget({ size: 3 })], key: 'n/w', status: { seen: 3 } },
    { name: 'writes nothing when the status says it already', objects: [widget({ size: 3 }, { seen: 3, conditions: [] })], key: 'n/w' },
    { name: 'does nothing for a key that is gone', key: 'n/w' },
    {
      name: 'reports creates, events and the outcome',
      objects: [widget({ size: 7 })],
      key: 'n/w',
      status: { seen: 7 },
      creates: [{ kind: 'Part', metadata: { namespace: 'n', generateName: 'part-' }, spec: { size: 7 } } as Widget],
      events: ['Normal Created a part'],
      outcome: requeue(500),
    },
    {
      name: 'writes the status also when the reconcile throws',
      objects: [widget({ size: 1, fail: 'late' })],
      key: 'n/w',
      status: { seen: 1 },
      error: /late failure/,
    },
  ]);

  it('removes what the reconcile removed from the status', async () => {
    const module = moduleOf(async (object) => {
      object.status = { labels: { b: '2' } };
      return Promise.resolve(done);
    });
    const { status } = await reconcileOnce(module, { key: 'n/w', objects: [widget({}, { seen: 1, labels: { a: '1', b: '2' } })] });
    assert.deepEqual(status, { labels: { b: '2' } });
  });

  it('gives the reconciler a private copy', async () => {
    await using rig = await startRig(
      [
        moduleOf((object) => {
          object.metadata.labels = { mine: 'yes' };
          return Promise.resolve(done);
        }),
      ],
      [widget({})],
    );
    assert.equal(rig.informers.of(widgets).get('n', 'w')?.metadata.labels, undefined);
  });

  it('reconciles again after a conflict, with the newer object', async () => {
    const seen: (number | undefined)[] = [];
    await using rig = await startRig([
      moduleOf((object) => {
        seen.push(object.spec?.size);
        object.status = { seen: object.spec?.size ?? 0 };
        return Promise.resolve(done);
      }),
    ]);
    let conflicts = 1;
    rig.cluster.fail = (action) =>
      action.subresource === 'status' && conflicts-- > 0 ? conflict('example.dev', 'widgets', 'w', 'changed') : undefined;
    rig.cluster.seed(widget({ size: 1 }));
    await rig.settle();
    assert.equal(rig.cluster.find(widgets, 'n', 'w')?.status, undefined);
    await rig.clock.advance(5);
    await rig.settle();
    assert.deepEqual(rig.cluster.find(widgets, 'n', 'w')?.status, { seen: 1 });
    assert.deepEqual(seen.slice(0, 2), [1, 1]);
  });

  it('goes on from what it has written itself while the watch has not brought it yet', async () => {
    let again: Enqueue | undefined;
    const module: ControllerModule = {
      name: 'counter',
      setup(_context, enqueue) {
        again = enqueue;
        const controller: Controller<Widget> = {
          resource: widgets,
          reconcile(object) {
            object.status = { seen: (object.status?.seen ?? 0) + 1 };
            return Promise.resolve(done);
          },
        };
        return controller as Controller<KubeObject>;
      },
    };
    await using rig = await startRig([module]);
    rig.cluster.seed(widget({}));
    rig.cluster.holdWatches();
    for (let time = 0; time < 3; time += 1) {
      again?.key('n/w');
      await rig.settle();
    }
    assert.deepEqual(rig.cluster.actions.length, rig.cluster.find(widgets, 'n', 'w')?.status?.seen, 'no write was refused');
    assert.ok(rig.cluster.actions.length >= 3);
  });

  it('never stores a status computed from an old state', async () => {
    let changeBehind = () => {};
    await using rig = await startRig([
      moduleOf((object) => {
        changeBehind();
        object.status = { seen: object.spec?.size ?? 0 };
        return Promise.resolve(done);
      }),
    ]);
    const writes: unknown[] = [];
    changeBehind = () => {
      changeBehind = () => {};
      rig.cluster.change(widgets, 'n', 'w', (object) => (object.spec = { size: 2 }));
    };
    rig.cluster.seed(widget({ size: 1 }));
    await rig.settle();
    await rig.clock.advance(20);
    await rig.settle();
    writes.push(rig.cluster.find(widgets, 'n', 'w')?.status?.seen);
    assert.deepEqual(writes, [2]);
  });

  it('backs off a failing key, does not retry a permanent error, and keeps other keys going', async () => {
    const calls: string[] = [];
    const module = moduleOf((object) => {
      calls.push(object.metadata.name ?? '');
      if (object.metadata.name === 'bad') throw new Error('boom');
      if (object.metadata.name === 'never') throw new PermanentError('no');
      return Promise.resolve(done);
    });
    const named = (name: string) => ({ ...widget({}), metadata: { name, namespace: 'n' } });
    await using rig = await startRig([module], [named('bad'), named('never'), named('good')]);
    await rig.settle();
    assert.deepEqual(calls.toSorted(), ['bad', 'good', 'never']);
    await rig.clock.advance(5);
    await rig.clock.advance(10);
    await rig.settle();
    assert.deepEqual(calls.filter((name) => name !== 'bad').length, 2);
    assert.equal(calls.filter((name) => name === 'bad').length, 3);
  });

  it('reports a deletion, also when the name is taken again at once', async () => {
    const log: string[] = [];
    const module = moduleOf(
      (object) => {
        log.push(`reconcile ${object.metadata.uid}`);
        return Promise.resolve(done);
      },
      { deleted: (key) => void log.push(`deleted ${key}`) },
    );
    const object = widget({});
    object.metadata.uid = 'one';
    await using rig = await startRig([module], [object]);
    await rig.cluster.of(widgets).delete('n', 'w');
    const again = widget({});
    again.metadata.uid = 'two';
    rig.cluster.seed(again);
    await rig.settle();
    assert.deepEqual(log, ['reconcile one', 'deleted n/w', 'reconcile two']);
  });

  it('does not write the status of an object that has gone meanwhile', async () => {
    const deletesItself: ControllerModule = {
      name: 'widget-controller',
      setup: ({ client, informers }) => {
        const informer = informers.of(widgets);
        const controller: Controller<Widget> = {
          resource: widgets,
          async reconcile(object) {
            const gone = new Promise<void>((resolve) => {
              informer.on(({ type }) => type === 'deleted' && resolve());
            });
            await client.of(widgets).delete('n', 'w');
            await gone;
            object.status = { seen: 1 };
            return done;
          },
        };
        return controller as Controller<KubeObject>;
      },
    };
    await using rig = await startRig([deletesItself], [widget({})]);
    await rig.settle();
    assert.deepEqual(
      rig.cluster.actions.map(({ verb }) => verb),
      ['delete'],
    );
  });

  it('requeues after the asked-for delay', async () => {
    let calls = 0;
    await using rig = await startRig([moduleOf(() => Promise.resolve((calls += 1) === 1 ? requeue(1000) : done))], [widget({})]);
    await rig.settle();
    await rig.clock.advance(999);
    await rig.settle();
    assert.equal(calls, 1);
    await rig.clock.advance(1);
    await rig.settle();
    assert.equal(calls, 2);
  });
});
