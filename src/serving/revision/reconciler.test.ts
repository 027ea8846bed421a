import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { deployments, type Deployment } from '#apis/apps/v1/deployment.ts';
import { podAutoscalers } from '#apis/autoscaling-internal/v1alpha1/pod-autoscaler.ts';
import { configMaps } from '#apis/core/v1/config-map.ts';
import { pods, type Pod } from '#apis/core/v1/pod.ts';
import { labels } from '#apis/serving/names.ts';
import { revisions } from '#apis/serving/v1/kinds.ts';
import type { Revision, RevisionStatus } from '#apis/serving/v1/schemas.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import { reconcileOnce } from '#controller/testing.ts';
import type { ImageResolver } from '#serving/revision/digests.ts';
import { revisionController } from '#serving/revision/reconciler.ts';
import { aConfiguration, aRevision, conditionsOf, make, ownedBy, status } from '#serving/testing.ts';

const digest = 'example.com/app@sha256:1111';
const resolver: ImageResolver = {
  resolve: (reference) => (reference === 'example.com/app' ? Promise.resolve(digest) : Promise.reject(new Error('manifest unknown'))),
};
const module = revisionController(resolver);
const reconcile = (...objects: KubeObject[]) => reconcileOnce(module, { objects, key: 'n/s-00001' });

const resolved = { containerStatuses: [{ name: 'user-container', imageDigest: digest }] };
const revision = (more: Partial<Revision> = {}): Revision => aRevision(aConfiguration(), 1, more);
const known = revision({ status: status({}, resolved) });

const deployment = (state: object = {}): Deployment =>
  ownedBy(
    make(deployments, 's-00001-deployment', {
      spec: { replicas: 1, progressDeadlineSeconds: 600, selector: {}, template: {} },
      status: state,
    } as never),
    known,
    revisions,
  );
const progressing = { conditions: [{ type: 'Progressing', status: 'True' }] };
const timedOut = {
  conditions: [{ type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded', message: 'no progress' }],
};
const autoscaler = (conditions: Record<string, string>, more: object = {}): KubeObject =>
  ownedBy(make(podAutoscalers, 's-00001', { status: status(conditions, { serviceName: 's-00001', ...more }) }), known, revisions);
const configMap = (name: string, data: Record<string, string>): KubeObject =>
  make(configMaps, name, { metadata: { namespace: 'knative-serving' }, data });
const queued = { Ready: 'Unknown Queued: waiting', Active: 'Unknown Queued: waiting' };
const pod = (state: object, more: object = {}): Pod =>
  make(pods, 'p', { metadata: { labels: { [labels.revision]: 's-00001' } }, status: { containerStatuses: [state], ...more } } as never);

describe('revision controller', () => {
  test('resolves the image and makes Deployment, autoscaler and image hint', async () => {
    const { creates, status: after } = await reconcile(revision());
    assert.deepEqual(creates.map(({ kind, metadata }) => `${kind} ${metadata.name}`).toSorted(), [
      'Deployment s-00001-deployment',
      'Image s-00001-cache-user-container',
      'PodAutoscaler s-00001',
    ]);
    const made = creates.find(({ kind }) => kind === 'Deployment') as Deployment;
    const [container] = made.spec?.template?.spec?.containers ?? [];
    assert.equal(container?.image, digest);
    assert.deepEqual(container?.ports, [{ name: 'user-port', containerPort: 8080, protocol: 'TCP' }]);
    assert.deepEqual(container?.env, [
      { name: 'PORT', value: '8080' },
      { name: 'K_REVISION', value: 's-00001' },
      { name: 'K_CONFIGURATION', value: 's' },
      { name: 'K_SERVICE', value: '' },
    ]);
    assert.deepEqual((after as RevisionStatus).containerStatuses, resolved.containerStatuses);
    assert.deepEqual(conditionsOf(after), {
      Active: 'Unknown Deploying',
      ContainerHealthy: 'Unknown Deploying',
      Ready: 'Unknown Deploying',
      ResourcesAvailable: 'Unknown Deploying',
    });
  });

  test('an image that is not there is ContainerMissing, makes nothing, and is looked for again', async () => {
    const missing = revision({ spec: { containers: [{ name: 'user-container', image: 'example.com/gone' }] } });
    const { creates, status: after, outcome } = await reconcile(missing);
    assert.deepEqual(creates, []);
    const text = 'False ContainerMissing: Unable to fetch image "example.com/gone": failed to resolve image to digest: manifest unknown';
    assert.deepEqual(conditionsOf(after), { ContainerHealthy: text, Ready: text, ResourcesAvailable: 'Unknown ResolvingDigests' });
    assert.equal(outcome?.kind, 'requeue');
  });

  test('is ready, and says so once, when the autoscaler has seen it up', async () => {
    const up = autoscaler({ Ready: 'True', Active: 'True', ScaleTargetInitialized: 'True' }, { actualScale: 1, desiredScale: 1 });
    const { events, status: after } = await reconcile(known, deployment(progressing), up);
    assert.deepEqual(conditionsOf(after), { Active: 'True', ContainerHealthy: 'True', Ready: 'True', ResourcesAvailable: 'True' });
    const { actualReplicas, desiredReplicas } = after as RevisionStatus;
    assert.deepEqual([actualReplicas, desiredReplicas], [1, 1]);
    assert.deepEqual(events, ['Normal RevisionReady Revision becomes ready upon all resources being ready']);
  });

  test('at zero it stays ready and is not active', async () => {
    const none = 'False NoTraffic: The target is not receiving traffic.';
    const idle = autoscaler({ Ready: none, Active: none, ScaleTargetInitialized: 'True' });
    const { status: after } = await reconcile(known, deployment(progressing), idle);
    assert.deepEqual(conditionsOf(after), { Active: none, ContainerHealthy: 'True', Ready: 'True', ResourcesAvailable: 'True' });
  });

  test('at zero without ever having been up it has missed its deadline', async () => {
    const late = 'False TimedOut: The target could not be activated.';
    const { status: after } = await reconcile(known, deployment(progressing), autoscaler({ Ready: late, Active: late }));
    assert.equal(conditionsOf(after)['ResourcesAvailable'], 'False ProgressDeadlineExceeded: Initial scale was never achieved');
    assert.equal(conditionsOf(after)['Ready'], 'False ProgressDeadlineExceeded: Initial scale was never achieved');
  });

  const troubles: [name: string, pod: Pod, state: object, type: string, text: string][] = [
    [
      'a container that ended says its code and its last words',
      pod({ name: 'user-container', lastState: { terminated: { exitCode: 5, message: 'no database\n' } }, state: { waiting: {} } }),
      progressing,
      'ContainerHealthy',
      'False ExitCode5: Container failed with: no database\n',
    ],
    [
      'a container that ended well and silently says that',
      pod({ name: 'user-container', state: { terminated: { exitCode: 0 } } }),
      progressing,
      'ContainerHealthy',
      'False ExitCode0: Container failed with: container exited with no error',
    ],
    [
      'a waiting container does not count before the deadline',
      pod({ name: 'user-container', state: { waiting: { reason: 'ImagePullBackOff', message: 'later' } } }),
      progressing,
      'ResourcesAvailable',
      'Unknown Deploying',
    ],
    [
      'a waiting container is the reason after the deadline',
      pod({ name: 'user-container', state: { waiting: { reason: 'ImagePullBackOff', message: 'no such tag' } } }),
      timedOut,
      'ResourcesAvailable',
      'False ImagePullBackOff: no such tag',
    ],
    [
      'a pod that fits nowhere says so',
      pod(
        { name: 'user-container' },
        { conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: 'no cpu' }] },
      ),
      progressing,
      'ResourcesAvailable',
      'False Unschedulable: no cpu',
    ],
  ];
  for (const [name, trouble, state, type, text] of troubles) {
    test(name, async () => {
      const { status: after } = await reconcile(known, deployment(state), autoscaler(queued), trouble);
      assert.equal(conditionsOf(after)[type], text);
    });
  }

  test('replicas that cannot be made are the reason', async () => {
    const refused = { conditions: [{ type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: 'quota' }] };
    const { status: after } = await reconcile(known, deployment(refused), autoscaler(queued));
    assert.equal(conditionsOf(after)['ResourcesAvailable'], 'False FailedCreate: quota');
  });

  test('leaves the number of replicas to the autoscaler', async () => {
    const scaled = deployment(progressing);
    if (scaled.spec) scaled.spec.replicas = 7;
    const { updates } = await reconcile(known, scaled, autoscaler(queued));
    const updated = updates.filter((one): one is Deployment => one.kind === 'Deployment');
    assert.deepEqual(
      updated.map(({ spec }) => spec?.replicas),
      [7],
    );
  });

  test('configuration that changes what pods are like reaches the revisions that are there, and nothing else of theirs changes', async () => {
    const [made] = (await reconcile(known)).creates.filter(({ kind }) => kind === 'Deployment') as [Deployment];
    const there = { ...deployment(), ...made, spec: { ...made.spec, replicas: 3 } } as Deployment;
    const unchanged = await reconcile(known, there, autoscaler(queued));
    assert.deepEqual(
      unchanged.updates.filter(({ kind }) => kind === 'Deployment'),
      [],
    );
    const { updates } = await reconcile(
      known,
      there,
      autoscaler(queued),
      configMap('config-features', { 'autodetect-http2': 'Enabled' }),
      configMap('config-deployment', { 'default-affinity-type': 'none' }),
    );
    const [after] = updates.filter(({ kind }) => kind === 'Deployment') as Deployment[];
    const template = there.spec?.template;
    const { affinity, ...spec } = template?.spec ?? {};
    assert.ok(affinity !== undefined);
    const annotations = { ...template?.metadata?.annotations, 'node.dormouse.dev/detect-http2': 'true' };
    assert.deepEqual(after?.spec, { ...there.spec, template: { metadata: { ...template?.metadata, annotations }, spec } });
  });

  test('the class an autoscaler was given when it was made stays, unless the revision names one', async () => {
    const key = 'autoscaling.knative.dev/class';
    const given = autoscaler(queued);
    given.metadata.annotations = { [key]: 'hpa.autoscaling.knative.dev' };
    const classes = async (of: Revision) =>
      (await reconcile(of, deployment(progressing), given)).updates
        .filter(({ kind }) => kind === 'PodAutoscaler')
        .map(({ metadata }) => metadata.annotations?.[key]);
    assert.ok((await classes(known)).every((one) => one === 'hpa.autoscaling.knative.dev'));
    const naming = { ...known, metadata: { ...known.metadata, annotations: { [key]: 'kpa.autoscaling.knative.dev' } } };
    assert.deepEqual(await classes(naming), ['kpa.autoscaling.knative.dev']);
  });

  test("somebody else's Deployment of the name is left alone", async () => {
    const { status: after, outcome } = await reconcile(known, make(deployments, 's-00001-deployment'));
    assert.equal(
      conditionsOf(after)['ResourcesAvailable'],
      'False NotOwned: There is an existing Deployment "s-00001-deployment" that we do not own.',
    );
    assert.equal(outcome?.kind, 'requeue');
  });
});
