import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { DaemonSet } from '#apis/apps/v1/daemon-set.ts';
import type { Node } from '#apis/core/v1/node.ts';
import type { Pod } from '#apis/core/v1/pod.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import type { ControllerModule } from '#controller/controller.ts';
import { reconcileOnce } from '#controller/testing.ts';
import { plan } from '#cluster/daemon-set/plan.ts';
import { nodeOf } from '#cluster/daemon-set/pods.ts';
import { daemonSetController } from '#cluster/daemon-set/reconciler.ts';
import { revisionLabel } from '#cluster/revision-history.ts';

const set = (spec: object = {}, pod: object = {}): DaemonSet & KubeObject =>
  ({
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { namespace: 'n', name: 'agent', uid: 'u', generation: 2 },
    spec: {
      selector: { matchLabels: { app: 'agent' } },
      template: { metadata: { labels: { app: 'agent' } }, spec: { containers: [{ name: 'c', image: 'i' }], ...pod } },
      ...spec,
    },
  }) as DaemonSet & KubeObject;
const node = (name: string, spec: object = {}, labels: object = {}): Node & KubeObject =>
  ({ apiVersion: 'v1', kind: 'Node', metadata: { name, labels }, spec }) as Node & KubeObject;
type Change = { name?: string; ready?: boolean; going?: boolean; phase?: string; revision?: string };
const pod = (on: string, { name = `on-${on}`, ready = true, going = false, phase = 'Running', revision = 'new' }: Change = {}): Pod =>
  ({
    metadata: { name, uid: name, labels: { [revisionLabel]: revision }, ...(going ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}) },
    spec: { nodeName: on, containers: [] },
    status: { phase, conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: '2025-12-31T00:00:00Z' }] },
  }) as unknown as Pod;

/** `+a` for a pod made on a node, `-on-a` for one removed. */
function planned(of: DaemonSet, nodes: readonly Node[], pods: readonly Pod[]): string {
  const { create, remove } = plan(of, nodes, pods, 'new', Date.parse('2026-01-01T00:00:00Z'));
  return [...create.map((name) => `+${name}`), ...remove.map(({ metadata }) => `-${metadata.name}`)].join(' ');
}

describe('what a daemon set does', () => {
  const [a, b, c] = [node('a'), node('b'), node('c')];
  const old = { revision: 'old' };
  const taint = (effect: string) => ({ taints: [{ key: 'k', effect }] });
  const rows: readonly (readonly [string, DaemonSet, readonly Node[], readonly Pod[], string])[] = [
    ['a pod on every node', set(), [a, b], [], '+a +b'],
    ['nothing where one is', set(), [a, b], [pod('a'), pod('b')], ''],
    ['only where the selector fits', set({}, { nodeSelector: { disk: 'ssd' } }), [a, node('s', {}, { disk: 'ssd' })], [], '+s'],
    ['not where a taint keeps it away, and it leaves', set(), [node('t', taint('NoExecute'))], [pod('t')], '-on-t'],
    ['stays where nothing new may come', set(), [node('t', taint('NoSchedule'))], [pod('t')], ''],
    [
      'runs on a node that is cordoned or not ready',
      set(),
      [
        node('x', {
          unschedulable: true,
          taints: [
            { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' },
            { key: 'node.kubernetes.io/not-ready', effect: 'NoExecute' },
          ],
        }),
      ],
      [],
      '+x',
    ],
    ['one too many goes', set(), [a], [pod('a'), pod('a', { name: 'second' })], '-second'],
    ['what has failed goes first', set(), [a], [pod('a', { phase: 'Failed', ready: false })], '-on-a'],
    ['waits for what is going', set(), [a], [pod('a', { going: true })], ''],
    ['of a node that is gone', set(), [a], [pod('a'), pod('z')], '-on-z'],
    ['updates one at a time', set(), [a, b, c], [pod('a', old), pod('b', old), pod('c', old)], '-on-a'],
    ['waits for the one being updated', set(), [a, b, c], [pod('a', { ready: false }), pod('b', old), pod('c', old)], ''],
    ['what is not ready goes at once', set(), [a, b, c], [pod('a', old), pod('b', { ...old, ready: false }), pod('c', old)], '-on-b'],
    [
      'as many as may be missing',
      set({ updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '67%' } } }),
      [a, b, c],
      [pod('a', old), pod('b', old), pod('c', old)],
      '-on-a -on-b -on-c',
    ],
    ['leaves the update to others', set({ updateStrategy: { type: 'OnDelete' } }), [a], [pod('a', old)], ''],
  ];
  for (const [name, of, nodes, pods, expected] of rows) it(name, () => assert.equal(planned(of, nodes, pods), expected));

  it('counts what there is', () => {
    const { status } = plan(
      set(),
      [a, b, node('t', taint('NoSchedule'))],
      [pod('a', old), pod('t')],
      'new',
      Date.parse('2026-01-01T00:00:00Z'),
    );
    assert.deepEqual(status, {
      observedGeneration: 2,
      currentNumberScheduled: 1,
      numberMisscheduled: 1,
      desiredNumberScheduled: 2,
      numberReady: 1,
      updatedNumberScheduled: 0,
      numberAvailable: 1,
      numberUnavailable: 1,
    });
  });
});

describe('daemon set controller', () => {
  it('makes a pod that only its node can take', async () => {
    const { creates, events, error } = await reconcileOnce(daemonSetController as ControllerModule, {
      objects: [set(), node('a')],
      key: 'n/agent',
    });
    assert.equal(error, undefined);
    const made = creates.find(({ kind }) => kind === 'Pod') as Pod | undefined;
    assert.equal(made === undefined ? '' : nodeOf(made), 'a');
    assert.deepEqual(
      creates.map(({ kind }) => kind),
      ['ControllerRevision', 'Pod'],
    );
    assert.match(events.join(), /^Normal SuccessfulCreate Created pod: agent-/);
  });
});
