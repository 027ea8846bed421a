import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Host } from '#providers/local/host.ts';
import { reportFd, reportNote } from '#providers/local/machine/launcher.ts';
import { Program } from '#providers/local/machine/program.ts';
import { namespaces } from '#providers/local/network/sandbox-program.ts';
import type { ContainerFiles } from '#providers/local/container/files.ts';
import { recordEndSteps, monitorPrelude, standardStreams } from '#providers/local/container/monitor-steps.ts';
import { makeMountsPrivate, openAs } from '#providers/local/container/mount-steps.ts';
import { becomeContainer, cgroupSteps, enterPod, openProcess } from '#providers/local/container/plain-program.ts';
import { unblockSignals } from '#providers/local/container/process-steps.ts';
import { fillRoot, kernelFileSteps, oldRoot, overlaySteps } from '#providers/local/container/root-steps.ts';
import type { StartPlan } from '#providers/local/container/start-plan.ts';
import { initPath, initProgramPath } from '#providers/local/runtimes/init-program.ts';
import type { Runtime } from '#providers/local/runtimes/runtime.ts';

const setDescriptorFlags = 2;
const writeOnly = 1;
/** Descriptors that bwrap gets beside the standard streams, the report (3) and the terminal's sizes (4). */
const descriptors = { information: 5, stderr: 6, processNamespace: 7 } as const;
/** Tag of the note that init has been reached. */
const insideNote = 4;

/**
 * Containers by bubblewrap: it makes the process namespace and changes the root, always with `no_new_privs` and without set-uid files; the file
 * tree's contents, privileges, init and streams are the launcher's. It cannot make use of its set-uid bit for us: as another user's helper it mounts
 * no overlay and joins no pod's network.
 */
export function bwrapRuntime(host: Host, binary: string): Runtime {
  return {
    name: 'bwrap',
    limitsDevices: false,
    alwaysNoNewPrivileges: true,
    program: (plan, files) => bwrapProgram(host, binary, plan, files),
    init: (files, notes) => {
      if (!notes.has(insideNote)) throw new Error(complaintOf(files) || 'bwrap ended without starting the container');
      return { program: initProgramPath(files), pid: childPid(files) };
    },
    forget: () => Promise.resolve(),
    complaint: complaintOf,
  };
}

function bwrapProgram(host: Host, binary: string, plan: StartPlan, files: ContainerFiles): Program {
  const { spec, slot, sandbox, root, processes } = plan;
  host.cgroups.create(plan.cgroup);
  host.cgroups.setLimits(plan.cgroup, spec.resources);
  const program = new Program(host.launcher.architecture);
  program.nested = initProgram(host, plan);
  writeFileSync(join(files.directory, 'init'), program.nested.build(), { mode: 0o444 });
  for (const file of [files.pid, logOf(files)]) writeFileSync(file, '', { mode: 0o600 });
  mkdirSync(dirname(files.exit), { recursive: true });
  const pid = program.slot();
  const inside = program.label();
  monitorPrelude(program);
  standardStreams(program, { files, stdin: spec.stdin, tty: spec.tty });
  const holder = openProcess(program, slot.holderPid);
  program.call('clone', [namespaces.mount | 17, 0, 0, 0, 0], { store: pid, what: 'make a mount namespace' });
  program.jumpIfEqual(pid, 0, inside);
  recordEndSteps(program, files, pid);
  program.place(inside);
  enterPod(program, { hostNetwork: slot.hostNetwork, hostname: sandbox.hostname }, holder);
  makeMountsPrivate(program);
  overlaySteps(program, root.overlay);
  openAs(program, files.pid, writeOnly, descriptors.information);
  if (typeof processes === 'number') openAs(program, `/proc/${processes}/ns/pid`, 0, descriptors.processNamespace);
  program.call('dup3', [2, descriptors.stderr, 0], { what: 'keep stderr' });
  openAs(program, logOf(files), writeOnly, 2);
  program.call('fcntl', [reportFd, setDescriptorFlags, 0], { onError: 'ignore' });
  unblockSignals(program);
  const args = program.vector(bwrapArguments(host, binary, plan, files));
  program.call('execve', [program.text(binary), args, program.vector([])], { what: 'bwrap' });
  program.failureBlock(reportFd);
  return program;
}

/** Nothing that an image decides is named here: bwrap would resolve links in it against the host. */
function bwrapArguments(host: Host, binary: string, { root, processes }: StartPlan, files: ContainerFiles): readonly string[] {
  return [
    binary,
    ...(processes === 'own' ? ['--unshare-pid', '--as-pid-1'] : []),
    ...(typeof processes === 'number' ? ['--pidns', `${descriptors.processNamespace}`] : []),
    ...[
      ['--info-fd', `${descriptors.information}`],
      ['--bind', root.overlay.target, '/'],
      ['--perms', '0755', '--size', `${64 * 1024 * 1024}`, '--tmpfs', '/dev'],
      ['--dev-bind', '/', oldRoot(root)],
      ['--ro-bind', host.launcher.path, initPath],
      ['--ro-bind', join(files.directory, 'init'), initProgramPath(files)],
      ['--chdir', '/', '--', initPath, initProgramPath(files)],
    ].flat(),
  ];
}

/** What runs as the container's PID 1, still with all that the launcher had. */
function initProgram(host: Host, plan: StartPlan): Program {
  const program = new Program(host.launcher.architecture);
  const { spec, root, privileges, environment, workingDirectory } = plan;
  const reached = program.slot();
  program.call('dup3', [descriptors.stderr, 2, 0], { what: 'open stderr' });
  program.call('close_range', [descriptors.information, 0xffff_ffff, 0], { onError: 'ignore' });
  program.call('fcntl', [reportFd, setDescriptorFlags, 1], { onError: 'ignore' });
  reportNote(program, insideNote, reached);
  cgroupSteps(
    program,
    host.cgroups.joinFiles(plan.cgroup).map((file) => `${oldRoot(root)}${file}`),
  );
  program.call('umask', [0], { onError: 'ignore' });
  kernelFileSteps(program, '', oldRoot(root), root);
  fillRoot(program, root);
  becomeContainer(program, { tty: spec.tty, arguments: spec.arguments, environment, workingDirectory, privileges });
  program.failureBlock(reportFd, true);
  return program;
}

function childPid(files: ContainerFiles): number {
  const { 'child-pid': pid } = JSON.parse(readFileSync(files.pid, 'utf8')) as { readonly 'child-pid': number };
  return pid;
}

function logOf(files: ContainerFiles): string {
  return join(files.directory, 'log');
}

/** bwrap's last words. */
function complaintOf(files: ContainerFiles): string {
  try {
    return readFileSync(logOf(files), 'utf8').trim().split('\n').at(-1) ?? '';
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
