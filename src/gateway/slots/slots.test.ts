import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { FakeClock } from '#core/clock.ts';
import { Backend, maxQueued, tunnelDrainMs, type SlotWaiter } from '#gateway/slots/backend.ts';
import { choosePod } from '#gateway/slots/choose.ts';
import { Pod } from '#gateway/slots/pod.ts';
import { testBackend, testPod } from '#gateway/testing/routes.ts';

function rig(ports: readonly number[], containerConcurrency: number) {
  const clock = new FakeClock();
  const drained: string[] = [];
  const waiting: number[] = [];
  const backend: Backend = new Backend(testBackend('b', ports, { containerConcurrency }), clock, {
    wallOffsetMs: 0,
    activate: () => {},
    finished: () => {},
    waiting: (one) => void waiting.push(one.queued),
    drained: (_backend, pod) => void drained.push(pod.key),
  });
  return { clock, backend, drained, waiting };
}

const pod = (key: string, running = 0, frozen = false): Pod => {
  const made = new Pod(key, { host: 'x', port: 1 }, frozen);
  made.running = running;
  return made;
};

const waiter = (granted: SlotWaiter['granted'] = () => {}, refused = () => {}): SlotWaiter => ({ granted, refused });

describe('choice of pod', () => {
  test('no limit: the better of two', () => {
    const pods = [pod('a', 5), pod('b', 1)];
    for (let turn = 0; turn < 20; turn++) assert.equal(choosePod(pods, 0, 0, turn)?.key, 'b');
  });

  test('1 to 3: the first with room, so that the last can go', () => {
    assert.equal(choosePod([pod('a', 2), pod('b', 1), pod('c', 0)], 2, 0, 7)?.key, 'b');
  });

  test('above 3: the least loaded, taking turns among equals', () => {
    assert.equal(choosePod([pod('a', 3), pod('b', 1), pod('c', 2)], 10, 0, 0)?.key, 'b');
    const equal = [pod('a'), pod('b'), pod('c')];
    assert.deepEqual(
      [0, 1, 2, 3].map((turn) => choosePod(equal, 10, 0, turn)?.key),
      ['a', 'b', 'c', 'a'],
    );
  });

  test('a frozen pod comes last, a resting one not at all', () => {
    const frozen = pod('frozen', 0, true);
    const full = pod('full', 1);
    assert.equal(choosePod([frozen, pod('awake')], 1, 0, 0)?.key, 'awake');
    assert.equal(choosePod([frozen, full], 1, 0, 0)?.key, 'frozen');
    frozen.downUntil = 100;
    assert.equal(choosePod([frozen, full], 1, 0, 0), undefined);
    assert.equal(choosePod([], 0, 0, 0), undefined);
  });
});

describe('slots', () => {
  test('waiting requests are served first come first served as slots and pods come', () => {
    const { backend } = rig([1], 1);
    const order: string[] = [];
    const named = (name: string) => waiter((given) => void order.push(`${name} on ${given.key}`));
    const first = backend.acquire(named('zero'));
    assert.ok(typeof first === 'object');
    for (const name of ['one', 'two', 'three']) assert.equal(backend.acquire(named(name)), 'waiting');
    backend.release(first);
    backend.update(testBackend('b', [1, 2], { containerConcurrency: 1 }));
    assert.deepEqual(order, ['one on default/pod-1', 'two on default/pod-2']);
    assert.equal(backend.queued, 1);
  });

  test('who asks again goes ahead of the line; who leaves is skipped', () => {
    const { backend } = rig([], 1);
    const order: string[] = [];
    const waiters = ['a', 'b', 'c'].map((name) => waiter(() => void order.push(name)));
    const [a, b, c] = waiters as [(typeof waiters)[0], (typeof waiters)[0], (typeof waiters)[0]];
    backend.acquire(a);
    backend.acquire(b);
    backend.acquireAgain(c);
    backend.leave(a);
    backend.update(testBackend('b', [1, 2], { containerConcurrency: 1 }));
    assert.deepEqual(order, ['c', 'b']);
  });

  test('frozen pods with requests are told apart', () => {
    const { backend } = rig([], 0);
    const config = testBackend('b', [1, 2]);
    backend.update({ ...config, pods: config.pods.map((one) => ({ ...one, frozen: true })) });
    assert.deepEqual(backend.thawing, []);
    const taken = backend.acquire(waiter());
    assert.ok(typeof taken === 'object');
    assert.deepEqual(backend.thawing, [taken.key]);
    backend.update(config);
    assert.deepEqual(backend.thawing, []);
  });

  test('the queue is bounded', () => {
    const { backend, waiting } = rig([], 1);
    for (let index = 0; index < maxQueued; index++) assert.equal(backend.acquire(waiter()), 'waiting');
    assert.equal(backend.acquire(waiter()), 'full');
    assert.equal(waiting.at(-1), maxQueued);
    assert.equal(backend.rejected, 1);
  });

  test('a pod that goes keeps its requests, is drained with the last, and may come back', () => {
    const { backend, drained } = rig([1], 0);
    const one = backend.acquire(waiter());
    const two = backend.acquire(waiter());
    assert.ok(typeof one === 'object' && typeof two === 'object');
    backend.update(testBackend('b', []));
    assert.equal(backend.uses('default/pod-1'), true);
    backend.release(one);
    assert.deepEqual(drained, []);
    backend.update(testBackend('b', [1]));
    assert.equal(backend.pods[0], one);
    backend.update(testBackend('b', []));
    backend.release(two);
    assert.deepEqual(drained, ['default/pod-1']);
    assert.equal(backend.uses('default/pod-1'), false);
  });

  test('an upgraded connection holds up the stop of its pod for half a minute, a request until it ends', async () => {
    const { clock, backend } = rig([1], 0);
    const pod = backend.acquire(waiter()) as Pod;
    pod.tunnels++;
    backend.update(testBackend('b', []));
    assert.equal(backend.uses(pod.key), true);
    await clock.advance(tunnelDrainMs);
    assert.equal(backend.uses(pod.key), false);
    pod.tunnels--;
    assert.equal(backend.uses(pod.key), true);
  });

  test('a backend that goes refuses those who wait', () => {
    const { backend } = rig([], 1);
    let refused = 0;
    backend.acquire(waiter(undefined, () => refused++));
    backend.acquireAgain(waiter(undefined, () => refused++));
    backend.close();
    assert.deepEqual([refused, backend.queued], [2, 0]);
  });

  test('a pod that refused rests a while, then the line moves on', async () => {
    const { backend, clock } = rig([1], 1);
    const given: Pod[] = [];
    const first = backend.acquire(waiter()) as Pod;
    backend.podFailed(first);
    backend.release(first);
    assert.equal(backend.acquire(waiter((one) => void given.push(one))), 'waiting');
    await clock.advance(10);
    assert.equal(given.length, 0);
    await clock.advance(20);
    assert.deepEqual(given, [first]);
  });

  test('whatever happens, no pod exceeds the limit and every slot comes back', () => {
    const action = fc.oneof(
      fc.record({ kind: fc.constant('acquire' as const) }),
      fc.record({ kind: fc.constant('release' as const), index: fc.nat(20) }),
      fc.record({ kind: fc.constant('pods' as const), ports: fc.uniqueArray(fc.integer({ min: 1, max: 5 }), { maxLength: 5 }) }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.array(action, { maxLength: 80 }), (limit, actions) => {
        const { backend } = rig([1], limit);
        const leases: Pod[] = [];
        const check = () => {
          for (const one of new Set([...leases, ...backend.pods])) {
            assert.ok(one.running <= limit);
            assert.equal(one.running, leases.filter((lease) => lease === one).length);
          }
          assert.equal(backend.running, leases.length);
          // Nobody waits while somebody could take it.
          assert.ok(backend.queued === 0 || backend.pods.every((one) => one.running === limit));
        };
        for (const step of actions) {
          if (step.kind === 'acquire') {
            const lease = backend.acquire(waiter((one) => void leases.push(one)));
            if (typeof lease === 'object') leases.push(lease);
          } else if (step.kind === 'release') {
            const [lease] = leases.splice(step.index % Math.max(1, leases.length), 1);
            if (lease !== undefined) backend.release(lease);
          } else {
            backend.update({ ...backend.config, pods: step.ports.map(testPod) });
          }
          check();
        }
      }),
    );
  });
});
