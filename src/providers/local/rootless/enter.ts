import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { promisify } from 'node:util';
import { sleep, systemClock } from '#core/clock.ts';
import { errorText, UserError } from '#core/errors.ts';
import { Launcher } from '#providers/local/machine/launcher.ts';
import { hostArchitecture } from '#providers/local/machine/numbers.ts';
import type { Program } from '#providers/local/machine/program.ts';
import { namespaces } from '#providers/local/network/sandbox-program.ts';
import { launchedProcesses, send } from '#providers/local/processes.ts';
import { forwarderProgram, tcpAddress, unixAddress } from '#providers/local/rootless/forwarder-program.ts';
import { enterProgram, killProgram, userNamespaceProgram } from '#providers/local/rootless/namespace-program.ts';
import { outboundPort } from '#providers/local/rootless/outbound.ts';
import { hostRoutesFile, userNamespaceDirectory } from '#providers/local/rootless/directory.ts';
import { ownSubordinateIds, type IdRange } from '#providers/local/rootless/subordinate-ids.ts';

const run = promisify(execFile);
const marker = 'DORMOUSE_USER_NAMESPACE';
/** Of all pods together, each two small processes of the user. */
const maxOutboundConnections = 1024;

export interface UserNamespaceEntry {
  /** The engine's directories: the launcher lies in the first, what runs in the second. */
  readonly dataDir: string;
  readonly runDir: string;
  /** What pods reach at a port of the bridge (and any address inside): a port of this machine's loopback, or a unix socket. API, gateway, DNS. */
  readonly expose: readonly ({ readonly port: number } & ({ readonly hostPort: number } | { readonly hostPath: string }))[];
  /** Ports of this process (inside, on its loopback) that the machine reaches at the same number on its loopback: kubelet API, registry. */
  readonly publish?: readonly number[];
}

/** True in a process that `enterUserNamespace` has moved. */
export function isInUserNamespace(): boolean {
  return process.env[marker] === '1';
}

/**
 * For an ordinary user: moves this process, by executing itself again with the same arguments, into the platform's user, mount and network namespaces,
 * making them first if they do not exist. Same process id, same standard streams. Returns only where nothing needs to be done (root, or moved already).
 * To be called before anything else; throws a UserError with the remedy where the system forbids user namespaces.
 */
export async function enterUserNamespace(entry: UserNamespaceEntry): Promise<void> {
  if (process.getuid?.() === 0 || isInUserNamespace()) return;
  const architecture = hostArchitecture();
  if (architecture === undefined) throw new UserError(`the local provider has no launcher for this processor (${process.arch})`);
  mkdirSync(entry.dataDir, { recursive: true });
  const directory = userNamespaceDirectory(entry.runDir);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  writeFileSync(hostRoutesFile(entry.runDir), readFileSync('/proc/net/route'));
  const launcher = new Launcher(join(entry.dataDir, 'launcher'), architecture);
  const holderPid = findHolder(launcher, directory) ?? (await makeHolder(launcher, directory));
  for (const ports of entry.expose) await exposePort(launcher, directory, holderPid, ports);
  await startOutbound(launcher, directory, holderPid);
  for (const port of entry.publish ?? []) await publishPort(launcher, directory, holderPid, port);
  const environment = Object.entries({ ...process.env, [marker]: '1' }).map(([name, value]) => `${name}=${value}`);
  const command = {
    path: process.execPath,
    arguments: [process.execPath, ...process.execArgv, ...process.argv.slice(1)],
    environment,
    directory: process.cwd(),
  };
  const path = join(directory, 'enter.program');
  writeFileSync(path, enterProgram(architecture, holderPid, command).build(), { mode: 0o600 });
  if (process.execve === undefined) throw new UserError('this Node.js cannot replace its process (process.execve): use Node 24');
  process.execve(launcher.path, [launcher.path, path], {});
}

/**
 * Ends the namespaces with all that lives in them, also what an agent that was stopped while it started has left; for `down` and `reset`, from
 * outside.
 */
export async function leaveUserNamespace({ dataDir, runDir }: Pick<UserNamespaceEntry, 'dataDir' | 'runDir'>): Promise<void> {
  const directory = userNamespaceDirectory(runDir);
  const architecture = hostArchitecture();
  if (architecture === undefined || !existsSync(dataDir)) return;
  const launcher = new Launcher(join(dataDir, 'launcher'), architecture);
  const holder = findHolder(launcher, directory);
  const found = () =>
    [`${directory}/`, `${runDir}/`].flatMap((below) => launchedProcesses(launcher.path, below)).filter(({ pid }) => pid !== holder);
  for (let left = found(); holder !== undefined && left.length > 0; left = found()) {
    const pids = left.map(({ pid }) => pid);
    await launcher.run(killProgram(launcher.architecture, holder, pids), join(directory, 'leave.program'));
    for (const { pid, program } of left) if (program.startsWith(`${directory}/`)) send(pid, 'SIGKILL');
    await sleep(systemClock, 5);
  }
  send(holder ?? 0, 'SIGKILL');
  rmSync(directory, { recursive: true, force: true });
}

/**
 * Gives back the ports that were published when nobody is inside any more: their forwarders outlive the agent, and would keep the next platform
 * from its own ports. Those inside go on; entering publishes again. Resolves when the ports are free.
 */
export async function releasePublishedPorts({ dataDir, runDir }: Pick<UserNamespaceEntry, 'dataDir' | 'runDir'>): Promise<void> {
  const forwarders = () => launchedProcesses(join(dataDir, 'launcher'), join(userNamespaceDirectory(runDir), 'publish-'));
  for (let left = forwarders(); left.length > 0; left = forwarders()) {
    for (const { pid } of left) send(pid, 'SIGKILL');
    await sleep(systemClock, 5);
  }
}

/** Why an ordinary user's platform could not make its namespaces here, found by making some; undefined when it can. Leaves nothing. */
export async function userNamespaceProblem(): Promise<UserError | undefined> {
  const architecture = hostArchitecture();
  if (architecture === undefined) return new UserError(`the local provider has no launcher for this processor (${process.arch})`);
  const directory = mkdtempSync(join(tmpdir(), 'dormouse-probe-'));
  try {
    const launcher = new Launcher(join(directory, 'launcher'), architecture);
    process.kill(await makeHolder(launcher, directory), 'SIGKILL');
    return undefined;
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/**
 * Removes a directory with all in it, also what pods have written under ids of their own: an ordinary user reaches that only from inside a user
 * namespace that maps them.
 */
export async function removeDirectory(path: string): Promise<void> {
  try {
    return rmSync(path, { recursive: true, force: true });
  } catch (error) {
    const isForbidden = ['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '');
    if (!isForbidden || process.getuid?.() === 0) throw error;
  }
  const architecture = hostArchitecture();
  if (architecture === undefined) throw new UserError(`the local provider has no launcher for this processor (${process.arch})`);
  const directory = mkdtempSync(join(tmpdir(), 'dormouse-remove-'));
  try {
    const launcher = new Launcher(join(directory, 'launcher'), architecture);
    const holder = await makeHolder(launcher, directory);
    try {
      const script = 'require("node:fs").rmSync(process.argv[1], { recursive: true, force: true })';
      const command = { path: process.execPath, arguments: [process.execPath, '-e', script, path], environment: [], directory: '/' };
      const program = join(directory, 'remove.program');
      writeFileSync(program, enterProgram(architecture, holder, command).build());
      await run(launcher.path, [program], { env: {} });
    } finally {
      process.kill(holder, 'SIGKILL');
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function holderPath(directory: string): string {
  return join(directory, 'user-namespace.program');
}

function findHolder(launcher: Launcher, directory: string): number | undefined {
  return launchedProcesses(launcher.path, directory).find(({ program }) => program === holderPath(directory))?.pid;
}

async function makeHolder(launcher: Launcher, directory: string): Promise<number> {
  const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
  const sysDirectory = join(directory, 'sys');
  mkdirSync(sysDirectory, { recursive: true });
  const ranges = ownSubordinateIds();
  const options = { architecture: launcher.architecture, uid, gid, sysDirectory };
  if (ranges !== undefined) {
    try {
      return await startHolder(launcher, directory, { ...options, mappedFromOutside: true }, (pid) => mapRanges(pid, uid, gid, ranges));
    } catch (error) {
      // The set-uid helpers may be broken (no set-uid in this container, ranges refused): one id always works.
      writeFileSync(join(directory, 'subordinate-ids-failed'), errorText(error));
    }
  }
  return startHolder(launcher, directory, { ...options, mappedFromOutside: false }, undefined);
}

async function startHolder(
  launcher: Launcher,
  directory: string,
  options: Parameters<typeof userNamespaceProgram>[0],
  map: ((pid: number) => Promise<void>) | undefined,
): Promise<number> {
  const program = userNamespaceProgram(options);
  const { child, ready } = await launcher.start(program, holderPath(directory), ['pipe', 'pipe', 'ignore', 'pipe']);
  const [stdin, stdout] = [child.stdin as Writable, child.stdout as Readable];
  stdin.on('error', () => {});
  try {
    if (map !== undefined) {
      await Promise.race([once(stdout, 'data'), ready]);
      await map(child.pid ?? 0);
      stdin.write('.');
    }
    await ready;
    child.unref();
    for (const stream of [stdin, stdout]) stream.destroy();
    return child.pid ?? 0;
  } catch (error) {
    child.kill('SIGKILL');
    throw new UserError(`an ordinary user cannot run containers here: ${errorText(error)}`, { hint: remedy(), cause: error });
  }
}

async function mapRanges(pid: number, uid: number, gid: number, ranges: { readonly uids: IdRange; readonly gids: IdRange }): Promise<void> {
  const map = (command: string, own: number, range: IdRange) =>
    run(command, [pid, 0, own, 1, 1, range.first, range.count].map(String), { timeout: 10_000 });
  await map('newuidmap', uid, ranges.uids);
  await map('newgidmap', gid, ranges.gids);
}

/** Which of the known switches forbids user namespaces, and how to allow them. */
export function remedy(read: (path: string) => string = readOrEmpty): string {
  if (read('/proc/sys/kernel/unprivileged_userns_clone').trim() === '0')
    return 'allow them: sudo sysctl -w kernel.unprivileged_userns_clone=1';
  if (read('/proc/sys/user/max_user_namespaces').trim() === '0') return 'allow them: sudo sysctl -w user.max_user_namespaces=15000';
  if (read('/proc/sys/kernel/apparmor_restrict_unprivileged_userns').trim() === '1')
    return 'AppArmor forbids them: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or run the platform as root';
  return 'user namespaces are refused (inside a container, allow them with --security-opt seccomp=unconfined); or run the platform as root';
}

function readOrEmpty(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

/** Starts the forwarder of a port of the host that is reached from inside. */
async function exposePort(
  launcher: Launcher,
  directory: string,
  holderPid: number,
  ports: UserNamespaceEntry['expose'][number],
): Promise<void> {
  const program = forwarderProgram(launcher.architecture, {
    listen: tcpAddress('0.0.0.0', ports.port),
    connect: 'hostPath' in ports ? unixAddress(ports.hostPath) : tcpAddress('127.0.0.1', ports.hostPort),
    listenInside: { pid: holderPid, kinds: namespaces.user | namespaces.network },
  });
  await startForwarder(launcher, directory, `expose-${ports.port}-`, 'hostPath' in ports ? 'socket' : String(ports.hostPort), program);
}

/** Starts the forwarder that carries connections of pods to other machines: nft sends them to it (see outbound.ts). */
async function startOutbound(launcher: Launcher, directory: string, holderPid: number): Promise<void> {
  const program = forwarderProgram(launcher.architecture, {
    listen: tcpAddress('0.0.0.0', outboundPort),
    connect: 'original destination',
    listenInside: { pid: holderPid, kinds: namespaces.user | namespaces.network },
    maxConnections: maxOutboundConnections,
  });
  await startForwarder(launcher, directory, 'outbound-', String(outboundPort), program);
}

/** Starts the forwarder of a port inside that is reached from the host. */
async function publishPort(launcher: Launcher, directory: string, holderPid: number, port: number): Promise<void> {
  const program = forwarderProgram(launcher.architecture, {
    listen: tcpAddress('127.0.0.1', port),
    connect: tcpAddress('127.0.0.1', port),
    connectInside: { pid: holderPid, kinds: namespaces.user | namespaces.network },
  });
  await startForwarder(launcher, directory, `publish-${port}-`, String(holderPid), program);
}

/** One that does the same already is left alone; one that does something else with the port is replaced. */
async function startForwarder(launcher: Launcher, directory: string, prefix: string, rest: string, program: Program): Promise<void> {
  const path = join(directory, `${prefix}${rest}.program`);
  const running = launchedProcesses(launcher.path, join(directory, prefix));
  if (running.some((one) => one.program === path)) return;
  for (const { pid } of running) send(pid, 'SIGKILL');
  await launcher.run(program, path);
}
