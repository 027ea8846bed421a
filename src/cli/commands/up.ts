import { spawn } from 'node:child_process';
import { closeSync, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '#core/clock.ts';
import { UserError } from '#core/errors.ts';
import { jsonLogger, writeLogLine } from '#core/logger.ts';
import { flagOption, type Invocation } from '#cli/command.ts';
import { resolveSettings, runningStatus, typed } from '#cli/platform.ts';
import { readTail } from '#core/read-tail.ts';
import { warmCompileCache } from '#platform/compile-cache.ts';
import { requireDiskSpace } from '#platform/disk-space.ts';
import { createDirectories, layoutOf } from '#platform/layout.ts';
import { startSupervisor, type PlatformStatus } from '#platform/supervisor/supervisor.ts';

/** How much of its log is looked at when it did not start. */
const lastLogBytes = 64 * 1024;
const detachedStartMs = 90_000;

/** `dormouse up`: in the foreground the supervisor itself; detached a supervisor of its own session. */
export async function up(invocation: Invocation): Promise<number> {
  const resolved = await resolveSettings(invocation);
  if (flagOption(invocation, 'detach')) return upDetached(invocation, resolved.values.dataDir);
  requireDiskSpace(resolved.values.dataDir);
  const startedAt = performance.now();
  const logger = jsonLogger(writeLogLine, resolved.values.logLevel, { component: 'supervisor' });
  const supervisor = await startSupervisor(resolved, { clock: systemClock, logger, signal: invocation.signal });
  invocation.stdout.write(greeting(supervisor.status(), performance.now() - startedAt, invocation));
  await Promise.race([
    supervisor.downRequested,
    new Promise<void>((resolve) => invocation.signal.addEventListener('abort', () => resolve(), { once: true })),
  ]);
  invocation.stdout.write('\nStopping …\n');
  await supervisor.stop(true);
  return 0;
}

/** Where things are and how to use them. */
function greeting(status: PlatformStatus, tookMs: number, invocation: Invocation): string {
  const { ports, listen, domain } = status;
  const foreground = process.stdin.isTTY && !flagOption(invocation, 'detach');
  const port = ports.httpPort === 80 ? '' : `:${ports.httpPort}`;
  return [
    `Dormouse ${status.version} is up (${(tookMs / 1000).toFixed(2)} s).`,
    ``,
    `  services    http://<name>.<namespace>.${domain}${port}`,
    `              (or: curl -H "Host: <name>.<namespace>.${domain}" http://${listen}${port})`,
    `  Kubernetes  https://${listen}:${ports.apiPort}   (export KUBECONFIG=${status.kubeconfig})`,
    `  registry    localhost:${ports.registryPort}   (docker push localhost:${ports.registryPort}/NAME)`,
    `  data        ${status.dataDir}`,
    ``,
    `Try: kubectl get pods -A, "${typed(invocation, 'status')}". Stop with ${foreground ? 'Ctrl-C or ' : ''}"${typed(invocation, 'down')}".`,
    ``,
  ].join('\n');
}

/** Starts a supervisor that outlives this command and waits until it answers that all is ready. */
export async function upDetached(invocation: Invocation, dataDir: string): Promise<number> {
  const layout = layoutOf(dataDir);
  const startedAt = performance.now();
  if ((await runningStatus(layout)) !== undefined) {
    throw new UserError(`a platform is already running on ${dataDir}`, {
      hint: 'See it with "dormouse status", stop it with "dormouse down".',
    });
  }
  requireDiskSpace(dataDir);
  warmCompileCache(() => invocation.stdout.write('Compiling the sources, once …\n'));
  createDirectories(layout);
  const logFile = join(layout.logsDir, 'supervisor.log');
  const log = openSync(logFile, 'a', 0o600);
  const from = statSync(logFile).size;
  const flags = Object.entries(invocation.options).flatMap(([name, value]) =>
    typeof value === 'string' && name !== 'source' ? [`--${name}=${value}`] : [],
  );
  const child = spawn(process.execPath, [process.argv[1] ?? '', 'up', ...flags], {
    detached: true,
    stdio: ['ignore', log, log],
    env: process.env,
  });
  closeSync(log);
  child.unref();
  let exited = false;
  child.on('exit', () => (exited = true));
  child.on('error', () => (exited = true));
  while (performance.now() - startedAt < detachedStartMs) {
    const status = exited ? undefined : await runningStatus(layout);
    if (status !== undefined && status.processes.length > 0 && status.processes.every(({ state }) => state === 'ready')) {
      invocation.stdout.write(greeting(status, performance.now() - startedAt, invocation));
      return 0;
    }
    if (exited) {
      const said = readTail(logFile, lastLogBytes, from).trimEnd();
      throw new UserError(`the platform did not start`, {
        hint: said === '' ? `See ${logFile}.` : said.split('\n').slice(-12).join('\n  '),
      });
    }
    await delay(50, undefined, { signal: invocation.signal });
  }
  throw new UserError(`the platform is not ready after ${detachedStartMs / 1000} s`, {
    hint: `See the logs in ${layout.logsDir}; "dormouse down" stops it.`,
  });
}
