import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { StatefulSet } from '#apis/apps/v1/stateful-set.ts';
import type { Pod } from '#apis/core/v1/pod.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import type { ControllerModule } from '#controller/controller.ts';
import { reconcileOnce, runTable } from '#controller/testing.ts';
import { planStep } from '#cluster/stateful-set/plan.ts';
import { revisionLabel } from '#cluster/revision-history.ts';
import { podOf } from '#cluster/stateful-set/pods.ts';
import { statefulSetController } from '#cluster/stateful-set/reconciler.ts';

const module = statefulSetController as ControllerModule;
const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: 'i' }] } };
const set = (spec: object = {}, status?: object): StatefulSet & KubeObject =>
  ({
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { namespace: 'n', name: 'web', uid: 'u', generation: 1 },
    spec: { replicas: 3, serviceName: 'web', selector: { matchLabels: { app: 'web' } }, template, ...spec },
    ...(status === undefined ? {} : { status }),
  }) as StatefulSet & KubeObject;
type Change = { ready?: boolean; going?: boolean; phase?: string; revision?: string };
const pod = (ordinal: number, { ready = true, going = false, phase = 'Running', revision = 'new' }: Change = {}): Pod =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      namespace: 'n',
      name: `web-${ordinal}`,
      uid: `p${ordinal}`,
      labels: { [revisionLabel]: revision },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'web', uid: 'u', controller: true }],
      ...(going ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}),
    },
    spec: { containers: [] },
    status: { phase, conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: '2025-12-31T23:59:00Z' }] },
  }) as unknown as Pod;

describe('what becomes of a stateful set’s claims', () => {
  const volumeClaimTemplates = [{ metadata: { name: 'data' }, spec: {} }];
  const claim = (ordinal: number, ownerReferences: object[] = []): KubeObject =>
    ({
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { namespace: 'n', name: `data-web-${ordinal}`, ownerReferences },
      spec: {},
    }) as KubeObject;
  const owned = async (policy: object, replicas: number, ordinal: number, before: object[] = []) => {
    const objects = [
      set({ replicas, volumeClaimTemplates, persistentVolumeClaimRetentionPolicy: policy }),
      pod(ordinal),
      claim(ordinal, before),
    ];
    const { patches } = await reconcileOnce(module, { key: 'n/web', objects });
    const { ownerReferences } =
      (patches.find(({ kind }) => kind === 'PersistentVolumeClaim')?.body as KubeObject | undefined)?.metadata ?? {};
    return ownerReferences?.map(({ kind, uid }) => `${kind} ${uid}`);
  };
  const cases: readonly [string, object, number, object[], string[] | undefined][] = [
    ['they stay when nothing is said', {}, 1, [], undefined],
    ['they go with the set', { whenDeleted: 'Delete' }, 1, [], ['StatefulSet u']],
    ['they stay with a pod that is wanted', { whenScaled: 'Delete' }, 1, [], undefined],
    ['they go with a pod that is one too many', { whenScaled: 'Delete' }, 0, [], ['Pod p0']],
    ['they go with a pod that is one too many, or else with the set', { whenScaled: 'Delete', whenDeleted: 'Delete' }, 0, [], ['Pod p0']],
    [
      'they stay again when the policy says so',
      {},
      1,
      [
        { kind: 'StatefulSet', name: 'web', uid: 'u' },
        { kind: 'X', name: 'x', uid: 'x' },
      ],
      ['X x'],
    ],
    ['nothing is written twice', { whenDeleted: 'Delete' }, 1, [{ kind: 'StatefulSet', name: 'web', uid: 'u' }], undefined],
  ];
  for (const [what, policy, replicas, before, expected] of cases) {
    it(what, async () => assert.deepEqual(await owned(policy, replicas, 0, before), expected));
  }
});

/** `+2` for a pod made, `-2` for one removed, with the revision of what is made. */
function planned(spec: object, pods: readonly Pod[]): string {
  const { create, remove } = planStep(set(spec), pods, { current: 'old', update: 'new' }, Date.parse('2026-01-01T00:00:00Z'));
  return [
    ...create.map(({ ordinal, revision }) => `+${ordinal} ${revision}`),
    ...remove.map(({ metadata }) => `-${metadata.name?.slice(4)}`),
  ].join(' ');
}

describe('a step of a stateful set', () => {
  const all = [pod(0), pod(1), pod(2)];
  const old = { revision: 'old' };
  const parallel = { podManagementPolicy: 'Parallel' };
  const rows: readonly (readonly [string, object, readonly Pod[], string])[] = [
    ['makes the first', {}, [], '+0 new'],
    ['waits for it', {}, [pod(0, { ready: false })], ''],
    ['then makes the next', {}, [pod(0)], '+1 new'],
    ['makes again what is missing below', {}, [pod(1), pod(2)], '+0 new'],
    ['waits until a pod is available', { minReadySeconds: 120 }, [pod(0)], ''],
    ['removes what has ended', {}, [pod(0, { phase: 'Failed', ready: false })], '-0'],
    ['waits for one on its way out', {}, [pod(0, { going: true }), pod(1), pod(2)], ''],
    ['is content', {}, all, ''],
    ['removes the highest', { replicas: 1 }, all, '-2'],
    ['and waits until it is gone', { replicas: 1 }, [pod(0), pod(1), pod(2, { going: true })], ''],
    ['removes nothing while a lower one is not ready', { replicas: 1 }, [pod(0, { ready: false }), pod(1), pod(2)], ''],
    ['begins where it is told', { ordinals: { start: 5 }, replicas: 1 }, [], '+5 new'],
    ['all at once, in parallel', parallel, [pod(1, { ready: false })], '+0 new +2 new'],
    ['all too many at once, in parallel', { ...parallel, replicas: 1 }, all, '-2 -1'],
    ['updates the highest first', {}, [pod(0, old), pod(1, old), pod(2, old)], '-2'],
    ['and goes on when that is ready', {}, [pod(0, old), pod(1, old), pod(2)], '-1'],
    [
      'stops at the partition',
      { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 2 } } },
      [pod(0, old), pod(1, old), pod(2)],
      '',
    ],
    [
      'makes those below the partition as they were',
      { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 2 } } },
      [pod(1, old), pod(2)],
      '+0 old',
    ],
    ['leaves the update to others', { updateStrategy: { type: 'OnDelete' } }, [pod(0, old), pod(1, old), pod(2, old)], ''],
  ];
  for (const [name, spec, pods, expected] of rows) it(name, () => assert.equal(planned(spec, pods), expected));
});

describe('a pod of a stateful set', () => {
  it('has a lasting name, and its own claims instead of volumes of the same name', () => {
    const claim = { metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'] } };
    const volumes = [
      { name: 'data', emptyDir: {} },
      { name: 'tmp', emptyDir: {} },
    ];
    const made = podOf(set({ volumeClaimTemplates: [claim] }), { ...template, spec: { ...template.spec, volumes } } as never, 2, 'web-abc');
    assert.deepEqual(made.metadata.labels, {
      app: 'web',
      'controller-revision-hash': 'web-abc',
      'statefulset.kubernetes.io/pod-name': 'web-2',
      'apps.kubernetes.io/pod-index': '2',
    });
    assert.deepEqual([made.spec.hostname, made.spec.subdomain], ['web-2', 'web']);
    assert.deepEqual(made.spec.volumes, [
      { name: 'data', persistentVolumeClaim: { claimName: 'data-web-2', readOnly: false } },
      { name: 'tmp', emptyDir: {} },
    ]);
  });
});

describe('stateful set controller', () => {
  it('records its template, makes a claim and the first pod, and says so', async () => {
    const claim = { metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'] } };
    const { creates, events, status, error } = await reconcileOnce(module, {
      objects: [set({ volumeClaimTemplates: [claim] })],
      key: 'n/web',
    });
    assert.equal(error, undefined);
    assert.deepEqual(
      creates.map(({ kind, metadata }) => `${kind} ${metadata.name?.replace(/web-[a-z0-9]{10}$/, 'web-HASH')}`),
      ['ControllerRevision web-HASH', 'PersistentVolumeClaim data-web-0', 'Pod web-0'],
    );
    assert.deepEqual(events, [
      'Normal SuccessfulCreate create Claim data-web-0 Pod web-0 in StatefulSet web success',
      'Normal SuccessfulCreate create Pod web-0 in StatefulSet web successful',
    ]);
    const { replicas, currentRevision, updateRevision } = status as Record<string, unknown>;
    assert.deepEqual([replicas, currentRevision === updateRevision, currentRevision], [0, true, creates[0]?.metadata.name]);
  });

  runTable(module, [
    {
      name: 'leaves a set alone that is being deleted',
      objects: [
        {
          ...set(),
          metadata: { ...set().metadata, deletionTimestamp: '2026-01-01T00:00:00Z', finalizers: ['foregroundDeletion'] },
        } as KubeObject,
      ],
      key: 'n/web',
    },
  ]);
});
