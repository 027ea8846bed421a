import { existsSync, readFileSync, rmSync, statSync, truncateSync, copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '#core/clock.ts';
import { UserError } from '#core/errors.ts';
import type { Resolved } from '#core/config.ts';
import type { Logger } from '#core/logger.ts';
import { bindSocket } from '#gateway/transport/bindings.ts';
import { serveOutbound } from '#images/outbound.ts';
import { collectWhenIdle } from '#platform/heap.ts';
import { createDirectories, engineDirectories, layoutOf, type Layout } from '#platform/layout.ts';
import { ensurePki } from '#platform/pki.ts';
import { choosePorts, type Ports } from '#platform/ports.ts';
import { roles, type ProcessConfig, type Role } from '#platform/process-config.ts';
import { isRoot, type settings } from '#platform/settings.ts';
import { Child, type ChildStatus } from '#platform/supervisor/child.ts';
import { listen, type SupervisorRequest } from '#platform/supervisor/socket.ts';
import { ensureKubeconfig } from '#platform/kubeconfig.ts';
import { dataVersion, version } from '#platform/version.ts';

export interface PlatformStatus {
  readonly version: string;
  readonly pid: number;
  readonly dataDir: string;
  readonly kubeconfig: string;
  readonly listen: string;
  readonly domain: string;
  readonly ports: Ports;
  readonly processes: readonly ChildStatus[];
}

export interface Supervisor {
  status(): PlatformStatus;
  /** Stops everything. `cleanUp` also ends the containers and removes what they left. */
  stop(cleanUp: boolean): Promise<void>;
  /** Resolves when somebody asked for the end, through the socket or the signal. */
  readonly downRequested: Promise<void>;
}

const logLimitBytes = 10 * 2 ** 20;
const logCheckMs = 60_000;

/** Brings the platform up on a data directory; resolves when every process is ready. */
export async function startSupervisor(
  { values, origins }: Resolved<typeof settings>,
  { clock, logger, signal }: { clock: Clock; logger: Logger; signal: AbortSignal },
): Promise<Supervisor> {
  const layout = layoutOf(values.dataDir);
  checkVersion(layout);
  createDirectories(layout);
  const down = Promise.withResolvers<void>();
  const children = new Map<Role, Child>();
  collectWhenIdle(clock, signal);
  if (signal.aborted) down.resolve();
  signal.addEventListener('abort', () => down.resolve(), { once: true });
  // At once, not when the caller comes to stop: a signal to the process group ends the children at the same time.
  void down.promise.then(() => {
    for (const child of children.values()) child.expectStop();
  });
  let status: () => PlatformStatus = () => starting(layout, values.listen, values.domain);
  const ended = Promise.withResolvers<void>();
  const socket = await listen(layout.supervisorSocket, layout.dataDir, {
    async answer(request: SupervisorRequest) {
      if (request.command === 'status') return status();
      if (request.command === 'restart-gateway') {
        await children.get('gateway')?.replace();
        return status();
      }
      // What an older or newer program may ask is no reason to end.
      if (request.command !== 'down') throw new Error(`unknown command ${JSON.stringify((request as { command: unknown }).command)}`);
      down.resolve();
      await ended.promise;
      return {};
    },
    attach: ({ role, pid }, connection) => children.get(role)?.attach(pid, connection),
  });
  try {
    writeFileSync(layout.versionFile, `${dataVersion}\n`);
    if (!isRoot()) await releasePorts(layout);
    const ports = await choosePorts(values, origins, layout.stateFile);
    // Held here, so that connections wait in the kernel instead of being refused while a gateway is started again.
    const sockets = [
      bindSocket(values.listen, ports.httpPort),
      bindSocket(values.listen, ports.httpsPort),
      bindSocket('127.0.0.1', ports.adminPort),
    ];
    await ensurePki(layout.pkiDir, values.nodeName, certificateHosts(values.listen));
    await ensureKubeconfig(layout, values.listen, ports.apiPort);
    const base: ProcessConfig = { role: 'control', version, settings: values, layout, ports };
    const outbound = isRoot() ? undefined : await openOutbound(layout.outboundSocket);
    const descriptors = sockets.map(({ fd }) => fd);
    for (const role of roles) children.set(role, makeChild({ ...base, role }, role === 'gateway' ? descriptors : [], clock, logger));
    status = () => ({
      ...starting(layout, values.listen, values.domain),
      ports,
      processes: [...children.values()].map((child) => child.status()),
    });
    const cancelRotation = rotateLogs(layout, clock);
    const stop = async (cleanUp: boolean) => {
      cancelRotation();
      for (const child of children.values()) child.expectStop();
      for (const role of ['gateway', 'node', 'control'] as const) await children.get(role)?.stop(cleanUp);
      if (cleanUp) await removeTraces(layout, clock, logger);
      ended.resolve();
      socket.close();
      for (const bound of sockets) bound.close();
      await outbound?.[Symbol.asyncDispose]();
    };
    try {
      const interrupted = down.promise.then(() => {
        throw new Error('it was stopped before it was ready');
      });
      await Promise.race([Promise.all([...children.values()].map((child) => child.start())), interrupted]);
    } catch (error) {
      await stop(true);
      const hint = (error instanceof UserError ? error.hint : undefined) ?? `Its logs are in ${layout.logsDir}.`;
      throw new UserError(`the platform could not start: ${(error as Error).message}`, { hint });
    }
    return { status, stop, downRequested: down.promise };
  } catch (error) {
    ended.resolve();
    socket.close();
    throw error;
  }
}

/** An earlier supervisor that was killed has left forwarders on the ports of an ordinary user's node. */
async function releasePorts(layout: Layout): Promise<void> {
  const { releasePublishedPorts } = await import('#providers/local/rootless/enter.ts');
  await releasePublishedPorts(engineDirectories(layout));
}

/** What may be left on the machine when the node process could not clean up itself. */
async function removeTraces(layout: Layout, clock: Clock, logger: Logger): Promise<void> {
  const directories = engineDirectories(layout);
  try {
    if (process.getuid?.() === 0) {
      const { cleanupLocalEngine } = await import('#providers/local/engine.ts');
      await cleanupLocalEngine({ ...directories, id: layout.id, clock, logger });
    } else {
      const { leaveUserNamespace } = await import('#providers/local/rootless/enter.ts');
      await leaveUserNamespace(directories);
    }
  } catch (error) {
    logger.error('not everything could be cleaned up', { error });
  }
  rmSync(layout.runDir, { recursive: true, force: true });
}

/** The way to registries for the node of an ordinary user; a socket of that name is a former supervisor's, which has ended. */
function openOutbound(path: string): Promise<AsyncDisposable> {
  rmSync(path, { force: true });
  return serveOutbound(path);
}

function makeChild(config: ProcessConfig, descriptors: readonly number[], clock: Clock, logger: Logger): Child {
  const logFile = join(config.layout.logsDir, `${config.role}.log`);
  return new Child({ config, entry: entryOf(config.role), logFile, descriptors, clock, logger });
}

/** The module a process runs: a source file beside this one, or a bundle beside the bundled program. */
function entryOf(role: Role): URL {
  return new URL(import.meta.url.endsWith('.ts') ? `../${role}/main.ts` : `./process-${role}.js`, import.meta.url);
}

/** Hosts that the API's and the agent's certificates answer to, besides the pod network's, which are not known yet. */
function certificateHosts(listenAddress: string): { api: string[]; kubelet: string[] } {
  const local = ['localhost', '127.0.0.1', ...(['127.0.0.1', '0.0.0.0', '::'].includes(listenAddress) ? [] : [listenAddress])];
  const names = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', 'kubernetes.default.svc.cluster.local', '10.96.0.1'];
  return { api: [...local, ...names], kubelet: local };
}

function starting(layout: Layout, listenAddress: string, domain: string): PlatformStatus {
  return {
    version,
    pid: process.pid,
    dataDir: layout.dataDir,
    kubeconfig: layout.kubeconfig,
    listen: listenAddress,
    domain,
    ports: {} as Ports,
    processes: [],
  };
}

/** A data directory of a newer format is refused; older ones are migrated by the parts that own the files. */
function checkVersion(layout: Layout): void {
  if (!existsSync(layout.versionFile)) return;
  const text = readFileSync(layout.versionFile, 'utf8').trim();
  if (!/^\d+$/.test(text)) {
    throw new UserError(`${layout.versionFile} does not name a format of a data directory: ${JSON.stringify(text.slice(0, 40))}`, {
      hint: `Is ${layout.dataDir} the directory you meant? If so, write ${dataVersion} into that file, or restore a backup.`,
    });
  }
  if (Number(text) <= dataVersion) return;
  throw new UserError(`${layout.dataDir} was written by a newer dormouse (format ${text}, this one knows ${dataVersion})`, {
    hint: 'Use the newer version again, or another --data-dir.',
  });
}

/** Keeps one old log beside each log. The writers append, so that the file can be cut under them. */
function rotateLogs(layout: Layout, clock: Clock): () => void {
  let cancel = () => {};
  const check = () => {
    for (const role of roles) {
      const file = join(layout.logsDir, `${role}.log`);
      if (!existsSync(file) || statSync(file).size < logLimitBytes) continue;
      copyFileSync(file, `${file}.1`);
      truncateSync(file, 0);
    }
    cancel = clock.after(logCheckMs, check);
  };
  check();
  return () => cancel();
}
