import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { textOption, type Invocation } from '#cli/command.ts';
import { printData, table } from '#cli/output.ts';
import { resolveSettings, runningStatus } from '#cli/platform.ts';
import { freeBytes } from '#platform/disk-space.ts';
import { layoutOf } from '#platform/layout.ts';
import { portSettings, type PlatformSettings } from '#platform/settings.ts';
import { userNamespaceProblem } from '#providers/local/rootless/enter.ts';
import { ownSubordinateIds } from '#providers/local/rootless/subordinate-ids.ts';

interface Finding {
  readonly check: string;
  readonly state: 'ok' | 'note' | 'problem';
  readonly detail: string;
  /** What to do about it. */
  readonly remedy?: string;
}

const isRoot = (): boolean => process.getuid?.() === 0;

/** `dormouse doctor`: what this machine can do, and what to do about what it cannot. Exit code 1 when something is a problem. */
export async function doctor(invocation: Invocation): Promise<number> {
  const { values } = await resolveSettings(invocation);
  const running = await runningStatus(layoutOf(values.dataDir));
  const findings = [
    nodeVersion(),
    platformState(running !== undefined, values),
    ...(running === undefined ? await ports(values) : []),
    await userNamespaces(),
    cgroups(),
    runtimes(),
    networkTools(),
    disk(values.dataDir),
    kubectl(),
  ];
  const form = textOption(invocation, 'output') ?? 'table';
  if (form !== 'table') await printData(invocation.stdout, form, findings);
  else invocation.stdout.write(`${render(findings)}\n`);
  return findings.some(({ state }) => state === 'problem') ? 1 : 0;
}

function render(findings: readonly Finding[]): string {
  const rows = findings.map(({ check, state, detail }) => [state === 'problem' ? 'PROBLEM' : state, check, detail]);
  const remedies = findings.flatMap(({ check, remedy }) => (remedy === undefined ? [] : [`  ${check}: ${remedy}`]));
  return [table(['', 'CHECK', 'FOUND'], rows), ...(remedies.length === 0 ? [] : ['', 'What to do:', ...remedies])].join('\n');
}

function nodeVersion(): Finding {
  return { check: 'Node', state: 'ok', detail: `${process.version} (${process.execPath})` };
}

function platformState(running: boolean, { dataDir }: PlatformSettings): Finding {
  return { check: 'platform', state: 'ok', detail: running ? `running on ${dataDir}` : `not running on ${dataDir}` };
}

async function ports(values: PlatformSettings): Promise<Finding[]> {
  const taken: string[] = [];
  for (const name of portSettings) if (!(await canListen(values[name], values.listen))) taken.push(`${values[name]} (${name})`);
  if (taken.length === 0) return [{ check: 'ports', state: 'ok', detail: 'all default ports are free' }];
  return [
    {
      check: 'ports',
      state: 'note',
      detail: `taken: ${taken.join(', ')}`,
      remedy: 'nothing has to be done: "up" takes free ones instead and prints them',
    },
  ];
}

function canListen(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}

/** Tried with the platform's own launcher: no other program is needed for it. */
async function userNamespaces(): Promise<Finding> {
  const check = 'user namespaces';
  if (isRoot()) return { check, state: 'ok', detail: 'not needed: running as root' };
  const problem = await userNamespaceProblem();
  if (problem !== undefined)
    return { check, state: 'problem', detail: problem.message, ...(problem.hint === undefined ? {} : { remedy: problem.hint }) };
  if (ownSubordinateIds() !== undefined)
    return { check, state: 'ok', detail: 'an ordinary user can make them, with ids of its own for the users in images' };
  return {
    check,
    state: 'note',
    detail: 'an ordinary user can make them, with one id: in a container every user is root',
    remedy: 'for images that run as several users: apt-get install uidmap, and a range for you in /etc/subuid and /etc/subgid',
  };
}

function cgroups(): Finding {
  const controllers = read('/sys/fs/cgroup/cgroup.controllers');
  const kind = controllers === undefined ? (existsSync('/sys/fs/cgroup/memory') ? 'v1 or hybrid' : 'none') : `v2 (${controllers.trim()})`;
  if (kind === 'none')
    return { check: 'cgroups', state: 'note', detail: 'none mounted: no CPU or memory limits', remedy: 'mount cgroup2 at /sys/fs/cgroup' };
  if (isRoot()) return { check: 'cgroups', state: 'ok', detail: `${kind}: limits and freezing work` };
  return {
    check: 'cgroups',
    state: 'note',
    detail: `${kind}: limits work only where the system delegates a cgroup to this user`,
    remedy: 'with systemd: enable delegation (systemctl edit user@.service, Delegate=yes), or run as root',
  };
}

function runtimes(): Finding {
  const check = 'container runtime';
  const found = ['runc', 'crun', 'bwrap'].filter((name) => works(name, ['--version']));
  if (found.length > 0) return { check, state: 'ok', detail: `${found.join(', ')} and the platform's own launcher` };
  return {
    check,
    state: 'ok',
    detail:
      "the platform's own launcher (namespaces, few capabilities, seccomp); runc or crun are used where they are installed, bwrap on request",
  };
}

function networkTools(): Finding {
  const check = 'network tools';
  if (works('nft', ['--version'])) return { check, state: 'ok', detail: 'nft' };
  return {
    check,
    state: 'note',
    detail: 'nft is missing: pods reach no service by its cluster IP or name, and no other network; services and their URLs work',
    remedy: 'apt-get install nftables',
  };
}

function disk(dataDir: string): Finding {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    accessSync(dataDir, constants.W_OK);
    const gigabytes = freeBytes(dataDir) / 2 ** 30;
    const detail = `${gigabytes.toFixed(1)} GB free in ${dataDir}`;
    return gigabytes < 1
      ? { check: 'disk', state: 'problem', detail, remedy: 'free some space: images alone take a few hundred megabytes' }
      : { check: 'disk', state: 'ok', detail };
  } catch (error) {
    return {
      check: 'disk',
      state: 'problem',
      detail: `${dataDir} cannot be written: ${(error as Error).message}`,
      remedy: 'give another --data-dir',
    };
  }
}

function kubectl(): Finding {
  if (works('kubectl', ['version', '--client'])) return { check: 'kubectl', state: 'ok', detail: 'installed' };
  return {
    check: 'kubectl',
    state: 'note',
    detail: 'not installed',
    remedy: 'not needed for dormouse itself; see kubernetes.io/docs/tasks/tools',
  };
}

function works(command: string, args: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore', timeout: 10_000 }).status === 0;
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
