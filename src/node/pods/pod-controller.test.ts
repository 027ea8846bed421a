import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { drainedAnnotation, freezeAnnotation } from '#apis/dormouse/names.ts';
import { pods, type Pod } from '#apis/core/v1/pod.ts';
import { isReady } from '#apis/core/v1/pod-state.ts';
import { createInformers } from '#client/informer.ts';
import type { Informers } from '#client/informer-types.ts';
import { FakeCluster } from '#controller/testing.ts';
import { silentLogger } from '#core/logger.ts';
import { revisionLabel } from '#node/names.ts';
import type { Refusal } from '#node/pods/admission.ts';
import { PodController } from '#node/pods/pod-controller.ts';
import { ProviderFixture, testPod } from '#node/testing/fixture.ts';

/** A pod controller over a fake API and a provider on a fake engine. */
class Rig implements AsyncDisposable {
  readonly fixture: ProviderFixture;
  readonly cluster: FakeCluster;
  /** What new pods are refused with. */
  refusal: Refusal | undefined;
  #informers: Informers | undefined;
  #controller: PodController | undefined;

  private constructor(fixture: ProviderFixture) {
    this.fixture = fixture;
    this.cluster = new FakeCluster(fixture.clock);
  }

  static async start(...objects: Pod[]): Promise<Rig> {
    const rig = new Rig(await ProviderFixture.create());
    rig.cluster.seed(...objects);
    await rig.startController();
    return rig;
  }

  async startController(): Promise<void> {
    const { clock, events, provider } = this.fixture;
    this.#informers = createInformers(this.cluster, { clock });
    const informer = this.#informers.of(pods, { fieldSelector: 'spec.nodeName=node-1' });
    await this.#informers.start();
    const refusal = () => this.refusal;
    this.#controller = new PodController({ provider, client: this.cluster, pods: informer, events, refusal, clock, logger: silentLogger });
    await this.#controller.start();
  }

  /** As after SIGKILL: a new provider and controller over the same engine and API. */
  async restart(whileAway: () => void | Promise<void> = () => {}): Promise<void> {
    await this.#controller?.[Symbol.asyncDispose]();
    await this.#informers?.[Symbol.asyncDispose]();
    await whileAway();
    this.fixture.provider = this.fixture.newProvider();
    await this.startController();
  }

  wake(key: string): void {
    this.#controller?.wake(key);
  }

  pod(): Pod | undefined {
    return this.cluster.find(pods, 'default', 'web');
  }
  change(change: (pod: Pod) => void): void {
    this.cluster.change(pods, 'default', 'web', change);
  }
  /** As `kubectl delete` does: the agent has the last word. */
  requestDeletion(graceSeconds: number): void {
    const end = new Date(this.fixture.clock.now() + graceSeconds * 1000).toISOString();
    this.change(({ metadata }) => Object.assign(metadata, { deletionTimestamp: end, deletionGracePeriodSeconds: graceSeconds }));
  }
  isReady(): boolean {
    return isReady(this.pod() ?? {});
  }
  until(condition: () => boolean): Promise<void> {
    return this.fixture.until(condition);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#controller?.[Symbol.asyncDispose]();
    await this.#informers?.[Symbol.asyncDispose]();
    await this.fixture[Symbol.asyncDispose]();
  }
}

const servingPod = (): Pod => {
  const pod = testPod();
  return { ...pod, metadata: { ...pod.metadata, labels: { [revisionLabel]: 'hello-00001' } } };
};

describe('the pods of a node', () => {
  it('run, and the API learns their status', async () => {
    await using rig = await Rig.start(testPod());
    await rig.until(() => rig.isReady());
    const status = rig.pod()?.status;
    assert.equal(status?.phase, 'Running');
    assert.equal(status.podIP, '10.88.0.2');
    assert.equal(status.containerStatuses?.[0]?.ready, true);
  });

  it('that the node refuses have failed without having run; those it runs already stay', async () => {
    await using rig = await Rig.start(testPod());
    await rig.until(() => rig.isReady());
    rig.refusal = { reason: 'Evicted', message: 'The node had condition: [DiskPressure]. ' };
    const late = testPod();
    rig.cluster.seed({ ...late, metadata: { ...late.metadata, name: 'late' } });
    const found = () => rig.cluster.find(pods, 'default', 'late')?.status;
    await rig.until(() => found()?.phase === 'Failed');
    assert.deepEqual([found()?.reason, found()?.message], ['Evicted', 'Pod was rejected: The node had condition: [DiskPressure]. ']);
    assert.ok(rig.fixture.events.texts.includes('Evicted: The node had condition: [DiskPressure]. '));
    assert.ok(!rig.fixture.engine.journal.some((entry) => entry.endsWith('late')));
    await rig.restart();
    assert.ok(rig.isReady());
  });

  it('leave the API only after their containers have ended and their last status is written', async () => {
    const pod = testPod();
    // The fake API lets go of a deleted object at its next write unless something holds it.
    await using rig = await Rig.start({ ...pod, metadata: { ...pod.metadata, finalizers: ['example.com/hold'] } });
    await rig.until(() => rig.isReady());
    rig.requestDeletion(30);
    await rig.until(() => rig.cluster.actions.at(-1)?.verb === 'delete');
    assert.deepEqual(rig.cluster.actions.at(-1)?.body, { gracePeriodSeconds: 0, preconditions: { uid: pod.metadata.uid } });
    assert.deepEqual(rig.fixture.engine.journal.slice(-2), ['SIGTERM app', 'removeSandbox web']);
    assert.equal(rig.pod()?.status?.containerStatuses?.[0]?.state?.terminated?.exitCode, 143);
    assert.equal(rig.isReady(), false);
  });

  it('of a revision are stopped only when the gateway says they are drained', async () => {
    await using rig = await Rig.start(servingPod());
    await rig.until(() => rig.isReady());
    rig.requestDeletion(300);
    await rig.fixture.advance(100_000);
    assert.ok(!rig.fixture.engine.journal.includes('SIGTERM app'));
    rig.change((pod) => {
      pod.metadata.annotations = { [drainedAnnotation]: 'true' };
    });
    await rig.until(() => rig.pod() === undefined);
    assert.ok(rig.fixture.engine.journal.includes('SIGTERM app'));
  });

  it('of a revision are stopped at the end of their grace period when nobody reports them drained', async () => {
    await using rig = await Rig.start(servingPod());
    await rig.until(() => rig.isReady());
    rig.requestDeletion(20);
    await rig.fixture.advance(19_999);
    assert.ok(!rig.fixture.engine.journal.includes('SIGTERM app'));
    await rig.fixture.advance(1);
    await rig.until(() => rig.pod() === undefined);
    assert.ok(rig.fixture.engine.journal.includes('SIGTERM app'));
  });

  it('are frozen and thawed as their annotation asks', async () => {
    await using rig = await Rig.start(testPod());
    await rig.until(() => rig.isReady());
    rig.change((pod) => {
      pod.metadata.annotations = { [freezeAnnotation]: 'true' };
    });
    await rig.until(() => rig.fixture.engine.journal.includes('freeze'));
    rig.change((pod) => {
      pod.metadata.annotations = {};
    });
    await rig.until(() => rig.fixture.engine.journal.includes('thaw'));
  });

  it('are thawed at once when they are called, and frozen again where the annotation stays', async () => {
    await using rig = await Rig.start(testPod());
    await rig.until(() => rig.isReady());
    const { journal } = rig.fixture.engine;
    const times = (step: string) => journal.filter((entry) => entry === step).length;
    rig.change((pod) => (pod.metadata.annotations = { [freezeAnnotation]: 'true' }));
    await rig.until(() => times('freeze') === 1);
    rig.wake('default/other');
    rig.wake('default/web');
    await rig.until(() => times('thaw') === 1);
    rig.change((pod) => (pod.metadata.labels = { seen: 'again' }));
    await rig.fixture.advance(6000);
    rig.wake('default/web');
    await rig.fixture.advance(6000);
    assert.deepEqual([times('freeze'), times('thaw')], [1, 1], 'every call counts anew');
    await rig.fixture.advance(4000);
    await rig.until(() => times('freeze') === 2);
    rig.wake('default/web');
    await rig.until(() => times('thaw') === 2);
    rig.change((pod) => (pod.metadata.annotations = {}));
    rig.change((pod) => (pod.metadata.annotations = { [freezeAnnotation]: 'true' }));
    await rig.until(() => times('freeze') === 3);
    rig.change((pod) => (pod.metadata.annotations = {}));
    await rig.until(() => times('thaw') === 3);
    for (let seconds = 0; seconds < 20; seconds += 1) await rig.fixture.advance(1000);
    assert.deepEqual([times('freeze'), times('thaw')], [3, 3]);
  });

  it('keep the conditions that others write', async () => {
    await using rig = await Rig.start(testPod({ readinessGates: [{ conditionType: 'example.com/gate' }] }));
    const reason = () => rig.pod()?.status?.conditions?.find(({ type }) => type === 'Ready')?.reason;
    await rig.until(() => reason() === 'ReadinessGatesNotReady');
    rig.change((pod) => pod.status?.conditions?.push({ type: 'example.com/gate', status: 'True' }));
    await rig.until(() => rig.isReady());
    assert.ok(rig.pod()?.status?.conditions?.some(({ type }) => type === 'example.com/gate'));
  });

  it('write their status again until the API takes it', async () => {
    await using rig = await Rig.start();
    let failures = 0;
    rig.cluster.fail = ({ subresource }) => (subresource === 'status' && ++failures <= 3 ? new Error('away') : undefined);
    rig.cluster.seed(testPod());
    rig.change((pod) => {
      pod.metadata.labels = { seen: 'yes' };
    });
    await rig.until(() => failures > 0);
    for (let turn = 0; turn < 5; turn += 1) await rig.fixture.advance(1_000);
    await rig.until(() => rig.isReady());
  });

  it('that vanish from the API are ended', async () => {
    await using rig = await Rig.start(testPod());
    await rig.until(() => rig.isReady());
    await rig.cluster.of(pods).delete('default', 'web', { gracePeriodSeconds: 0 });
    await rig.until(() => rig.fixture.engine.journal.includes('removeSandbox web'));
  });

  it('that have ended are not run again', async () => {
    await using rig = await Rig.start({ ...testPod({ restartPolicy: 'Never' }), status: { phase: 'Failed' } });
    await rig.fixture.settle();
    assert.deepEqual(rig.fixture.engine.journal, []);
  });
});

describe('an agent that comes back to its node', () => {
  it('removes pods that the API has forgotten and keeps the others', async () => {
    await using rig = await Rig.start(testPod());
    await rig.until(() => rig.isReady());
    await rig.restart();
    await rig.fixture.settle();
    assert.ok(!rig.fixture.engine.journal.includes('removeSandbox web'));
    await rig.restart(async () => {
      await rig.cluster.of(pods).delete('default', 'web', { gracePeriodSeconds: 0 });
    });
    await rig.until(() => rig.fixture.engine.journal.includes('removeSandbox web'));
  });

  it('goes on ending a pod in its own time', async () => {
    await using rig = await Rig.start(testPod());
    await rig.until(() => rig.isReady());
    await rig.restart(() => rig.requestDeletion(30));
    await rig.until(() => rig.pod() === undefined);
    assert.deepEqual(rig.fixture.engine.journal.slice(-2), ['SIGTERM app', 'removeSandbox web']);
  });
});
