import { load, Program } from '#providers/local/machine/program.ts';
import { reportFd } from '#providers/local/machine/launcher.ts';
import type { Architecture } from '#providers/local/machine/numbers.ts';
import { namespaces } from '#providers/local/network/sandbox-program.ts';
import type { ContainerFiles } from '#providers/local/container/files.ts';
import { monitorPrelude, monitorSteps, standardStreams } from '#providers/local/container/monitor-steps.ts';
import { makeDirectories, makeMountsPrivate } from '#providers/local/container/mount-steps.ts';
import { privilegeSteps, type PrivilegeOptions } from '#providers/local/container/privileges.ts';
import { executeSteps, initSteps, joinCgroups, unblockSignals } from '#providers/local/container/process-steps.ts';
import { takeTerminal, terminalSteps } from '#providers/local/container/terminal-steps.ts';
import type { ProcessNamespace } from '#providers/local/container/start-plan.ts';
import { rootSteps, type RootOptions } from '#providers/local/container/root-steps.ts';

export interface PlainOptions {
  readonly architecture: Architecture;
  readonly files: ContainerFiles;
  readonly stdin: boolean;
  readonly tty: boolean;
  /** Holder of the pod's namespaces. */
  readonly holderPid: number;
  readonly processes: ProcessNamespace;
  readonly hostNetwork: boolean;
  readonly hostname: string;
  readonly cgroupFiles: readonly string[];
  readonly root: RootOptions;
  readonly privileges: PrivilegeOptions;
  readonly arguments: readonly string[];
  readonly environment: readonly string[];
  readonly workingDirectory: string;
}

/** A container made of kernel namespaces alone, without an OCI runtime: monitor → init (PID 1) → application. */
export function plainProgram(options: PlainOptions): Program {
  const program = new Program(options.architecture);
  const pid = program.slot();
  const inside = program.label();
  monitorPrelude(program);
  standardStreams(program, options);
  if (typeof options.processes === 'number') enterNamespaces(program, options.processes, namespaces.pid);
  const holder = openProcess(program, options.holderPid);
  const flags = namespaces.mount | (options.processes === 'own' ? namespaces.pid : 0);
  program.call('clone', [flags | 17, 0, 0, 0, 0], { store: pid, what: 'make the namespaces of a container' });
  program.jumpIfEqual(pid, 0, inside);
  monitorSteps(program, options.files, pid);
  program.place(inside);
  isolationSteps(program, options, holder);
  program.failureBlock(reportFd);
  return program;
}

/** Becomes the container's init and starts the application under it, on a terminal if it wants one. */
export function applicationSteps(program: Program, options: Pick<PlainOptions, 'tty' | 'arguments' | 'environment'>): void {
  const terminal = options.tty ? terminalSteps(program) : undefined;
  const { application } = initSteps(program, terminal);
  program.place(application);
  program.call('setsid', [], { onError: 'ignore' });
  if (terminal !== undefined) takeTerminal(program, terminal);
  unblockSignals(program);
  executeSteps(program, options.arguments, options.environment);
}

/** Joins namespaces of another process. */
function enterNamespaces(program: Program, pid: number, kinds: number): void {
  enterThrough(program, openProcess(program, pid), kinds);
}

/** Opens a process while its id still means it: inside another process namespace it would not. Returns the descriptor's slot. */
export function openProcess(program: Program, pid: number): number {
  const fd = program.slot();
  program.call('pidfd_open', [pid, 0], { store: fd, what: 'find the process that holds the namespaces' });
  return fd;
}

function enterThrough(program: Program, fd: number, kinds: number): void {
  program.call('setns', [load(fd), kinds], { what: 'enter the namespaces' });
  program.call('close', [load(fd)], { onError: 'ignore' });
}

function isolationSteps(program: Program, options: PlainOptions, holder: number): void {
  cgroupSteps(program, options.cgroupFiles);
  enterPod(program, options, holder);
  program.call('umask', [0], { onError: 'ignore' });
  makeMountsPrivate(program);
  rootSteps(program, options.root);
  becomeContainer(program, options);
}

/** Joins the container's control groups and sees them as roots. */
export function cgroupSteps(program: Program, files: readonly string[]): void {
  joinCgroups(program, files);
  if (files.length > 0) program.call('unshare', [namespaces.cgroup], { what: 'make a control group namespace' });
}

/** Joins what the pod's containers share. */
export function enterPod(program: Program, options: Pick<PlainOptions, 'hostNetwork' | 'hostname'>, holder: number): void {
  const kinds = namespaces.ipc | namespaces.uts | (options.hostNetwork ? 0 : namespaces.network);
  enterThrough(program, holder, kinds);
  program.call('sethostname', [program.text(options.hostname), Buffer.byteLength(options.hostname)], { what: 'set the host name' });
}

type ContainerOptions = Pick<PlainOptions, 'tty' | 'arguments' | 'environment' | 'workingDirectory' | 'privileges'>;

/** In the container's file tree: gives up privileges, becomes the init. */
export function becomeContainer(program: Program, options: ContainerOptions): void {
  makeDirectories(program, options.workingDirectory);
  program.call('umask', [0o22], { onError: 'ignore' });
  privilegeSteps(program, options.privileges);
  program.call('chdir', [program.text(options.workingDirectory)], { what: `change to working directory ${options.workingDirectory}` });
  applicationSteps(program, options);
}
