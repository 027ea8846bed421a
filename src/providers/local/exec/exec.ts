import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import type { ExecSpec } from '#apis/runtime/engine.ts';
import { writable } from '#core/streams.ts';
import { StartError } from '#providers/local/errors.ts';
import type { Host } from '#providers/local/host.ts';
import type { ContainerRun } from '#providers/local/container/container-run.ts';
import { capabilityNamesOf } from '#providers/local/container/privileges.ts';
import type { ContainerRecord } from '#providers/local/container/record.ts';
import { windowSize } from '#providers/local/exec/window-size.ts';
import { execPrefix, execProgram } from '#providers/local/exec/exec-program.ts';
import type { Sandbox } from '#providers/local/sandbox.ts';
import { defaultFilter } from '#providers/local/seccomp/filter.ts';

/** Runs a command in a running container; resolves with its exit code when its output has been delivered. */
export async function runInContainer(host: Host, sandbox: Sandbox, run: ContainerRun, spec: ExecSpec): Promise<number> {
  spec.signal.throwIfAborted();
  const { record } = run;
  const program = execProgram({
    architecture: host.launcher.architecture,
    initPid: record.initPid,
    hostProcesses: sandbox.spec.hostProcesses === true,
    cgroupFiles: host.cgroups.joinFiles(`${sandbox.slot.slot}/${record.name}.${record.attempt}`),
    privileges: restoredPrivileges(host, record),
    arguments: spec.command,
    environment: [...record.environment, ...(spec.tty ? ['TERM=xterm'] : [])],
    workingDirectory: record.workingDirectory,
    tty: spec.tty,
  });
  const path = join(run.files.directory, `${execPrefix}${randomBytes(4).toString('hex')}`);
  const { child, ready } = await host.launcher.start(program, path, ['pipe', 'pipe', 'pipe', 'pipe', 'pipe']);
  const abort = () => child.kill('SIGKILL');
  spec.signal.addEventListener('abort', abort, { once: true });
  try {
    const [stdin, stdout, stderr, , resize] = child.stdio as unknown as [Writable, Readable, Readable, Readable, Writable];
    const closed = once(child, 'close');
    const output = [deliver(stdout, spec.stdout), deliver(stderr, spec.stderr)];
    feed(stdin, spec.stdin);
    resize.on('error', () => {});
    spec.resize?.((size) => resize.write(windowSize(size)));
    await ready.catch((error: unknown) => {
      throw new StartError(error, '');
    });
    const [code] = (await closed) as [number | null];
    await Promise.all(output);
    spec.signal.throwIfAborted();
    return code ?? 137;
  } finally {
    spec.signal.removeEventListener('abort', abort);
    spec.stdin?.unpipe();
    child.kill('SIGKILL');
    await rm(path, { force: true });
  }
}

/** Passes output on, waiting for a slow reader; a reader that has gone does not stop the command. */
async function deliver(source: Readable, target: Writable | undefined): Promise<void> {
  source.on('error', () => {});
  for await (const chunk of source) {
    if (target === undefined || target.destroyed || target.writableEnded) continue;
    if (!target.write(chunk)) await writable(target);
  }
}

function feed(target: Writable, source: Readable | undefined): void {
  target.on('error', () => {});
  if (source === undefined) target.end();
  else source.pipe(target);
}

function restoredPrivileges(host: Host, { privileges }: ContainerRecord): Parameters<typeof execProgram>[0]['privileges'] {
  const capabilities = BigInt(`0x${privileges.capabilities}`);
  return {
    identity: privileges,
    capabilities,
    available: host.capabilities,
    noNewPrivileges: privileges.noNewPrivileges,
    seccomp: privileges.seccomp ? defaultFilter(host.launcher.architecture, capabilityNamesOf(capabilities)) : undefined,
    canSetGroups: host.canSetGroups,
  };
}
