import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Host } from '#providers/local/host.ts';
import type { ContainerFiles } from '#providers/local/container/files.ts';
import { monitorPrelude, recordEndSteps, standardStreams } from '#providers/local/container/monitor-steps.ts';
import { makeMountsPrivate } from '#providers/local/container/mount-steps.ts';
import { applicationSteps } from '#providers/local/container/plain-program.ts';
import { unblockSignals } from '#providers/local/container/process-steps.ts';
import { overlaySteps } from '#providers/local/container/root-steps.ts';
import type { StartPlan } from '#providers/local/container/start-plan.ts';
import { reportFd } from '#providers/local/machine/launcher.ts';
import { load, Program } from '#providers/local/machine/program.ts';
import { namespaces } from '#providers/local/network/sandbox-program.ts';
import { containerId, initPath, initProgramPath } from '#providers/local/runtimes/init-program.ts';
import { ociConfig } from '#providers/local/runtimes/oci-config.ts';
import type { Runtime, RuntimeName } from '#providers/local/runtimes/runtime.ts';

export interface OciRuntimeOptions {
  readonly name: RuntimeName;
  /** The executable. */
  readonly binary: string;
  /** Mounts taken away from the runtime's own view: crun refuses machines where version 1 and 2 control groups are both in use. */
  readonly hiddenMounts: readonly string[];
}

const becomeSubreaper = 36;
const setDescriptorFlags = 2;
const environment = ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'];

/** Containers by an OCI runtime (runc, crun): it isolates and limits; init, streams and the end are the launcher's as everywhere. */
export function ociRuntime(host: Host, options: OciRuntimeOptions): Runtime {
  const stateDirectory = join(host.runDir, options.name);
  return {
    name: options.name,
    limitsDevices: true,
    alwaysNoNewPrivileges: false,
    program: (plan, files) => ociProgram(host, options, stateDirectory, plan, files),
    init: (files) => ({ program: initProgramPath(files), pid: Number(readFileSync(files.pid, 'utf8')) }),
    forget: (files) => rm(join(stateDirectory, containerId(files)), { recursive: true, force: true }),
    complaint: (files) => lastMessage(join(files.directory, 'log')),
  };
}

/**
 * The launcher mounts the root file system where only the runtime sees it, lets the runtime start the container and adopts the container's init,
 * to be told of its end.
 */
function ociProgram(host: Host, options: OciRuntimeOptions, stateDirectory: string, plan: StartPlan, files: ContainerFiles): Program {
  const program = new Program(host.launcher.architecture);
  program.nested = initProgram(host, plan);
  writeBundle(host, plan, files, program.nested);
  const [pid, status] = [program.slot(), program.slot()];
  const [runtime, started] = [program.label(), program.label()];
  const step = `${options.name} run`;
  monitorPrelude(program);
  standardStreams(program, { files, stdin: plan.spec.stdin, tty: plan.spec.tty });
  program.call('unshare', [namespaces.mount], { what: 'make a mount namespace' });
  makeMountsPrivate(program);
  overlaySteps(program, plan.root.overlay);
  for (const path of options.hiddenMounts) program.call('umount2', [program.text(path), 2], { what: `hide ${path}` });
  program.call('prctl', [becomeSubreaper, 1, 0, 0, 0], { what: 'adopt the container' });
  program.call('clone', [17, 0, 0, 0, 0], { store: pid, what: 'fork' });
  program.jumpIfEqual(pid, 0, runtime);
  program.call('wait4', [load(pid), status, 0, 0], { what: step });
  program.jumpIfEqual(status, 0, started);
  program.add(status, -1, 0);
  program.jumpIfNegative(status, 'fail', step);
  program.place(started);
  recordEndSteps(program, files, undefined);
  program.place(runtime);
  program.call('fcntl', [reportFd, setDescriptorFlags, 0], { onError: 'ignore' });
  unblockSignals(program);
  const args = runArguments(options, stateDirectory, plan, files);
  program.call('execve', [program.text(options.binary), program.vector(args), program.vector(environment)], { what: step });
  program.failureBlock(reportFd);
  return program;
}

function runArguments(options: OciRuntimeOptions, stateDirectory: string, plan: StartPlan, files: ContainerFiles): readonly string[] {
  const descriptors = plan.spec.tty ? '2' : '1';
  const log = join(files.directory, 'log');
  return [
    options.binary,
    '--root',
    stateDirectory,
    '--log',
    log,
    '--log-format',
    'json',
    'run',
    '--detach',
    '--bundle',
    files.directory,
    '--pid-file',
    files.pid,
    '--preserve-fds',
    descriptors,
    containerId(files),
  ];
}

/** What runs as the container's PID 1, already with its user and capabilities. */
function initProgram(host: Host, plan: StartPlan): Program {
  const program = new Program(host.launcher.architecture);
  program.call('fcntl', [reportFd, setDescriptorFlags, 1], { onError: 'ignore' });
  applicationSteps(program, { tty: plan.spec.tty, arguments: plan.spec.arguments, environment: plan.environment });
  program.failureBlock(reportFd, true);
  return program;
}

function writeBundle(host: Host, plan: StartPlan, files: ContainerFiles, init: Program): void {
  const hostInit = join(files.directory, 'init');
  writeFileSync(hostInit, init.build(), { mode: 0o444 });
  mkdirSync(dirname(files.exit), { recursive: true });
  const config = ociConfig({
    plan,
    cgroupsPath: host.cgroups.runtimePath(plan.cgroup),
    arguments: [initPath, initProgramPath(files)],
    initMounts: [
      { hostPath: host.launcher.path, containerPath: initPath, readOnly: true },
      { hostPath: hostInit, containerPath: initProgramPath(files), readOnly: true },
    ],
  });
  writeFileSync(join(files.directory, 'config.json'), JSON.stringify(config));
}

/** The last error of a runtime's JSON log. */
function lastMessage(log: string): string {
  if (!existsSync(log)) return '';
  const lines = readFileSync(log, 'utf8').trim().split('\n');
  for (const line of lines.reverse()) {
    try {
      const entry = JSON.parse(line) as { level?: string; msg?: string };
      if (entry.level === 'error' || entry.level === 'fatal') return entry.msg ?? '';
    } catch {
      return line;
    }
  }
  return '';
}
