import { existsSync, readFileSync, rmSync, statSync, truncateSync, copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '#core/clock.ts';
import { isPortTaken, UserError } from '#core/errors.ts';
import type { Resolved } from '#core/config.ts';
import type { Logger } from '#core/logger.ts';
import { serveOutbound } from '#images/outbound.ts';
import { collectWhenIdle } from '#platform/heap.ts';
import { createDirectories, engineDirectories, layoutOf, type Layout } from '#platform/layout.ts';
import { localAddress } from '#platform/local-host.ts';
import { ensurePki } from '#platform/pki.ts';
import type { Ports } from '#platform/ports.ts';
import { roles } from '#platform/process-config.ts';
import { isRoot, type settings } from '#platform/settings.ts';
import type { ChildStatus } from '#platform/supervisor/child.ts';
import { Processes } from '#platform/supervisor/processes.ts';
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
/** How often ports are chosen, where a program that is no platform takes one before it is listened on. */
const startAttempts = 5;

/** Brings the platform up on a data directory; resolves when every process is ready. */
export async function startSupervisor(
  { values, origins }: Resolved<typeof settings>,
  { clock, logger, signal }: { clock: Clock; logger: Logger; signal: AbortSignal },
): Promise<Supervisor> {
  const layout = layoutOf(values.dataDir);
  checkVersion(layout);
  createDirectories(layout);
  const down = Promise.withResolvers<void>();
  const processes = new Processes(layout, { clock, logger });
  collectWhenIdle(clock, signal);
  if (signal.aborted) down.resolve();
  signal.addEventListener('abort', () => down.resolve(), { once: true });
  // At once, not when the caller comes to stop: a signal to the process group ends the children at the same time.
  void down.promise.then(() => processes.expectStop());
  const status = (): PlatformStatus => ({
    version,
    pid: process.pid,
    dataDir: layout.dataDir,
    kubeconfig: layout.kubeconfig,
    listen: values.listen,
    domain: values.domain,
    ports: processes.ports,
    processes: processes.status(),
  });
  const ended = Promise.withResolvers<void>();
  const socket = await listen(layout.supervisorSocket, layout.dataDir, {
    async answer(request: SupervisorRequest) {
      if (request.command === 'status') return status();
      if (request.command === 'restart-gateway') {
        await processes.get('gateway')?.replace();
        return status();
      }
      // What an older or newer program may ask is no reason to end.
      if (request.command !== 'down') throw new Error(`unknown command ${JSON.stringify((request as { command: unknown }).command)}`);
      down.resolve();
      await ended.promise;
      return {};
    },
    attach: ({ role, pid }, connection) => processes.get(role)?.attach(pid, connection),
  });
  const owned = new AsyncDisposableStack();
  owned.defer(() => processes.stop(false));
  owned.defer(() => {
    ended.resolve();
    socket.close();
  });
  try {
    writeFileSync(layout.versionFile, `${dataVersion}\n`);
    await ensurePki(layout.pkiDir, values.nodeName, certificateHosts(values.listen));
    if (!isRoot()) owned.use(await openOutbound(layout.outboundSocket));
    owned.defer(rotateLogs(layout, clock));
    const stop = async (cleanUp: boolean) => {
      await processes.stop(cleanUp);
      if (cleanUp) await removeTraces(layout, clock, logger);
      await owned.disposeAsync();
    };
    const interrupted = down.promise.then(() => {
      throw new Error('it was stopped before it was ready');
    });
    interrupted.catch(() => {});
    for (let attempt = 1; ; attempt += 1) {
      if (!isRoot()) await releasePorts(layout);
      const ports = await processes.choosePorts({ values, origins });
      await ensureKubeconfig(layout, values.listen, ports.apiPort);
      try {
        await Promise.race([processes.start(values), interrupted]);
        break;
      } catch (error) {
        if (attempt < startAttempts && isPortTaken(error)) {
          logger.warn('a port was taken before it was listened on; ports are chosen again', { error });
          await processes.stop(false);
          continue;
        }
        await stop(true);
        throw couldNotStart(error as Error, layout);
      }
    }
    return { status, stop, downRequested: down.promise };
  } catch (error) {
    await owned.disposeAsync();
    throw error;
  }
}

function couldNotStart(error: Error, { logsDir }: Layout): UserError {
  const hint = (error instanceof UserError ? error.hint : undefined) ?? `Its logs are in ${logsDir}.`;
  return new UserError(`the platform could not start: ${error.message}`, { hint });
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

/** Hosts that the API's and the agent's certificates answer to, besides the pod network's, which are not known yet. */
function certificateHosts(listenAddress: string): { api: string[]; kubelet: string[] } {
  const local = [...new Set(['localhost', '127.0.0.1', localAddress(listenAddress)])];
  const names = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', 'kubernetes.default.svc.cluster.local', '10.96.0.1'];
  return { api: [...local, ...names], kubelet: local };
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
