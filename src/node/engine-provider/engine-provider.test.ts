import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { describe, it } from 'node:test';
import type { Pod } from '#apis/core/v1/pod.ts';
import { buildSandboxSpec } from '#node/engine-provider/container-spec.ts';
import { fakeNode, ProviderFixture, testPod } from '#node/testing/fixture.ts';

function condition(fixture: ProviderFixture, pod: Pod, type: string) {
  return fixture.status(pod.metadata.uid ?? '')?.conditions?.find((one) => one.type === type);
}
const uidOf = (pod: Pod): string => pod.metadata.uid ?? '';
const appState = (fixture: ProviderFixture, pod: Pod) => fixture.status(uidOf(pod))?.containerStatuses?.[0];

describe('a pod on an engine', () => {
  it('runs to Ready with addresses, ids and the events of kubelet', async () => {
    await using fixture = await ProviderFixture.create();
    const pod = testPod();
    await fixture.provider.createPod(pod);
    await fixture.until(() => condition(fixture, pod, 'Ready')?.status === 'True');
    const status = fixture.status(uidOf(pod));
    assert.equal(status?.phase, 'Running');
    assert.equal(status.podIP, '10.88.0.2');
    assert.equal(status.hostIP, '192.0.2.1');
    assert.equal(status.qosClass, 'BestEffort');
    assert.deepEqual(
      status.conditions?.map(({ type, status: value }) => `${type}=${value}`),
      ['PodReadyToStartContainers=True', 'Initialized=True', 'Ready=True', 'ContainersReady=True', 'PodScheduled=True'],
    );
    assert.match(appState(fixture, pod)?.imageID ?? '', /^app@sha256:/);
    assert.deepEqual(fixture.events.texts, [
      'Pulled: Container image "app:1" already present on machine (local store)',
      'Created: Created container: app',
      'Started: Started container app',
    ]);
  });

  it('restarts a failing container at once, then with a growing back-off, and keeps its last state', async () => {
    await using fixture = await ProviderFixture.create();
    fixture.engine.programs.set('app', { exit: { code: 3, afterMs: 1000 } });
    const pod = testPod();
    await fixture.provider.createPod(pod);
    await fixture.until(() => appState(fixture, pod)?.state?.running !== undefined);
    await fixture.advance(1000);
    await fixture.until(() => appState(fixture, pod)?.restartCount === 1 && appState(fixture, pod)?.state?.running !== undefined);
    await fixture.advance(1000);
    await fixture.until(() => appState(fixture, pod)?.state?.waiting?.reason === 'CrashLoopBackOff');
    const waiting = appState(fixture, pod);
    assert.equal(waiting?.state?.waiting?.message, `back-off 10s restarting failed container=app pod=web_default(${uidOf(pod)})`);
    assert.equal(waiting.lastState?.terminated?.exitCode, 3);
    assert.equal(waiting.lastState.terminated.reason, 'Error');
    assert.equal(fixture.status(uidOf(pod))?.phase, 'Running');
    await fixture.advance(9_000);
    assert.equal(appState(fixture, pod)?.restartCount, 1);
    await fixture.advance(1_000);
    await fixture.until(() => appState(fixture, pod)?.restartCount === 2);
  });

  const endings = [
    { policy: 'Never', code: 0, phase: 'Succeeded', reason: 'Completed' },
    { policy: 'Never', code: 7, phase: 'Failed', reason: 'Error' },
    { policy: 'OnFailure', code: 0, phase: 'Succeeded', reason: 'Completed' },
  ] as const;
  for (const { policy, code, phase, reason } of endings) {
    it(`ends as ${phase} when its container exits ${code} under ${policy}, and leaves nothing behind`, async () => {
      await using fixture = await ProviderFixture.create();
      fixture.engine.programs.set('app', { exit: { code, afterMs: 10 }, message: 'last words' });
      const pod = testPod({ restartPolicy: policy });
      await fixture.provider.createPod(pod);
      await fixture.until(() => appState(fixture, pod)?.state?.running !== undefined);
      await fixture.advance(10);
      await fixture.until(() => fixture.status(uidOf(pod))?.phase === phase && fixture.engine.journal.includes('removeSandbox web'));
      const terminated = appState(fixture, pod)?.state?.terminated;
      assert.equal(terminated?.reason, reason);
      assert.equal(terminated.exitCode, code);
      assert.equal(terminated.message, 'last words');
      assert.equal(condition(fixture, pod, 'Ready')?.reason, phase === 'Succeeded' ? 'PodCompleted' : 'PodFailed');
    });
  }

  it('says OOMKilled when the memory limit was exceeded', async () => {
    await using fixture = await ProviderFixture.create();
    fixture.engine.programs.set('app', { exit: { code: 137, signal: 9, afterMs: 5, oomKilled: true } });
    const pod = testPod({ restartPolicy: 'Never' });
    await fixture.provider.createPod(pod);
    await fixture.until(() => appState(fixture, pod)?.state?.running !== undefined);
    await fixture.advance(5);
    await fixture.until(() => fixture.status(uidOf(pod))?.phase === 'Failed');
    const { reason, exitCode, signal } = appState(fixture, pod)?.state?.terminated ?? {};
    assert.deepEqual([reason, exitCode, signal], ['OOMKilled', 137, undefined], 'the signal is in the code, as kubelet has it from CRI');
  });

  it('backs off from an unknown image, and runs when the image appears', async () => {
    await using fixture = await ProviderFixture.create();
    const pod = testPod({ containers: [{ image: 'missing:1' }] });
    await fixture.provider.createPod(pod);
    await fixture.until(() => appState(fixture, pod)?.state?.waiting?.reason === 'ErrImagePull');
    assert.match(appState(fixture, pod)?.state?.waiting?.message ?? '', /registry\.example said 404/);
    await fixture.advance(1_000);
    assert.equal(appState(fixture, pod)?.state?.waiting?.reason, 'ImagePullBackOff');
    assert.match(appState(fixture, pod)?.state?.waiting?.message ?? '', /^Back-off pulling image "missing:1": ErrImagePull: /);
    assert.equal(fixture.status(uidOf(pod))?.phase, 'Pending');
    fixture.images.add('missing:1');
    await fixture.advance(9_000);
    await fixture.until(() => condition(fixture, pod, 'Ready')?.status === 'True');
    const missing = 'missing:1: not found: registry.example said 404';
    assert.deepEqual(fixture.events.texts.slice(0, 6), [
      'Pulling: Pulling image "missing:1"',
      `Failed: Failed to pull image "missing:1": ${missing}`,
      'Failed: Error: ErrImagePull',
      'BackOff: Back-off pulling image "missing:1"',
      'Failed: Error: ImagePullBackOff',
      'Pulled: Container image "missing:1" already present on machine (local store)',
    ]);
  });

  it('reports a command that cannot be started as StartError and backs off', async () => {
    await using fixture = await ProviderFixture.create();
    fixture.engine.programs.set('app', { startError: 'exec: "/nope": stat /nope: no such file or directory' });
    const pod = testPod();
    await fixture.provider.createPod(pod);
    await fixture.until(() => appState(fixture, pod)?.state?.waiting?.reason === 'RunContainerError');
    assert.match(appState(fixture, pod)?.state?.waiting?.message ?? '', /no such file/);
    await fixture.advance(1_000);
    await fixture.until(() => appState(fixture, pod)?.restartCount === 1);
    await fixture.advance(1_000);
    await fixture.until(() => appState(fixture, pod)?.state?.waiting?.reason === 'CrashLoopBackOff');
    const last = appState(fixture, pod)?.lastState?.terminated;
    assert.equal(last?.reason, 'StartError');
    assert.equal(last.startedAt, '1970-01-01T00:00:00Z');
    assert.equal(last.exitCode, 128);
    assert.match(last.message ?? '', /no such file/);
    assert.ok(fixture.events.texts.includes('Failed: Error: exec: "/nope": stat /nope: no such file or directory'));
  });

  it('ends a container that ignores SIGTERM with SIGKILL after the grace period', async () => {
    await using fixture = await ProviderFixture.create();
    fixture.engine.programs.set('app', { ignoresTerm: true });
    const pod = testPod();
    await fixture.provider.createPod(pod);
    await fixture.until(() => condition(fixture, pod, 'Ready')?.status === 'True');
    const reports: string[] = [];
    fixture.provider.onStatus(({ status }) =>
      reports.push(`${status.phase} ${status.containerStatuses?.[0]?.state?.terminated?.exitCode}`),
    );
    const deleted = fixture.provider.deletePod(uidOf(pod), 30);
    await fixture.until(() => fixture.engine.journal.includes('SIGTERM app'));
    await fixture.advance(29_999);
    assert.ok(!fixture.engine.journal.includes('SIGKILL app'));
    await fixture.advance(1);
    await deleted;
    assert.deepEqual(fixture.engine.journal.slice(-3), ['SIGTERM app', 'SIGKILL app', 'removeSandbox web']);
    assert.equal(reports.at(-1), 'Running 137');
    assert.equal(fixture.status(uidOf(pod)), undefined);
  });

  it('shortens the wait when it is deleted again with a shorter grace', async () => {
    await using fixture = await ProviderFixture.create();
    fixture.engine.programs.set('app', { ignoresTerm: true });
    const pod = testPod();
    await fixture.provider.createPod(pod);
    await fixture.until(() => condition(fixture, pod, 'Ready')?.status === 'True');
    const slow = fixture.provider.deletePod(uidOf(pod), 300);
    await fixture.settle();
    await Promise.all([slow, fixture.provider.deletePod(uidOf(pod), 0)]);
    assert.ok(fixture.engine.journal.includes('SIGKILL app'));
  });

  it('gives a preStop hook its share of the grace period, then the stop signal two more seconds', async () => {
    await using fixture = await ProviderFixture.create();
    fixture.engine.programs.set('app', { ignoresTerm: true });
    const pod = testPod({ containers: [{ lifecycle: { preStop: { sleep: { seconds: 60 } } } }] });
    await fixture.provider.createPod(pod);
    await fixture.until(() => condition(fixture, pod, 'Ready')?.status === 'True');
    const deleted = fixture.provider.deletePod(uidOf(pod), 10);
    await fixture.settle();
    await fixture.advance(9_999);
    assert.ok(!fixture.engine.journal.includes('SIGTERM app'));
    await fixture.advance(1);
    assert.ok(fixture.engine.journal.includes('SIGTERM app'));
    assert.ok(fixture.events.reasons().includes('FailedPreStopHook'));
    await fixture.advance(2_000);
    await deleted;
    assert.deepEqual(fixture.engine.journal.slice(-3), ['SIGTERM app', 'SIGKILL app', 'removeSandbox web']);
  });

  it('is not kept by a container that the engine cannot end', async () => {
    await using fixture = await ProviderFixture.create();
    const pod = testPod();
    await fixture.provider.createPod(pod);
    await fixture.until(() => condition(fixture, pod, 'Ready')?.status === 'True');
    fixture.engine.signalContainer = () => Promise.reject(new Error('no such process'));
    const deleted = fixture.provider.deletePod(uidOf(pod), 1);
    await fixture.settle();
    await fixture.advance(60_000);
    await deleted;
    assert.deepEqual(await fixture.engine.list(), []);
  });

  it('kills and restarts a container whose postStart hook fails', async () => {
    await using fixture = await ProviderFixture.create();
    fixture.engine.programs.set('app', { exec: () => ({ code: 1, output: 'no' }) });
    const pod = testPod({ containers: [{ lifecycle: { postStart: { exec: { command: ['prepare'] } } } }] });
    await fixture.provider.createPod(pod);
    await fixture.until(() => (appState(fixture, pod)?.restartCount ?? 0) >= 1);
    assert.ok(fixture.events.texts.includes("FailedPostStartHook: PostStartHook failed: command 'prepare' exited with 1: no"));
  });

  it('restarts a container when its image is changed', async () => {
    await using fixture = await ProviderFixture.create();
    fixture.images.add('app:2', { environment: ['SECOND=1'] });
    const pod = testPod();
    await fixture.provider.createPod(pod);
    await fixture.until(() => condition(fixture, pod, 'Ready')?.status === 'True');
    const [container] = pod.spec?.containers ?? [];
    assert.ok(container !== undefined && pod.spec !== undefined);
    await fixture.provider.updatePod({ ...pod, spec: { ...pod.spec, containers: [{ ...container, image: 'app:2' }] } });
    await fixture.until(() => appState(fixture, pod)?.restartCount === 1 && appState(fixture, pod)?.ready === true);
    assert.ok(fixture.engine.specOf(uidOf(pod), 'app')?.environment.includes('SECOND=1'));
    assert.ok(fixture.events.texts.includes('Killing: Container app definition changed, will be restarted'));
  });

  it('runs init containers one after the other before the app, and fails with them under Never', async () => {
    await using fixture = await ProviderFixture.create();
    fixture.engine.programs.set('one', { exit: { code: 0, afterMs: 10 } });
    fixture.engine.programs.set('two', { exit: { code: 1, afterMs: 10 } });
    const initContainers = [
      { name: 'one', image: 'app:1' },
      { name: 'two', image: 'app:1' },
    ];
    const pod = testPod({ restartPolicy: 'Never', initContainers });
    await fixture.provider.createPod(pod);
    await fixture.until(() => fixture.engine.journal.includes('start one#0'));
    assert.equal(appState(fixture, pod)?.state?.waiting?.reason, 'PodInitializing');
    assert.equal(condition(fixture, pod, 'Initialized')?.message, 'containers with incomplete status: [one two]');
    await fixture.advance(10);
    await fixture.until(() => fixture.engine.journal.includes('start two#0'));
    await fixture.advance(10);
    await fixture.until(() => fixture.status(uidOf(pod))?.phase === 'Failed');
    assert.ok(!fixture.engine.journal.includes('start app#0'));
  });

  it('keeps a sidecar running beside the app and ends it last', async () => {
    await using fixture = await ProviderFixture.create();
    fixture.engine.programs.set('app', { exit: { code: 0, afterMs: 10 } });
    const pod = testPod({ restartPolicy: 'Never', initContainers: [{ name: 'side', image: 'app:1', restartPolicy: 'Always' }] });
    await fixture.provider.createPod(pod);
    await fixture.until(() => appState(fixture, pod)?.state?.running !== undefined);
    await fixture.advance(10);
    await fixture.until(() => fixture.status(uidOf(pod))?.phase === 'Succeeded' && fixture.engine.journal.includes('removeSandbox web'));
    assert.deepEqual(fixture.engine.journal, ['createSandbox web', 'start side#0', 'start app#0', 'SIGTERM side', 'removeSandbox web']);
  });

  it('waits with CreateContainerConfigError for a missing ConfigMap and starts when it is there', async () => {
    await using fixture = await ProviderFixture.create();
    const pod = testPod({ containers: [{ env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'conf', key: 'a' } } }] }] });
    await fixture.provider.createPod(pod);
    await fixture.until(() => appState(fixture, pod)?.state?.waiting?.reason === 'CreateContainerConfigError');
    assert.equal(appState(fixture, pod)?.state?.waiting?.message, 'configmap "conf" not found');
    assert.ok(fixture.events.texts.includes('MandatoryConfigMapNotFound: configmap "conf" not found'));
    fixture.sources.setConfigMap('default', 'conf', { a: '1' });
    await fixture.advance(5_000);
    await fixture.until(() => condition(fixture, pod, 'Ready')?.status === 'True');
    assert.ok(fixture.engine.specOf(uidOf(pod), 'app')?.environment.includes('A=1'));
  });

  it('fails a pod that is active longer than its deadline', async () => {
    await using fixture = await ProviderFixture.create();
    const pod = testPod({ activeDeadlineSeconds: 60 });
    await fixture.provider.createPod(pod);
    await fixture.until(() => condition(fixture, pod, 'Ready')?.status === 'True');
    await fixture.advance(60_000);
    await fixture.until(() => fixture.status(uidOf(pod))?.phase === 'Failed');
    assert.equal(fixture.status(uidOf(pod))?.reason, 'DeadlineExceeded');
  });

  it('makes a sandbox again and again while the engine cannot, saying why', async () => {
    await using fixture = await ProviderFixture.create();
    fixture.engine.sandboxError = 'no addresses left';
    const pod = testPod();
    await fixture.provider.createPod(pod);
    await fixture.until(() => fixture.events.texts.includes('FailedCreatePodSandBox: Failed to create pod sandbox: no addresses left'));
    fixture.engine.sandboxError = undefined;
    await fixture.advance(1_000);
    await fixture.until(() => condition(fixture, pod, 'Ready')?.status === 'True');
  });
});

describe('an agent that comes back', () => {
  it('adopts running containers without restarting them', async () => {
    await using fixture = await ProviderFixture.create();
    const pod = testPod();
    await fixture.provider.createPod(pod);
    await fixture.until(() => condition(fixture, pod, 'Ready')?.status === 'True');
    const status = fixture.status(uidOf(pod));
    assert.deepEqual(await fixture.restart(), [uidOf(pod)]);
    await fixture.provider.createPod({ ...pod, ...(status === undefined ? {} : { status }) });
    await fixture.settle();
    assert.deepEqual(fixture.status(uidOf(pod)), status);
    assert.deepEqual(fixture.engine.journal, ['createSandbox web', 'start app#0']);
    await fixture.engine.end(uidOf(pod), 'app', { exitCode: 1 });
    await fixture.until(() => appState(fixture, pod)?.restartCount === 1);
  });

  it('never runs a finished pod again, even when its last status was not written', async () => {
    await using fixture = await ProviderFixture.create();
    fixture.engine.programs.set('app', { exit: { code: 0, afterMs: 10 } });
    const pod = testPod({ restartPolicy: 'Never' });
    await fixture.provider.createPod(pod);
    await fixture.until(() => appState(fixture, pod)?.state?.running !== undefined);
    await fixture.advance(10);
    await fixture.until(() => fixture.status(uidOf(pod))?.phase === 'Succeeded' && fixture.engine.journal.includes('removeSandbox web'));
    await fixture.settle();
    await fixture.restart();
    await fixture.provider.createPod(pod);
    await fixture.until(() => fixture.status(uidOf(pod))?.phase === 'Succeeded');
    assert.equal(fixture.engine.journal.filter((entry) => entry.startsWith('start')).length, 1);
  });

  it('counts a container that ended while it was away, once', async () => {
    await using fixture = await ProviderFixture.create();
    const pod = testPod();
    await fixture.provider.createPod(pod);
    await fixture.until(() => condition(fixture, pod, 'Ready')?.status === 'True');
    const status = fixture.status(uidOf(pod));
    await fixture.provider[Symbol.asyncDispose]();
    await fixture.engine.end(uidOf(pod), 'app', { exitCode: 4 });
    await fixture.restart();
    await fixture.provider.createPod({ ...pod, ...(status === undefined ? {} : { status }) });
    await fixture.until(() => appState(fixture, pod)?.state?.running !== undefined && appState(fixture, pod)?.restartCount === 1);
    assert.equal(appState(fixture, pod)?.lastState?.terminated?.exitCode, 4);
  });

  it('starts over after a reboot, with the lost container counted as a restart', async () => {
    await using fixture = await ProviderFixture.create();
    const pod = testPod();
    const startedAt = '2025-12-31T00:00:00Z';
    const containerStatuses = [
      { name: 'app', image: 'app:1', imageID: 'x', ready: true, started: true, restartCount: 2, state: { running: { startedAt } } },
    ];
    await fixture.provider.createPod({ ...pod, status: { phase: 'Running', containerStatuses } });
    await fixture.until(() => appState(fixture, pod)?.lastState?.terminated?.reason === 'ContainerStatusUnknown');
    await fixture.advance(300_000);
    await fixture.until(() => appState(fixture, pod)?.restartCount === 3 && appState(fixture, pod)?.state?.running !== undefined);
  });

  it('removes what belongs to no pod', async () => {
    await using fixture = await ProviderFixture.create();
    const pod = testPod();
    await fixture.provider.createPod(pod);
    await fixture.until(() => condition(fixture, pod, 'Ready')?.status === 'True');
    await fixture.restart();
    await fixture.provider.deletePod(uidOf(pod), 0);
    assert.deepEqual(await fixture.engine.list(), []);
    assert.deepEqual(await fixture.restart(), []);
  });

  it('runs an ephemeral container once beside the others, and the pod goes on as before', async () => {
    await using fixture = await ProviderFixture.create();
    fixture.engine.programs.set('debug', { exit: { code: 4, afterMs: 10 } });
    const pod = testPod();
    await fixture.provider.createPod(pod);
    await fixture.until(() => condition(fixture, pod, 'Ready')?.status === 'True');
    const debugged = structuredClone(pod);
    debugged.spec.ephemeralContainers = [{ name: 'debug', image: 'app:1', stdin: true, targetContainerName: 'app', resources: {} }];
    const found = () => fixture.status(uidOf(pod))?.ephemeralContainerStatuses?.[0];
    await fixture.provider.updatePod(debugged);
    await fixture.until(() => found()?.state?.running !== undefined);
    assert.equal(fixture.engine.started('debug')?.processesOf, 'app');
    assert.equal(condition(fixture, pod, 'Ready')?.status, 'True');
    await fixture.restart();
    await fixture.provider.createPod(debugged);
    await fixture.until(() => found()?.state?.running !== undefined);
    await fixture.advance(10);
    await fixture.until(() => found()?.state?.terminated?.exitCode === 4);
    await fixture.advance(60_000);
    assert.deepEqual([found()?.restartCount, found()?.ready, fixture.status(uidOf(pod))?.phase], [0, false, 'Running']);
    await fixture.restart();
    await fixture.provider.createPod({ ...debugged, status: fixture.status(uidOf(pod)) ?? {} });
    await fixture.until(() => found()?.state?.terminated?.exitCode === 4);
    assert.equal(fixture.engine.journal.filter((entry) => entry === 'start debug#0').length, 1);
  });

  it('has a host name of its own, and the host’s in the host’s network', () => {
    const dns = { nameservers: [], searches: [], options: [] };
    const nameOf = (spec: object) => buildSandboxSpec(testPod(spec), fakeNode, dns).hostname;
    assert.deepEqual([nameOf({}), nameOf({ hostname: 'other' }), nameOf({ hostNetwork: true })], ['web', 'other', hostname()]);
  });
});
