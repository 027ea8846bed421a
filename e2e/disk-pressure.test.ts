import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { openMachine, putImage, type TestMachine } from '#images/testing.ts';
import { withoutKubectl } from './support/kubectl.ts';
import { TestPlatform } from './support/platform.ts';
import { mustRun, run, until } from './support/run.ts';
import { loadTestImage, testLayer, withoutTestImage } from './support/test-image.ts';

/** A real disk that is too full: what users see of it, what the node does about it, and that all goes on when there is room. */
const noMount = process.getuid?.() === 0 ? false : 'a small disk needs root to be mounted';
const megabyte = 2 ** 20;

describe('a node on a full disk', { skip: withoutKubectl || withoutTestImage || noMount }, () => {
  let mountPoint = '';
  let elsewhere = '';
  let registry: TestMachine;
  let platform: TestPlatform;

  before(async () => {
    [mountPoint, elsewhere] = await Promise.all([mkdtemp(join(tmpdir(), 'dormouse-small-')), mkdtemp(join(tmpdir(), 'dormouse-origin-'))]);
    await mustRun('mount', ['-t', 'tmpfs', '-o', 'size=400m', 'none', mountPoint]);
    registry = await openMachine(elsewhere);
    for (const name of ['unused:1', 'large:1'])
      await putImage(registry.store, `${registry.host}/${name}`, await testLayer({ data: randomBytes(60 * megabyte) }));
    platform = new TestPlatform(join(mountPoint, 'data'), {});
    await platform.up();
    const image = await loadTestImage(platform);
    await platform.apply(pod('worker', image, 'while true; do echo working; sleep 0.02; done'), pod('greedy', image, 'exec sleep 100000'));
    for (const name of ['worker', 'greedy']) await platform.waitForPod(name);
  });

  after(async () => {
    await platform?.[Symbol.asyncDispose]();
    await registry?.[Symbol.asyncDispose]();
    await run('umount', [mountPoint]);
    for (const directory of [mountPoint, elsewhere]) await rm(directory, { recursive: true, force: true });
  });

  const filler = () => join(mountPoint, 'filler');
  const available = async () => {
    const { bavail, bsize } = await statfs(mountPoint);
    return bavail * bsize;
  };
  /** Fills the disk but for so many bytes. The platform writes at the same time: whoever comes last may find it full. */
  const fillBut = async (leftBytes: number) => {
    await rm(filler(), { force: true });
    await writeFile(filler(), Buffer.alloc(Math.max(0, (await available()) - leftBytes))).catch((error: NodeJS.ErrnoException) => {
      assert.equal(error.code, 'ENOSPC');
    });
  };
  const field = (what: readonly string[], path: string) => platform.kubectl(['get', ...what, '-o', `jsonpath={${path}}`]);
  const pressure = () => field(['nodes'], '.items[0].status.conditions[?(@.type=="DiskPressure")].status');
  const taints = () => field(['nodes'], '.items[0].spec.taints');
  const eventually = (what: string, holds: () => Promise<boolean>) => until(what, async () => ((await holds()) ? true : undefined), 90_000);
  const event = (pattern: RegExp) =>
    until(`an event like ${pattern}`, async () => {
      const template = '{range .items[*]}{.involvedObject.kind} {.type} {.reason} {.source.component}: {.message}{"\\n"}{end}';
      return pattern.exec(await field(['events'], template.slice(1, -1)).catch(() => '')) ?? undefined;
    });
  /** The container prints a line each 20 ms; on a full disk its log does not grow. */
  const logTakesNoMore = async () => {
    const before = await platform.kubectl(['logs', 'worker', '--tail=1', '--timestamps']);
    await platform.kubectl(['exec', 'worker', '--', 'sleep', '0.5']);
    return before === (await platform.kubectl(['logs', 'worker', '--tail=1', '--timestamps']));
  };
  const restarts = async () => /^node\s+ready\s+\d+\s+(\d+)/m.exec(await platform.dormouse(['status']))?.[1];

  it('the API says that the disk is full; pods and the agent go on, and what they could not log is said', async () => {
    await fillBut(0);
    const create = ['create', 'configmap', 'settings', '--from-literal=a=b'];
    const { code, stderr } = await platform.tryKubectl(create);
    assert.equal(code, 1);
    assert.match(stderr, /no space left|disk[^]* full/i);
    assert.match(await platform.kubectl(['exec', 'worker', '--', 'echo', 'here']), /here/);
    // More than the last block of its log has room for: 8 KiB of output.
    await until('output beyond what the log has room for', async () => ((await logTakesNoMore()) ? true : undefined));
    await rm(filler());
    await eventually('the API to take changes again', async () => (await platform.tryKubectl(create)).code === 0);
    assert.equal(await restarts(), '0');
    await eventually('the log to say so', async () =>
      /\d+ bytes of output were lost: no space left on device/.test(await platform.kubectl(['logs', 'worker'])),
    );
    assert.match(await platform.kubectl(['logs', 'worker', '--tail=1']), /working/);
  });

  it('a tenth left: DiskPressure and its taint; unused images go, nobody is evicted, and then pods are placed again', async () => {
    await platform.dormouse(['image', 'pull', `${registry.host}/unused:1`]);
    await fillBut(30 * megabyte);
    await eventually('disk pressure', async () => (await pressure()) === 'True');
    await eventually('its taint', async () => (await taints()).includes('"effect":"NoSchedule","key":"node.kubernetes.io/disk-pressure"'));
    await event(/Node Warning EvictionThresholdMet kubelet: Attempting to reclaim ephemeral-storage/);
    await event(/Node Normal NodeHasDiskPressure kubelet: Node dormouse status is now: NodeHasDiskPressure/);
    await platform.apply(pod('late', 'test.local/busybox:1', 'exec sleep 100000'));
    await event(
      /Pod Warning FailedScheduling default-scheduler: 0\/1 nodes are available: 1 node\(s\) had untolerated taint \{node\.kubernetes\.io\/disk-pressure: \}\. /,
    );
    await platform.apply(pod('bound', 'test.local/busybox:1', 'exec sleep 100000', { nodeName: 'dormouse' }));
    await event(/Pod Warning Evicted kubelet: The node had condition: \[DiskPressure\]\. /);
    const refused = (await field(['pod', 'bound'], '.status')) as string;
    assert.match(refused, /"message":"Pod was rejected: The node had condition: \[DiskPressure\]\. ","phase":"Failed".*"reason":"Evicted"/);
    await platform.kubectl(['delete', 'pod', 'bound']);
    await eventually('the unused image to be gone', async () => !(await platform.dormouse(['image', 'ls'])).includes('unused'));
    await eventually('its space to be free', async () => (await available()) > 80 * megabyte);
    await platform.waitForPod('late');
    assert.deepEqual([await pressure(), (await taints()).includes('disk-pressure')], ['False', false]);
    await event(/Node Normal NodeHasNoDiskPressure kubelet: Node dormouse status is now: NodeHasNoDiskPressure/);
    assert.equal(await field(['pods'], '.items[*].status.phase'), 'Running Running Running');
  });

  it('an image that does not fit: ErrImagePull, no space left on device; with room the pod runs', async () => {
    await fillBut(55 * megabyte);
    await platform.apply(pod('large', `${registry.host}/large:1`, 'exec /bin/busybox sleep 100000'));
    await event(/Pod Warning Failed kubelet: Failed to pull image "localhost:\d+\/large:1": [^\n]*no space left on device/);
    const state = '.status.containerStatuses[0].state.waiting';
    await eventually('the back-off', async () => (await field(['pod', 'large'], `${state}.reason`)) === 'ImagePullBackOff');
    assert.match(await field(['pod', 'large'], `${state}.message`), /^Back-off pulling image .*: ErrImagePull: .*no space left on device/);
    await rm(filler());
    await platform.waitForPod('large');
  });

  it('a pod that fills the disk is evicted, the others stay', async () => {
    const count = Math.floor(((await available()) - 20 * megabyte) / megabyte);
    await platform.tryKubectl(['exec', 'greedy', '--', 'dd', 'if=/dev/zero', 'of=/tmp/file', 'bs=1M', `count=${count}`]);
    await eventually('the eviction', async () => (await field(['pod', 'greedy'], '.status.reason')) === 'Evicted');
    const [phase, message, disruption] = await Promise.all([
      field(['pod', 'greedy'], '.status.phase'),
      field(['pod', 'greedy'], '.status.message'),
      field(['pod', 'greedy'], '.status.conditions[?(@.type=="DisruptionTarget")].reason'),
    ]);
    assert.deepEqual([phase, disruption], ['Failed', 'TerminationByKubelet']);
    const words =
      /^The node was low on resource: ephemeral-storage\. Threshold quantity: 40Mi, available: \d+Ki\. Container main was using \d+Ki, request is 0, has larger consumption of ephemeral-storage\. $/;
    assert.match(message, words);
    await event(/Pod Warning Evicted kubelet: The node was low on resource: ephemeral-storage\./);
    await event(
      /Node Warning FreeDiskSpaceFailed kubelet: Failed to garbage collect required amount of images\. Attempted to free \d+ bytes, but only found \d+ bytes eligible to free\./,
    );
    assert.match(await platform.kubectl(['describe', 'pod', 'greedy']), /^Status: +Failed\nReason: +Evicted\n/m);
    await eventually('the end of the pressure', async () => (await pressure()) === 'False');
    for (const name of ['worker', 'late', 'large']) assert.equal(await field(['pod', name], '.status.phase'), 'Running');
    assert.equal(await restarts(), '0');
  });
});

function pod(name: string, image: string, script: string, spec: object = {}): object {
  const containers = [{ name: 'main', image, imagePullPolicy: 'IfNotPresent', command: ['/bin/sh', '-c', script] }];
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec: { terminationGracePeriodSeconds: 0, containers, ...spec } };
}
