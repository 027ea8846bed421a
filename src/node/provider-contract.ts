import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pod } from '#apis/core/v1/pod.ts';
import { isReady } from '#apis/core/v1/pod-state.ts';
import type { PodStatus } from '#apis/core/v1/pod-status.ts';
import type { Provider } from '#node/provider.ts';

/** What the contract needs of a provider under test: programs it can run, and a way to let time pass. */
export interface ProviderUnderTest extends AsyncDisposable {
  readonly provider: Provider;
  /** A pod, not yet created, whose one container `app` does this. */
  pod(program: 'runs' | 'exits 0' | 'exits 7', restartPolicy: 'Always' | 'OnFailure' | 'Never'): Pod;
  /** Waits until the condition holds, letting time pass; throws when it never does. */
  until(condition: () => boolean): Promise<void>;
  /** The same provider as a restarted agent makes it; pods keep running meanwhile. */
  restart(): Promise<ProviderUnderTest['provider']>;
}

/** What every provider must keep, whatever runs the containers. */
export function providerContract(name: string, create: () => Promise<ProviderUnderTest>): void {
  describe(`provider contract: ${name}`, () => {
    it('runs a pod to Ready and knows it', async () => {
      await using test = await create();
      const pod = test.pod('runs', 'Always');
      await test.provider.createPod(pod);
      await test.until(() => isReadyStatus(test.provider.getPodStatus(uidOf(pod))));
      assert.deepEqual(test.provider.getPods(), [uidOf(pod)]);
      assert.notEqual(test.provider.getPodStatus(uidOf(pod))?.podIP ?? '', '');
    });

    it('takes the same pod twice without starting it twice', async () => {
      await using test = await create();
      const pod = test.pod('runs', 'Always');
      await test.provider.createPod(pod);
      await test.provider.createPod(pod);
      await test.until(() => isReadyStatus(test.provider.getPodStatus(uidOf(pod))));
      assert.equal(test.provider.getPods().length, 1);
      assert.equal(test.provider.getPodStatus(uidOf(pod))?.containerStatuses?.[0]?.restartCount, 0);
    });

    const endings = [
      ['exits 0', 'Never', 'Succeeded', 0],
      ['exits 7', 'Never', 'Failed', 7],
      ['exits 0', 'OnFailure', 'Succeeded', 0],
    ] as const;
    for (const [program, policy, phase, exitCode] of endings) {
      it(`keeps the exit code: ${program} under ${policy} is ${phase}`, async () => {
        await using test = await create();
        const pod = test.pod(program, policy);
        await test.provider.createPod(pod);
        await test.until(() => test.provider.getPodStatus(uidOf(pod))?.phase === phase);
        const state = test.provider.getPodStatus(uidOf(pod))?.containerStatuses?.[0]?.state;
        assert.equal(state?.terminated?.exitCode, exitCode);
      });
    }

    it('restarts under Always and counts', async () => {
      await using test = await create();
      const pod = test.pod('exits 7', 'Always');
      await test.provider.createPod(pod);
      await test.until(() => (test.provider.getPodStatus(uidOf(pod))?.containerStatuses?.[0]?.restartCount ?? 0) >= 1);
    });

    it('reports the last status before deletePod resolves, and then does not know the pod; deleting again is no error', async () => {
      await using test = await create();
      const pod = test.pod('runs', 'Always');
      await test.provider.createPod(pod);
      await test.until(() => isReadyStatus(test.provider.getPodStatus(uidOf(pod))));
      const reports: PodStatus[] = [];
      test.provider.onStatus((report) => reports.push(report.status));
      await test.provider.deletePod(uidOf(pod), 1);
      assert.ok(reports.at(-1)?.containerStatuses?.every((one) => one.state?.terminated !== undefined));
      assert.equal(test.provider.getPodStatus(uidOf(pod)), undefined);
      await test.provider.deletePod(uidOf(pod), 1);
      await test.provider.deletePod('no-such-uid', 0);
    });

    it('adopts what runs after a restart, without restarting it', async () => {
      await using test = await create();
      const pod = test.pod('runs', 'Always');
      await test.provider.createPod(pod);
      await test.until(() => isReadyStatus(test.provider.getPodStatus(uidOf(pod))));
      const status = test.provider.getPodStatus(uidOf(pod));
      const provider = await test.restart();
      assert.ok((await provider.adopt(new AbortController().signal)).includes(uidOf(pod)));
      await provider.createPod({ ...pod, ...(status === undefined ? {} : { status }) });
      await test.until(() => isReadyStatus(provider.getPodStatus(uidOf(pod))));
      assert.equal(provider.getPodStatus(uidOf(pod))?.containerStatuses?.[0]?.containerID, status?.containerStatuses?.[0]?.containerID);
    });

    it('answers for pods it does not know', async () => {
      await using test = await create();
      assert.equal(test.provider.getPodStatus('no-such-uid'), undefined);
      await assert.rejects(async () => {
        const options = { follow: false, previous: false, timestamps: false, signal: new AbortController().signal };
        await test.provider.getContainerLogs?.({ uid: 'no-such-uid', container: 'app' }, options);
      }, /does not exist/);
    });
  });
}

const uidOf = (pod: Pod): string => pod.metadata.uid ?? '';

const isReadyStatus = (status: PodStatus | undefined): boolean => status !== undefined && isReady({ status });
