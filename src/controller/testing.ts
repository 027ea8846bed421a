import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '#apis/meta/object.ts';
import { createInformers } from '#client/informer.ts';
import type { Informers } from '#client/informer-types.ts';
import type { ControllerContext, ControllerModule, EventRecorder, Outcome } from '#controller/controller.ts';
import { controllerMetrics } from '#controller/metrics.ts';
import { ControllerRun, runControllers } from '#controller/runner.ts';
import { FakeCluster, type Action } from '#controller/testing/fake-cluster.ts';
import { FakeClock } from '#core/clock.ts';
import { silentLogger } from '#core/logger.ts';
import { noMetrics } from '#core/metrics.ts';
import { deepClone, isObject } from '#machinery/deep.ts';

export { FakeCluster, type Action };

/** What a reconcile of one key did to the world. */
export interface ReconcileResult {
  /** Every write but the status of the reconciled object, in order. */
  readonly actions: readonly Action[];
  readonly creates: readonly KubeObject[];
  readonly updates: readonly KubeObject[];
  /** Patches as `{ kind, name: 'namespace/name', subresource?, body }`. */
  readonly patches: readonly PatchAction[];
  /** `Kind namespace/name`. */
  readonly deletes: readonly string[];
  /** The object's status after the write; undefined when the reconcile changed nothing in it. */
  readonly status: unknown;
  /** `Normal Created text`. */
  readonly events: readonly string[];
  /** Undefined when it threw. */
  readonly outcome: Outcome | undefined;
  readonly error: unknown;
  readonly cluster: FakeCluster;
}

export interface PatchAction {
  readonly kind: string;
  readonly name: string;
  readonly subresource?: string;
  readonly body: unknown;
}

export interface Scene {
  /** What exists: complete objects, with apiVersion and kind. */
  readonly objects?: readonly KubeObject[];
  /** `namespace/name` of the object to reconcile. */
  readonly key: string;
  /** Makes writes fail: what it returns is thrown. */
  readonly fail?: (action: Action) => Error | undefined;
  readonly clock?: FakeClock;
}

/** Expectations; what a row does not mention must not have happened. */
export interface TableRow extends Scene {
  readonly name: string;
  /** Compared with the bodies sent; apiVersion only where given. */
  readonly creates?: readonly KubeObject[];
  readonly updates?: readonly KubeObject[];
  readonly patches?: readonly PatchAction[];
  readonly deletes?: readonly string[];
  /** The whole status after the reconcile, where it must have changed. */
  readonly status?: unknown;
  readonly events?: readonly string[];
  /** Default: done, unless `error` is given. */
  readonly outcome?: Outcome;
  readonly error?: RegExp;
}

/** One test a row: the objects exist, the key is reconciled once, and exactly what the row says must have happened. */
export function runTable(module: ControllerModule, rows: readonly TableRow[]): void {
  for (const row of rows) {
    test(row.name, async () => {
      const result = await reconcileOnce(module, row);
      if (row.error === undefined && result.error !== undefined) throw result.error;
      if (row.error !== undefined) assert.match(String(result.error), row.error);
      assert.deepEqual(withoutVersions(result.creates, row.creates), plain(row.creates ?? []), 'creates');
      assert.deepEqual(withoutVersions(result.updates, row.updates), plain(row.updates ?? []), 'updates');
      assert.deepEqual(result.patches, plain(row.patches ?? []), 'patches');
      assert.deepEqual(result.deletes, row.deletes ?? [], 'deletes');
      assert.deepEqual(result.status, plain(row.status), 'status');
      assert.deepEqual(result.events, row.events ?? [], 'events');
      if (row.error === undefined) assert.deepEqual(result.outcome, row.outcome ?? { kind: 'done' }, 'outcome');
    });
  }
}

/** Reconciles one key against a fake cluster through the real harness, and reports what happened. Errors are reported too. */
export async function reconcileOnce(module: ControllerModule, scene: Scene): Promise<ReconcileResult> {
  const clock = scene.clock ?? new FakeClock();
  const cluster = new FakeCluster(clock);
  cluster.seed(...(scene.objects ?? []));
  cluster.fail = scene.fail ?? cluster.fail;
  const events = new RecordedEvents();
  const stop = new AbortController();
  await using informers = createInformers(cluster, { clock });
  const context: ControllerContext = { client: cluster, informers, events, clock, logger: silentLogger };
  const run = new ControllerRun(context, module, controllerMetrics(noMetrics));
  try {
    await informers.start(stop.signal);
    let outcome: Outcome | undefined;
    let error: unknown;
    try {
      outcome = await run.reconcile(scene.key, stop.signal);
    } catch (thrown) {
      error = thrown;
    }
    return summarize(run, cluster, scene.key, { events: events.lines, outcome, error });
  } finally {
    stop.abort();
    run.stop();
  }
}

/** Controllers running over a fake cluster, for tests of several steps. */
export interface Rig extends AsyncDisposable {
  readonly cluster: FakeCluster;
  readonly clock: FakeClock;
  readonly informers: Informers;
  readonly events: readonly string[];
  /** Waits until nothing moves any more (delays excepted: advance the clock for those). */
  settle(): Promise<void>;
}

export async function startRig(
  modules: readonly ControllerModule[],
  objects: readonly KubeObject[] = [],
  clock: FakeClock = new FakeClock(),
): Promise<Rig> {
  const cluster = new FakeCluster(clock);
  cluster.seed(...objects);
  const events = new RecordedEvents();
  const stop = new AbortController();
  const informers = createInformers(cluster, { clock });
  const context: ControllerContext = { client: cluster, informers, events, clock, logger: silentLogger };
  const ended = runControllers(context, modules, stop.signal);
  const settle = () => quiet(cluster);
  await Promise.race([settle(), ended]);
  return {
    cluster,
    clock,
    informers,
    events: events.lines,
    settle,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await ended;
      await informers[Symbol.asyncDispose]();
    },
  };
}

/** For what is tested apart from its events. */
export const silentEvents: EventRecorder = { event: () => {}, as: () => silentEvents };

class RecordedEvents implements EventRecorder {
  readonly lines: string[] = [];
  event(_object: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.lines.push(`${type} ${reason} ${message}`);
  }
  as(): EventRecorder {
    return this;
  }
}

/** Turns of the event loop without any change after which everything in memory has come to rest. */
const quietTurns = 25;

async function quiet(cluster: FakeCluster): Promise<void> {
  for (let turns = 0, seen = -1; turns < quietTurns; turns += 1) {
    const now = cluster.revision + cluster.actions.length;
    if (now !== seen) turns = 0;
    seen = now;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function summarize(
  run: ControllerRun,
  cluster: FakeCluster,
  key: string,
  rest: { events: string[]; outcome: Outcome | undefined; error: unknown },
): ReconcileResult {
  const { resource } = run.controller;
  const isStatus = (action: Action) =>
    action.verb === 'patch' && action.subresource === 'status' && action.kind === resource.kind && keyOf(action) === key;
  const actions = cluster.actions.filter((action) => !isStatus(action));
  const bodies = (verb: Action['verb']) =>
    actions.filter((action) => action.verb === verb).map((action) => ({ kind: action.kind, ...(action.body as KubeObject) }));
  const slash = key.indexOf('/');
  const object = cluster.find(resource, slash < 0 ? undefined : key.slice(0, slash), key.slice(slash + 1)) as
    | { status?: unknown }
    | undefined;
  return {
    ...rest,
    actions,
    creates: bodies('create'),
    updates: bodies('update'),
    patches: actions
      .filter((action) => action.verb === 'patch')
      .map((action) => ({
        kind: action.kind,
        name: keyOf(action),
        ...(action.subresource === '' ? {} : { subresource: action.subresource }),
        body: plain(action.body),
      })),
    deletes: actions.filter((action) => action.verb === 'delete').map((action) => `${action.kind} ${keyOf(action)}`),
    status: cluster.actions.some(isStatus) ? plain(object?.status) : undefined,
    cluster,
  };
}

function keyOf(action: Action): string {
  return action.namespace === undefined ? action.name : `${action.namespace}/${action.name}`;
}

/** As JSON sees it, so that an undefined property equals an absent one. */
function plain<T>(value: T): T {
  return value === undefined ? value : (JSON.parse(JSON.stringify(value)) as T);
}

function withoutVersions(sent: readonly KubeObject[], expected: readonly KubeObject[] = []): unknown[] {
  return sent.map((object, index) => {
    const copy = plain(deepClone(object)) as KubeObject;
    if (isObject(copy) && expected[index]?.apiVersion === undefined) delete copy.apiVersion;
    return copy;
  });
}
