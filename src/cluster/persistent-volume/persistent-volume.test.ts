import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { persistentVolumeClaims } from '#apis/core/v1/persistent-volume-claim.ts';
import { persistentVolumes } from '#apis/core/v1/persistent-volume.ts';
import { pods } from '#apis/core/v1/pod.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import type { ControllerModule } from '#controller/controller.ts';
import { startRig, type Rig } from '#controller/testing.ts';
import { claimProtector } from '#cluster/persistent-volume/claim-protection.ts';
import { claimBinder } from '#cluster/persistent-volume/claims.ts';
import { ephemeralVolumeController } from '#cluster/persistent-volume/ephemeral.ts';
import { volumeKeeper } from '#cluster/persistent-volume/volumes.ts';
import { schedulerController } from '#cluster/scheduler/scheduler.ts';

const modules = [claimBinder, volumeKeeper, claimProtector, ephemeralVolumeController, schedulerController] as readonly ControllerModule[];
const made = (kind: string, name: string, body: object, metadata: object = {}): KubeObject =>
  ({ apiVersion: kind === 'StorageClass' ? 'storage.k8s.io/v1' : 'v1', kind, metadata: { name, ...metadata }, ...body }) as KubeObject;

const claim = (name: string, spec: object = {}, metadata: object = {}) =>
  made(
    'PersistentVolumeClaim',
    name,
    {
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '2Gi' } }, storageClassName: 'c', ...spec },
      status: { phase: 'Pending' },
    },
    { namespace: 'n', uid: `uid-${name}`, finalizers: ['kubernetes.io/pvc-protection'], ...metadata },
  );
const volume = (name: string, storage: string, spec: object = {}, metadata: object = {}) =>
  made(
    'PersistentVolume',
    name,
    {
      spec: {
        capacity: { storage },
        accessModes: ['ReadWriteOnce', 'ReadOnlyMany'],
        storageClassName: 'c',
        persistentVolumeReclaimPolicy: 'Retain',
        hostPath: { path: '/x' },
        ...spec,
      },
      status: { phase: 'Pending' },
    },
    metadata,
  );
const storageClass = (volumeBindingMode: string, provisioner = 'example.com/p') =>
  made('StorageClass', 'c', { provisioner, reclaimPolicy: 'Delete', volumeBindingMode });
const node = (name: string) =>
  made('Node', name, { status: { allocatable: { cpu: '2', memory: '4Gi', pods: '10' } } }, { labels: { 'kubernetes.io/hostname': name } });
const user = (name: string, source: object, spec: object = {}) =>
  made(
    'Pod',
    name,
    { spec: { containers: [{ name: 'c' }], volumes: [{ name: 'v', ...source }], ...spec } },
    { namespace: 'n', uid: `uid-${name}` },
  );
const uses = (claimName: string) => ({ persistentVolumeClaim: { claimName } });
const on = (name: string) => ({
  nodeAffinity: {
    required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [name] }] }] },
  },
});

async function settled(...objects: KubeObject[]): Promise<Rig> {
  const rig = await startRig(modules, objects);
  await rig.settle();
  return rig;
}
const claimOf = (rig: Rig, name: string) => rig.cluster.find(persistentVolumeClaims, 'n', name);
const volumeOf = (rig: Rig, name: string) => rig.cluster.find(persistentVolumes, undefined, name);
const said = (rig: Rig, reason: string) => rig.events.filter((line) => line.split(' ')[1] === reason);

describe('claims and volumes', () => {
  test('a claim gets the smallest volume that has what it asks for, and both say so', async () => {
    const unfit = [
      volume('tiny', '1Gi'),
      volume('other-class', '2Gi', { storageClassName: 'd' }),
      volume('read-only', '2Gi', { accessModes: ['ReadOnlyMany'] }),
      volume('block', '2Gi', { volumeMode: 'Block' }),
      volume('reserved', '2Gi', { claimRef: { namespace: 'n', name: 'somebody' } }),
    ];
    await using rig = await settled(volume('large', '9Gi'), volume('right', '3Gi'), ...unfit, claim('a'));
    const { spec, status } = claimOf(rig, 'a') ?? {};
    assert.deepEqual([spec?.volumeName, status?.phase, status?.capacity], ['right', 'Bound', { storage: '3Gi' }]);
    assert.equal(volumeOf(rig, 'right')?.status?.phase, 'Bound');
    assert.equal(volumeOf(rig, 'right')?.spec.claimRef?.uid, 'uid-a');
    assert.equal(volumeOf(rig, 'large')?.status?.phase, 'Available');
  });

  test('one volume is never two claims’; a volume reserved by name goes to that claim, labels or not', async () => {
    await using rig = await settled(volume('one', '2Gi'), claim('a'), claim('b'));
    assert.deepEqual(
      ['a', 'b'].map((name) => claimOf(rig, name)?.status?.phase ?? '').toSorted((a, b) => a.localeCompare(b)),
      ['Bound', 'Pending'],
    );
    const reference = { claimRef: { namespace: 'n', name: 'a' } };
    await using other = await settled(
      volume('mine', '2Gi', reference),
      volume('free', '2Gi'),
      claim('a', { selector: { matchLabels: { x: 'y' } } }),
    );
    assert.equal(claimOf(other, 'a')?.spec.volumeName, 'mine');
  });

  test('a claim that names its volume gets it, or hears that it is another’s', async () => {
    await using rig = await settled(volume('v', '9Gi'), claim('a', { volumeName: 'v' }));
    assert.equal(claimOf(rig, 'a')?.status?.phase, 'Bound');
    const taken = volume('v', '9Gi', { claimRef: { namespace: 'n', name: 'x', uid: 'u' } });
    await using other = await settled(taken, claim('a', { volumeName: 'v' }));
    assert.deepEqual(said(other, 'FailedBinding'), ['Warning FailedBinding volume "v" already bound to a different claim.']);
  });

  test('what no volume fits waits, and says for what', async () => {
    await using none = await settled(claim('a', { storageClassName: '' }));
    assert.deepEqual(said(none, 'FailedBinding'), [
      'Normal FailedBinding no persistent volumes available for this claim and no storage class is set',
    ]);
    await using unknown = await settled(claim('a'));
    assert.deepEqual(said(unknown, 'ProvisioningFailed'), ['Warning ProvisioningFailed storageclass.storage.k8s.io "c" not found']);
    unknown.cluster.seed(volume('late', '2Gi'));
    await unknown.settle();
    assert.equal(claimOf(unknown, 'a')?.status?.phase, 'Bound');
  });

  test('the provisioner of the class is asked: at once, or when a pod has a node; what it makes is bound', async () => {
    const asked = (rig: Rig) => claimOf(rig, 'a')?.metadata.annotations?.['volume.kubernetes.io/storage-provisioner'];
    await using eager = await settled(storageClass('Immediate'), claim('a'));
    assert.equal(asked(eager), 'example.com/p');
    assert.match(said(eager, 'ExternalProvisioning')[0] ?? '', /either by the external provisioner 'example\.com\/p' or manually by/);
    await using rig = await settled(storageClass('WaitForFirstConsumer'), claim('a'), node('x'));
    assert.deepEqual(
      [asked(rig), rig.events],
      [undefined, ['Normal WaitForFirstConsumer waiting for first consumer to be created before binding']],
    );
    rig.cluster.seed(user('p', uses('a')));
    await rig.settle();
    assert.equal(claimOf(rig, 'a')?.metadata.annotations?.['volume.kubernetes.io/selected-node'], 'x');
    assert.equal(asked(rig), 'example.com/p');
    assert.equal(rig.cluster.find(pods, 'n', 'p')?.spec?.nodeName, undefined);
    const claimRef = { kind: 'PersistentVolumeClaim', namespace: 'n', name: 'a', uid: 'uid-a' };
    rig.cluster.seed(volume('pvc-uid-a', '2Gi', { claimRef, ...on('x') }));
    await rig.settle();
    assert.equal(claimOf(rig, 'a')?.status?.phase, 'Bound');
    assert.equal(rig.cluster.find(pods, 'n', 'p')?.spec?.nodeName, 'x');
    assert.deepEqual(said(rig, 'FailedScheduling'), []);
  });

  test('a claim whose volume disappears is lost', async () => {
    await using rig = await settled(volume('v', '2Gi'), claim('a'));
    await rig.cluster.of(persistentVolumes).delete(undefined, 'v');
    await rig.settle();
    assert.equal(claimOf(rig, 'a')?.status?.phase, 'Lost');
    assert.deepEqual(said(rig, 'ClaimLost'), ['Warning ClaimLost Bound claim has lost its PersistentVolume. Data on the volume is lost!']);
  });
});

describe('the end of claims and volumes', () => {
  test('a claim in use stays until its pod has ended; its volume is then released', async () => {
    const finished = made(
      'Pod',
      'done',
      { spec: { containers: [], nodeName: 'x', volumes: [{ name: 'v', ...uses('a') }] }, status: { phase: 'Succeeded' } },
      { namespace: 'n' },
    );
    await using rig = await settled(volume('v', '2Gi'), claim('a'), node('x'), user('p', uses('a')), finished);
    await rig.cluster.of(persistentVolumeClaims).delete('n', 'a');
    await rig.settle();
    assert.notEqual(claimOf(rig, 'a')?.metadata.deletionTimestamp, undefined);
    assert.equal(volumeOf(rig, 'v')?.status?.phase, 'Bound');
    await rig.cluster.of(pods).delete('n', 'p', { gracePeriodSeconds: 0 });
    await rig.settle();
    assert.equal(claimOf(rig, 'a'), undefined);
    assert.equal(volumeOf(rig, 'v')?.status?.phase, 'Released');
  });

  test('a volume in use stays; with its claim it goes', async () => {
    await using rig = await settled(
      volume('v', '2Gi', {}, { finalizers: ['kubernetes.io/pv-protection'] }),
      claim('a', {}, { finalizers: [] }),
    );
    await rig.cluster.of(persistentVolumes).delete(undefined, 'v');
    await rig.settle();
    assert.notEqual(volumeOf(rig, 'v')?.metadata.deletionTimestamp, undefined);
    await rig.cluster.of(persistentVolumeClaims).delete('n', 'a');
    await rig.settle();
    assert.equal(volumeOf(rig, 'v'), undefined);
  });

  const policies = [
    ['Delete', 'Failed', 'error getting deleter volume plugin for volume "v": no deletable volume plugin matched'],
    ['Recycle', 'Failed', 'No recycler plugin found for the volume!'],
    ['Retain', 'Released', undefined],
  ] as const;
  for (const [persistentVolumeReclaimPolicy, phase, message] of policies) {
    test(`a volume made by hand with policy ${persistentVolumeReclaimPolicy} is ${phase} when its claim is gone`, async () => {
      await using rig = await settled(volume('v', '2Gi', { persistentVolumeReclaimPolicy }), claim('a', {}, { finalizers: [] }));
      await rig.cluster.of(persistentVolumeClaims).delete('n', 'a');
      await rig.settle();
      const { status } = volumeOf(rig, 'v') ?? {};
      assert.deepEqual([status?.phase, status?.message], [phase, message]);
    });
  }
});

describe('pods with volumes', () => {
  const problem = (rig: Rig) =>
    said(rig, 'FailedScheduling')[0]
      ?.replace(/^Warning FailedScheduling /, '')
      .replace(/ preemption: .*/, '');

  test('wait for what is missing, and say what it is', async () => {
    const bound = (spec: object, metadata: object = {}) => [volume('v', '2Gi', spec), claim('a', {}, metadata)];
    const cases: readonly [readonly KubeObject[], string][] = [
      [[], '0/1 nodes are available: persistentvolumeclaim "a" not found.'],
      [[claim('a')], '0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.'],
      [bound(on('elsewhere')), "0/1 nodes are available: 1 node(s) didn't match PersistentVolume's node affinity."],
      [
        [storageClass('WaitForFirstConsumer', 'kubernetes.io/no-provisioner'), claim('a'), volume('v', '2Gi', on('elsewhere'))],
        "0/1 nodes are available: 1 node(s) didn't find available persistent volumes to bind.",
      ],
      [
        bound({}, { deletionTimestamp: '2026-01-01T00:00:00Z', finalizers: ['x'] }),
        '0/1 nodes are available: persistentvolumeclaim "a" is being deleted.',
      ],
    ];
    for (const [objects, text] of cases) {
      await using rig = await settled(node('x'), ...objects);
      rig.cluster.seed(user('p', uses('a')));
      await rig.settle();
      assert.equal(problem(rig), text);
    }
  });

  test('a volume for one pod alone is given to the next when the first has ended', async () => {
    const alone = { accessModes: ['ReadWriteOncePod'] };
    await using rig = await settled(node('x'), volume('v', '2Gi', alone), claim('a', alone), user('p', uses('a')));
    rig.cluster.seed(user('q', uses('a')));
    await rig.settle();
    const text = '0/1 nodes are available: 1 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode.';
    assert.ok(said(rig, 'FailedScheduling').some((line) => line.includes(text)));
    await rig.cluster.of(pods).delete('n', 'p');
    await rig.settle();
    assert.equal(rig.cluster.find(pods, 'n', 'q')?.spec?.nodeName, 'x');
  });

  test('a local volume made by hand is chosen with the node', async () => {
    const local = storageClass('WaitForFirstConsumer', 'kubernetes.io/no-provisioner');
    await using rig = await settled(local, node('x'), node('y'), volume('v', '2Gi', on('y')), claim('a'), user('p', uses('a')));
    assert.equal(rig.cluster.find(pods, 'n', 'p')?.spec?.nodeName, 'y');
    assert.equal(claimOf(rig, 'a')?.spec.volumeName, 'v');
  });

  test('an ephemeral volume is a claim of the pod’s own; one of that name that is not is refused', async () => {
    const ephemeral = {
      ephemeral: {
        volumeClaimTemplate: {
          metadata: { labels: { a: 'b' } },
          spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, storageClassName: 'c' },
        },
      },
    };
    await using rig = await settled(node('x'), volume('v', '2Gi'), user('p', ephemeral));
    const { metadata, status } = claimOf(rig, 'p-v') ?? {};
    assert.deepEqual([metadata?.labels, metadata?.ownerReferences?.[0]?.uid, status?.phase], [{ a: 'b' }, 'uid-p', 'Bound']);
    assert.equal(rig.cluster.find(pods, 'n', 'p')?.spec?.nodeName, 'x');
    await using other = await settled(node('x'), claim('p-v'), user('p', ephemeral));
    assert.match(problem(other) ?? '', /PVC n\/p-v was not created for pod n\/p \(pod is not owner\)/);
  });
});
