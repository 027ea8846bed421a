import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { layoutOf } from '#platform/layout.ts';
import { freePort } from './support/free-port.ts';
import { withoutKubectl } from './support/kubectl.ts';
import { ordinaryUser, withoutOrdinaryUser } from './support/ordinary-user.ts';
import { startPlatform, type PlatformOptions, type TestPlatform } from './support/platform.ts';
import { findProgram, mustRun, run, until } from './support/run.ts';
import { loadTestImage, withoutTestImage } from './support/test-image.ts';
import { tracesOf } from './support/traces.ts';

/** Each part is killed, then all of them, then the machine: containers go on where there still are any, and nothing is left of what is gone. */
const skip = withoutKubectl || withoutTestImage;

describe('what survives a kill', { skip }, () => describeSurvival({}));
describe('what survives a kill, run by an ordinary user', { skip: skip || withoutOrdinaryUser() }, () =>
  describeSurvival({ user: ordinaryUser }),
);

interface ContainerView {
  readonly containerID: string;
  readonly restartCount: number;
  readonly ready: boolean;
  readonly lastState: { readonly terminated?: { readonly reason: string } };
}

function describeSurvival(options: PlatformOptions): void {
  let platform: TestPlatform;
  let image = '';
  let empty: Awaited<ReturnType<typeof counts>>;
  /** Of the container that is to survive. */
  let id = '';

  before(async () => {
    platform = await startPlatform(options);
    image = await loadTestImage(platform);
    empty = await stocked();
    await platform.apply(pod('counter', image, 'i=0; while true; do i=$((i+1)); echo $i; sleep 0.02; done'));
    await platform.waitForPod('counter');
    id = (await containerOf('counter')).containerID;
  });

  after(() => platform?.[Symbol.asyncDispose]());

  it('the node agent: the container is the same, its log has no gap, and a command in it ends with the agent', async () => {
    const lines = await countedLines();
    const command = platform.tryKubectl(['exec', 'counter', '--', 'sleep', String(markOf(99))]);
    await until('the command', async () => (processesLike(`sleep ${markOf(99)}`).length > 0 ? true : undefined));
    await killed('node');
    assert.notEqual((await command).code, 0);
    await until('the end of the command', async () => (processesLike(`sleep ${markOf(99)}`).length === 0 ? true : undefined));
    const more = await until('more lines', async () => {
      const all = await countedLines().catch(() => []);
      return all.length > lines.length + 100 ? all : undefined;
    });
    assert.deepEqual(
      more,
      more.map((_, index) => index + 1),
    );
    await isSame();
  });

  it('the node agent while pods start: each runs once', async () => {
    const names = Array.from({ length: 8 }, (_, index) => `many-${index}`);
    await platform.apply(...names.map((name, index) => pod(name, image, `exec sleep ${markOf(index)}`)));
    await killed('node');
    for (const name of names) await platform.waitForPod(name);
    for (const index of names.keys()) assert.equal(processesLike(`sleep ${markOf(index)}`).length, 1, `pod ${index}`);
    await platform.kubectl(['delete', 'pods', ...names, '--now']);
    for (const index of names.keys()) assert.deepEqual(processesLike(`sleep ${markOf(index)}`), []);
    await isSame();
  });

  it('the control process, and a pod that ends meanwhile', async () => {
    await platform.apply(pod('mortal', image, 'trap "exit 3" TERM; while true; do sleep 0.05; done'));
    await platform.waitForPod('mortal');
    await platform.kubectl(['exec', 'mortal', '--', 'sh', '-c', '(sleep 0.5; kill -TERM 1) >/dev/null 2>&1 </dev/null &']);
    await killed('control');
    await until('its restart', async () => ((await containerOf('mortal').catch(() => undefined))?.restartCount === 1 ? true : undefined));
    await isSame();
    await platform.kubectl(['delete', 'pod', 'mortal', '--now']);
  });

  it('the supervisor and all of its processes: the container goes on until they are back', async () => {
    const { processes } = await tracesOf(platform.dataDir);
    for (const pid of ownProcesses(processes)) process.kill(pid, 'SIGKILL');
    await until('their end', async () => (ownProcesses((await tracesOf(platform.dataDir)).processes).length === 0 ? true : undefined));
    await platform.up();
    await platform.waitForPod('counter');
    await isSame();
    const lines = await countedLines();
    assert.deepEqual(
      lines,
      lines.map((_, index) => index + 1),
    );
  });

  it(
    'a pod that is deleted leaves no process, link, control group, mount or rule',
    { skip: findProgram('nft') === undefined },
    async () => {
      const hostPort = await freePort();
      const ports = { ports: [{ containerPort: 8080, hostPort }] };
      await platform.apply(pod('guest', image, 'exec sleep 100000', ports, { volumes: [{ name: 'm', emptyDir: { medium: 'Memory' } }] }));
      await platform.waitForPod('guest');
      const seesRules = options.user === undefined && process.getuid?.() === 0;
      if (seesRules) await until('its rule', async () => ((await rules()).includes(String(hostPort)) ? true : undefined));
      await platform.kubectl(['delete', 'pods', 'guest', 'counter', '--now']);
      await until('nothing of it', async () => {
        const now = await counts();
        return JSON.stringify(now) === JSON.stringify(empty) && !(await rules()).includes(String(hostPort)) ? true : undefined;
      }).catch(async () => assert.deepEqual(await counts(), empty));
    },
  );

  it('a reboot: what ran is started anew, and nothing of before is taken for alive', async () => {
    await platform.apply(pod('phoenix', image, 'echo up; exec sleep 100000'));
    await platform.waitForPod('phoenix');
    await powerOff();
    await platform.up();
    const { restartCount, lastState } = await until('its restart', async () => {
      const view = await containerOf('phoenix').catch(() => undefined);
      return view?.ready === true && view.restartCount > 0 ? view : undefined;
    });
    assert.deepEqual([restartCount, lastState.terminated?.reason], [1, 'ContainerStatusUnknown']);
    await platform.kubectl(['delete', 'pod', 'phoenix', '--now']);
    await until('nothing of it', async () => (JSON.stringify(await counts()) === JSON.stringify(empty) ? true : undefined)).catch(
      async () => assert.deepEqual(await counts(), empty),
    );
  });

  it('down leaves nothing', async () => {
    await platform.down();
    const nothing = { processes: [], mounts: [], links: [], cgroups: [], tables: [], runDirectory: [] };
    const traces = await until('the end of the processes', async () => {
      const found = await tracesOf(platform.dataDir);
      return found.processes.length === 0 ? found : undefined;
    });
    assert.deepEqual(traces, nothing);
    await platform.up();
  });

  /** How much of each kind the platform has on the machine; prepared sandboxes are always the same number. */
  async function counts() {
    const { processes, mounts, links, cgroups } = await tracesOf(platform.dataDir);
    const launched = processes.filter((line) => line.includes('.program'));
    return { launched: launched.length, mounts: mounts.length, links: links.length, cgroups: cgroups.length };
  }

  /** The counts once the stock of prepared sandboxes is full, that is does not grow any more. */
  async function stocked() {
    let before = '';
    let still = 0;
    return until('the stock of sandboxes', async () => {
      const now = await counts();
      still = JSON.stringify(now) === before ? still + 1 : 0;
      before = JSON.stringify(now);
      return still >= 20 ? now : undefined;
    });
  }

  async function rules(): Promise<string> {
    return (await run(findProgram('nft') ?? 'nft', ['list', 'ruleset'])).stdout;
  }

  async function containerOf(name: string): Promise<ContainerView> {
    const text = await platform.kubectl(['get', 'pod', name, '-o', 'jsonpath={.status.containerStatuses[0]}']);
    return JSON.parse(text) as ContainerView;
  }

  async function isSame(): Promise<void> {
    const { containerID, restartCount } = await containerOf('counter');
    assert.deepEqual([containerID, restartCount], [id, 0]);
  }

  async function countedLines(): Promise<number[]> {
    return (await platform.kubectl(['logs', 'counter'])).trim().split('\n').map(Number);
  }

  async function pidOf(role: string): Promise<number | undefined> {
    const { stdout } = await platform.tryDormouse(['status']);
    const [, state, pid] = new RegExp(`^${role}\\s+(\\S+)\\s+(\\d+)`, 'm').exec(stdout) ?? [];
    return state === 'ready' ? Number(pid) : undefined;
  }

  /** Kills a process of the platform and waits until another has taken its place. */
  async function killed(role: string): Promise<void> {
    const pid = await until(`the ${role} process`, () => pidOf(role));
    process.kill(pid, 'SIGKILL');
    await until(`another ${role} process`, async () => {
      const now = await pidOf(role);
      return now !== undefined && now !== pid ? true : undefined;
    });
  }

  /** What the machine is like after it was switched off and on: none of the processes, links, rules, groups and short-lived files. */
  async function powerOff(): Promise<void> {
    // The platform's own first, so that it does not clean up; what one of them was just starting comes to light only afterwards.
    for (const pid of ownProcesses((await tracesOf(platform.dataDir)).processes)) killNow(pid);
    const left = await until('the end of all processes', async () => {
      const traces = await tracesOf(platform.dataDir);
      for (const line of traces.processes) killNow(Number.parseInt(line, 10));
      return traces.processes.length === 0 ? traces : undefined;
    });
    for (const link of left.links) await run('ip', ['link', 'delete', link]);
    for (const table of left.tables) await mustRun(findProgram('nft') ?? 'nft', ['delete', ...table.split(' ')]);
    for (const group of left.cgroups) await run('find', [group, '-depth', '-type', 'd', '-delete']);
    rmSync(layoutOf(platform.dataDir).runDir, { recursive: true, force: true });
  }
}

const markOf = (index: number): number => 7_770_000 + index + process.pid * 10_000_000;

/** Ids of the platform's own four processes among the lines. */
function ownProcesses(lines: readonly string[]): number[] {
  return lines.filter((line) => /dormouse\.js up|src\/platform\/\w+\/main\.ts/.test(line)).map((line) => Number.parseInt(line, 10));
}

function processesLike(text: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').startsWith(text);
    } catch {
      return false;
    }
  });
}

function pod(name: string, image: string, script: string, container: object = {}, spec: object = {}): object {
  const containers = [{ name: 'main', image, command: ['sh', '-c', script], ...container }];
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec: { terminationGracePeriodSeconds: 1, containers, ...spec } };
}

function killNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended with another one.
  }
}
