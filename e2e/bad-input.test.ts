import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { freePort } from './support/free-port.ts';
import { withoutKubectl } from './support/kubectl.ts';
import { startPlatform, type TestPlatform } from './support/platform.ts';
import { until } from './support/run.ts';
import { loadTestImage, withoutTestImage } from './support/test-image.ts';

/**
 * What cannot work, as a user sees it with kubectl: status, reason, message and event are those of a Kubernetes cluster; and it works
 * as soon as the cause is gone. Everything is applied at once: back-offs run side by side.
 */
const skip = withoutKubectl || withoutTestImage;

interface Terminated {
  readonly exitCode: number;
  readonly signal?: number;
  readonly reason: string;
  readonly message?: string;
  readonly startedAt?: string;
}
interface State {
  readonly waiting?: { readonly reason: string; readonly message?: string };
  readonly running?: object;
  readonly terminated?: Terminated;
}
interface PodView {
  readonly kind: 'Pod';
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
  readonly status: {
    readonly phase: string;
    readonly reason?: string;
    readonly message?: string;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason?: string;
      readonly message?: string;
    }[];
    readonly containerStatuses?: readonly {
      readonly state: State;
      readonly lastState: State;
      readonly restartCount: number;
      readonly ready: boolean;
    }[];
  };
}

interface EventView {
  readonly kind: 'Event';
  readonly involvedObject: { readonly name: string };
  readonly type: string;
  readonly reason: string;
  readonly message: string;
  readonly source: { readonly component: string };
}
interface Snapshot {
  readonly pods: readonly PodView[];
  readonly events: readonly EventView[];
}

/** All pods and events as one kubectl sees them: whoever waits shares the next look. */
class Snapshots {
  readonly #look: () => Promise<string>;
  #next: Promise<Snapshot> | undefined;

  constructor(look: () => Promise<string>) {
    this.#look = look;
  }

  next(): Promise<Snapshot> {
    this.#next ??= this.#take().finally(() => (this.#next = undefined));
    return this.#next;
  }

  async #take(): Promise<Snapshot> {
    const { items } = JSON.parse(await this.#look()) as { items: (PodView | EventView)[] };
    return { pods: items.filter((one) => one.kind === 'Pod'), events: items.filter((one) => one.kind === 'Event') };
  }
}

describe('bad input', { skip, concurrency: true }, () => {
  let platform: TestPlatform;
  let registry: Server;
  let occupier: Server;
  let image = '';
  let unknown = '';
  const foreign = 'test.local/foreign:1';

  before(async () => {
    registry = await emptyRegistry();
    unknown = `localhost:${portOf(registry)}/team/app:1`;
    occupier = createServer((_request, response) => response.end('a process of the machine'));
    await new Promise<void>((resolve) => occupier.listen(0, '127.0.0.1', resolve));
    platform = await startPlatform();
    image = await loadTestImage(platform);
    await loadTestImage(platform, foreign, { architecture: process.arch === 'arm64' ? 'amd64' : 'arm64' });
    await loadTestImage(platform, 'test.local/other-elf:1', { programs: { app: programOfAnotherMachine() } });
    await platform.apply(...manifests(image, unknown, foreign, await freePort(), portOf(occupier)));
  });

  after(async () => {
    await platform?.[Symbol.asyncDispose]();
    registry?.close();
    occupier?.close();
  });

  const snapshots = new Snapshots(() => platform.kubectl(['get', 'pods,events', '-o', 'json']));
  const podsOf = async (app: string) => (await snapshots.next()).pods.filter(({ metadata }) => metadata.labels?.['app'] === app);

  /** Waits until the pod of that name (or of the Deployment of that name) is as `wanted`. */
  const podLike = (app: string, what: string, wanted: (pod: PodView) => boolean) =>
    until(`${app} to be ${what}`, async () => (await podsOf(app)).find(wanted)).catch(async (error: unknown) => {
      throw new Error(`${String(error)}\n${await platform.kubectl(['describe', 'pods', '-l', `app=${app}`])}`);
    });
  const waits = (app: string, reason: string) =>
    podLike(app, reason, (pod) => stateOf(pod).waiting?.reason === reason).then((pod) => stateOf(pod).waiting?.message ?? '');
  const failsWith = (app: string, reason: string) =>
    podLike(app, reason, (pod) => endOf(pod)?.reason === reason).then((pod) => endOf(pod) as Terminated);
  const isReady = (app: string) => podLike(app, 'ready', ({ status }) => status.containerStatuses?.every(({ ready }) => ready) ?? false);
  const rollsOut = (name: string) => platform.kubectl(['rollout', 'status', `deployment/${name}`, '--timeout=60s'], { timeoutMs: 70_000 });

  /** An event of the pod, as `Type Reason component: message`. */
  const event = (app: string, pattern: RegExp) => {
    let lines: string[] = [];
    return until(`an event of ${app}`, async () => {
      lines = (await snapshots.next()).events.filter((one) => one.involvedObject.name.startsWith(app)).map(lineOf);
      return lines.find((line) => pattern.test(line));
    }).catch(() => assert.fail(`no event like ${pattern} among:\n${lines.join('\n')}`));
  };

  it('an image its registry does not have: the registry’s answer; loaded later, the pod runs', async () => {
    assert.match(
      await waits('unknown', 'ImagePullBackOff'),
      new RegExp(`^Back-off pulling image "${unknown}": ErrImagePull: .*${unknown}: not found`),
    );
    await event('unknown', new RegExp(`^Normal Pulling kubelet: Pulling image "${unknown}"$`));
    await event('unknown', new RegExp(`^Warning Failed kubelet: Failed to pull image "${unknown}": .*${unknown}: not found`));
    await event('unknown', /^Warning Failed kubelet: Error: ErrImagePull$/);
    await event('unknown', new RegExp(`^Normal BackOff kubelet: Back-off pulling image "${unknown}"$`));
    await event('unknown', /^Warning Failed kubelet: Error: ImagePullBackOff$/);
    const never = `Container image "${unknown}" is not present with pull policy of Never`;
    assert.equal(await waits('never-pulled', 'ErrImageNeverPull'), never);
    await event('never-pulled', new RegExp(`^Warning ErrImageNeverPull kubelet: ${never}$`));
    assert.match(await waits('misnamed', 'InvalidImageName'), /couldn't parse image name "Not\/An Image": invalid reference format/);
    await loadTestImage(platform, unknown);
    await Promise.all([isReady('unknown'), isReady('never-pulled')]);
  });

  it('an image for another processor: no match for platform; with the right one the pod runs', async () => {
    assert.match(await waits('foreign', 'ImagePullBackOff'), /ErrImagePull: .*no match for platform in manifest/);
    await event('foreign', /^Warning Failed kubelet: Failed to pull image "test\.local\/foreign:1": .*no match for platform in manifest/);
    await loadTestImage(platform, foreign);
    await isReady('foreign');
  });

  it('a program for another processor: exec format error', async () => {
    const end = await failsWith('other-elf', 'StartError');
    assert.equal(end.exitCode, 128);
    assert.match(end.message ?? '', /^exec: "app": exec format error$/);
    await event('other-elf', /^Warning Failed kubelet: Error: exec: "app": exec format error$/);
  });

  it('a command that does not exist: StartError and 128; the mended Deployment rolls out', async () => {
    const end = await failsWith('no-command', 'StartError');
    assert.deepEqual([end.exitCode, end.startedAt], [128, '1970-01-01T00:00:00Z']);
    assert.match(end.message ?? '', /exec: "no-such-program": executable file not found in \$PATH/);
    await event('no-command', /^Normal Created kubelet: Created container: main$/);
    await event('no-command', /^Warning Failed kubelet: Error: .*executable file not found in \$PATH$/);
    assert.match(await waits('no-command', 'CrashLoopBackOff'), /^back-off \d+0s restarting failed container=main pod=no-command-/);
    await event('no-command', /^Warning BackOff kubelet: Back-off restarting failed container main in pod no-command-/);
    const [failed] = await podsOf('never-started');
    assert.deepEqual([failed?.status.phase, failed === undefined ? '' : stateOf(failed).terminated?.reason], ['Failed', 'StartError']);
    const command = [{ op: 'replace', path: '/spec/template/spec/containers/0/command', value: ['sleep', '100000'] }];
    await platform.kubectl(['patch', 'deployment', 'no-command', '--type=json', `--patch=${JSON.stringify(command)}`]);
    await rollsOut('no-command');
  });

  it('a command that fails: its exit code, CrashLoopBackOff and its last words', async () => {
    assert.equal((await failsWith('exits', 'Error')).exitCode, 1);
    assert.match(await waits('exits', 'CrashLoopBackOff'), /^back-off \d+0s restarting failed container=main pod=exits_default\(/);
    assert.match(await platform.kubectl(['get', 'pod', 'exits', '--no-headers']), /^exits\s+0\/1\s+CrashLoopBackOff\s+\d/);
    assert.match(await platform.kubectl(['logs', 'exits']), /^going to fail\n/);
    assert.equal((await failsWith('shell-127', 'Error')).exitCode, 127);
    assert.match(await platform.kubectl(['logs', 'shell-127']), /no-such-program: not found/);
  });

  it('a host port that is taken: unschedulable; free again, the pod is placed', async () => {
    const [first, second] = ['port-a', 'port-b'];
    const refusal =
      "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports. " +
      'preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.';
    const refused = await until('one of the two to be refused', async () => {
      const all = [...(await podsOf(first)), ...(await podsOf(second))];
      return all.find((pod) => conditionOf(pod, 'PodScheduled')?.reason === 'Unschedulable');
    });
    assert.deepEqual([refused.status.phase, conditionOf(refused, 'PodScheduled')?.message], ['Pending', refusal]);
    const { name } = refused.metadata;
    assert.ok((await event(name, /^Warning FailedScheduling default-scheduler: /)).endsWith(refusal));
    await platform.kubectl(['delete', 'pod', name === first ? second : first, '--wait=false']);
    await isReady(name);
  });

  it('a host port that a process of the machine has: no sandbox; free again, the pod answers there', async () => {
    const port = portOf(occupier);
    const place = `hostport ${port} for pod port-held_default: listen tcp4 :${port}: bind: address already in use`;
    await event('port-held', new RegExp(`^Warning FailedCreatePodSandBox kubelet: Failed to create pod sandbox: cannot open ${place}$`));
    assert.equal(await waits('port-held', 'ContainerCreating'), '');
    const ask = () => fetch(`http://127.0.0.1:${port}/bin/sh`, { headers: { connection: 'close' } }).then((answer) => answer.text());
    assert.equal(await ask(), 'a process of the machine');
    await new Promise((resolve) => occupier.close(resolve));
    await isReady('port-held');
    await until('the pod to answer at its host port', async () => (await ask().catch(() => '')).length > 1000);
  });

  it('a port that another container of the pod has: the application’s own error; free again, it runs', async () => {
    const second = (pod: PodView) => pod.status.containerStatuses?.[1];
    await podLike('two-listeners', 'failing', (pod) => second(pod)?.lastState.terminated?.exitCode === 1);
    assert.match(await platform.kubectl(['logs', 'two-listeners', '-c', 'second']), /bind: Address already in use/);
    await platform.kubectl(['exec', 'two-listeners', '-c', 'first', '--', 'touch', '/state/leave']);
    await podLike('two-listeners', 'listening', (pod) => second(pod)?.ready === true);
  });

  it('more memory than the limit: OOMKilled and 137; with a higher limit it runs', async (context) => {
    if (/no cpu, memory/.test(await platform.dormouse(['status']))) return context.skip('this user cannot limit memory');
    const end = await failsWith('greedy', 'OOMKilled');
    assert.deepEqual([end.exitCode, end.signal], [137, undefined]);
    await waits('greedy', 'CrashLoopBackOff');
    await platform.kubectl(['set', 'resources', 'deployment/greedy', '--limits=memory=200Mi']);
    await rollsOut('greedy');
  });

  it('more of the disk than the limit: Evicted, and which limit it was', async () => {
    const evicted = async (app: string) => {
      const pod = await podLike(app, 'evicted', ({ status }) => status.phase === 'Failed' && status.reason === 'Evicted');
      const message = pod.status.message ?? '';
      await event(app, new RegExp(`^Warning Evicted kubelet: ${message}$`));
      return message;
    };
    assert.equal(await evicted('big-volume'), 'Usage of EmptyDir volume "state" exceeds the limit "1Mi". ');
    assert.equal(await evicted('big-pod'), 'Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. ');
    assert.equal(await evicted('big-container'), 'Container main exceeded its local ephemeral storage limit "1Mi". ');
  });

  it('probes that never succeed: unready, restarted; mended, the pod is ready', async () => {
    const pod = await podLike('unready', 'running', (one) => one.status.phase === 'Running');
    assert.deepEqual(
      [pod.status.phase, conditionOf(pod, 'Ready')?.status, conditionOf(pod, 'Ready')?.reason, conditionOf(pod, 'Ready')?.message],
      ['Running', 'False', 'ContainersNotReady', 'containers with unready status: [main]'],
    );
    await event(
      'unready',
      /^Warning Unhealthy kubelet: Readiness probe failed: cat: can't open '\/state\/fine': No such file or directory\n?$/,
    );
    await event(
      'refusing',
      /^Warning Unhealthy kubelet: Readiness probe failed: Get "http:\/\/10\.\S+:81\/": dial tcp 10\.\S+:81: connect: connection refused$/,
    );
    await event('unwell', /^Warning Unhealthy kubelet: Liveness probe failed: /);
    await event('unwell', /^Normal Killing kubelet: Container main failed liveness probe, will be restarted$/);
    await event('slow', /^Warning Unhealthy kubelet: Startup probe failed: /);
    await event('slow', /^Normal Killing kubelet: Container main failed startup probe, will be restarted$/);
    for (const name of ['unwell', 'slow'])
      await podLike(name, 'restarted', (one) => (one.status.containerStatuses?.[0]?.restartCount ?? 0) > 0);
    for (const name of ['unready', 'unwell', 'slow']) await platform.kubectl(['exec', name, '-c', 'helper', '--', 'touch', '/state/fine']);
    for (const name of ['unready', 'unwell', 'slow']) await isReady(name);
  });

  it('no node will do: FailedScheduling says why; when one does, the pod runs', async () => {
    const text = (problem: string) =>
      `0/1 nodes are available: 1 ${problem}. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.`;
    for (const [name, problem] of [
      ['huge', 'Insufficient cpu'],
      ['picky', "node(s) didn't match Pod's node affinity/selector"],
    ] as const) {
      const pod = await podLike(name, 'refused', (one) => conditionOf(one, 'PodScheduled')?.status === 'False');
      assert.deepEqual([pod.status.phase, conditionOf(pod, 'PodScheduled')?.message], ['Pending', text(problem)]);
      assert.ok((await event(name, /^Warning FailedScheduling default-scheduler: /)).endsWith(text(problem)));
    }
    await platform.kubectl(['label', 'nodes', '--all', 'disk=ssd']);
    await isReady('picky');
  });

  it('configuration that is not there: CreateContainerConfigError, FailedMount; created, the pods run', async () => {
    assert.equal(await waits('unconfigured', 'CreateContainerConfigError'), 'configmap "settings" not found');
    await event('unconfigured', /^Warning Failed kubelet: Error: configmap "settings" not found$/);
    await event(
      'unmounted',
      /^Warning FailedMount kubelet: MountVolume\.SetUp failed for volume "settings" : configmap "settings" not found$/,
    );
    assert.match(
      await waits('rooted', 'CreateContainerConfigError'),
      /^container has runAsNonRoot and image will run as root \(pod: "rooted_default\(\S+\)", container: main\)$/,
    );
    await platform.kubectl(['create', 'configmap', 'settings', '--from-literal=a=b']);
    await Promise.all([isReady('unconfigured'), isReady('unmounted')]);
  });
});

function stateOf(pod: PodView): State {
  return pod.status.containerStatuses?.[0]?.state ?? {};
}

/** How the container last ended. */
function endOf(pod: PodView): Terminated | undefined {
  return stateOf(pod).terminated ?? pod.status.containerStatuses?.[0]?.lastState.terminated;
}

function lineOf({ type, reason, source, message }: EventView): string {
  return `${type} ${reason} ${source.component}: ${message}`;
}

function conditionOf(pod: PodView, type: string) {
  return pod.status.conditions?.find((condition) => condition.type === type);
}

/** A registry without images, in the words of the distribution specification. */
async function emptyRegistry(): Promise<Server> {
  const server = createServer((request, response) => {
    const isRoot = request.url === '/v2/';
    response.writeHead(isRoot ? 200 : 404, { 'content-type': 'application/json' });
    response.end(isRoot ? '{}' : JSON.stringify({ errors: [{ code: 'MANIFEST_UNKNOWN', message: 'manifest unknown' }] }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

/** The head of an ELF executable for IBM's mainframes: where a kernel looks to see whether it can run a program. */
function programOfAnotherMachine(): Buffer {
  const head = Buffer.alloc(120);
  head.write('\x7fELF\x02\x02\x01', 'latin1');
  head.writeUInt16BE(2, 16);
  head.writeUInt16BE(22, 18);
  return head;
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

function manifests(image: string, unknown: string, foreign: string, hostPortNumber: number, heldPort: number): object[] {
  const template = (app: string, container: object, spec: object) => ({
    metadata: { labels: { app } },
    spec: {
      terminationGracePeriodSeconds: 0,
      volumes: [{ name: 'state', emptyDir: {} }],
      containers: [
        { name: 'main', image, command: ['sleep', '100000'], volumeMounts: [{ name: 'state', mountPath: '/state' }], ...container },
      ],
      ...spec,
    },
  });
  const pod = (name: string, container: object = {}, spec: object = {}) => {
    const { metadata, ...rest } = template(name, container, spec);
    return { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, name }, ...rest };
  };
  const deployment = (name: string, container: object) => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: { selector: { matchLabels: { app: name } }, strategy: { type: 'Recreate' }, template: template(name, container, {}) },
  });
  const sh = (script: string) => ({ command: ['sh', '-c', script] });
  const quick = { periodSeconds: 1, failureThreshold: 1 };
  const fine = { exec: { command: ['cat', '/state/fine'] }, ...quick };
  const state = { volumeMounts: [{ name: 'state', mountPath: '/state' }] };
  // What the probe looks for is made from a container that is not restarted.
  const probed = (name: string, probes: object) => {
    const containers = [{ name: 'main', image, ...sh('exec sleep 100000'), ...state, ...probes }];
    return pod(name, {}, { containers: [...containers, { name: 'helper', image, ...sh('exec sleep 100000'), ...state }] });
  };
  const hostPort = { ports: [{ containerPort: 80, hostPort: hostPortNumber }] };
  const sleeps = sh('exec sleep 100000');
  const writes = (file: string) => `dd if=/dev/zero of=${file} bs=1M count=2 && exec sleep 100000`;
  const diskLimit = { resources: { limits: { 'ephemeral-storage': '1Mi' } } };
  const listens = 'wget -q -O /dev/null http://127.0.0.1:8080/bin/sh';
  const leaves = 'until test -e /state/leave; do sleep 0.1; done; kill $!; exec sleep 100000';
  return [
    pod('unknown', { image: unknown }),
    pod('never-pulled', { image: unknown, imagePullPolicy: 'Never' }),
    pod('misnamed', { image: 'Not/An Image' }),
    pod('foreign', { image: foreign, imagePullPolicy: 'IfNotPresent' }),
    pod('other-elf', { image: 'test.local/other-elf:1', command: ['app'] }),
    deployment('no-command', { command: ['no-such-program'] }),
    pod('never-started', { command: ['no-such-program'] }, { restartPolicy: 'Never' }),
    pod('exits', sh('echo going to fail; exit 1')),
    pod('shell-127', sh('no-such-program')),
    pod('port-a', hostPort),
    pod('port-b', hostPort),
    pod('port-held', { ...sh('exec httpd -f -p 80'), ports: [{ containerPort: 80, hostPort: heldPort }] }),
    pod(
      'two-listeners',
      {},
      {
        containers: [
          { name: 'first', image, ...state, ...sh(`httpd -f -p 8080 & until ${listens}; do sleep 0.1; done; touch /state/up; ${leaves}`) },
          { name: 'second', image, ...state, ...sh('until test -e /state/up; do sleep 0.1; done; exec httpd -f -p 8080') },
        ],
      },
    ),
    deployment('greedy', {
      ...sh('dd if=/dev/zero of=/dev/null bs=64M count=1 && exec sleep 100000'),
      resources: { limits: { memory: '16Mi' } },
    }),
    pod('big-volume', sh(writes('/state/file')), { volumes: [{ name: 'state', emptyDir: { sizeLimit: '1Mi' } }] }),
    pod('big-pod', { ...sh(writes('/state/file')), ...diskLimit }),
    pod(
      'big-container',
      {},
      {
        containers: [
          { name: 'main', image, ...sh(writes('/file')), ...diskLimit },
          { name: 'roomy', image, ...sleeps, resources: { limits: { 'ephemeral-storage': '1Gi' } } },
        ],
      },
    ),
    probed('unready', { readinessProbe: fine }),
    pod('refusing', { readinessProbe: { httpGet: { port: 81 }, ...quick } }),
    probed('unwell', { livenessProbe: fine }),
    probed('slow', { startupProbe: fine }),
    pod('huge', { resources: { requests: { cpu: '1000' } } }),
    pod('picky', {}, { nodeSelector: { disk: 'ssd' } }),
    pod('unconfigured', { envFrom: [{ configMapRef: { name: 'settings' } }] }),
    pod(
      'unmounted',
      { volumeMounts: [{ name: 'settings', mountPath: '/settings' }] },
      { volumes: [{ name: 'settings', configMap: { name: 'settings' } }] },
    ),
    pod('rooted', { securityContext: { runAsNonRoot: true } }),
  ];
}
