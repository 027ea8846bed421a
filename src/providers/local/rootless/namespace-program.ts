import { load, Program } from '#providers/local/machine/program.ts';
import { reportFd } from '#providers/local/machine/launcher.ts';
import type { Architecture } from '#providers/local/machine/numbers.ts';
import { makeMountsPrivate, mountFlags, mountStep } from '#providers/local/container/mount-steps.ts';
import { blockSignals, park } from '#providers/local/container/process-steps.ts';
import { linkUp } from '#providers/local/network/netlink.ts';
import { openNetlink, sendNetlink } from '#providers/local/network/netlink-steps.ts';
import { namespaces } from '#providers/local/network/sandbox-program.ts';

/** Namespaces an ordinary user's platform lives in. */
const platformNamespaces = namespaces.user | namespaces.mount | namespaces.network;

export interface UserNamespaceOptions {
  readonly architecture: Architecture;
  readonly uid: number;
  readonly gid: number;
  /** Where the new network namespace's /sys is mounted. */
  readonly sysDirectory: string;
  /** True: somebody outside writes the id maps (newuidmap) and then a byte to descriptor 0. */
  readonly mappedFromOutside: boolean;
}

/** The process that holds the namespaces of an ordinary user's platform: makes them, brings loopback up, sleeps. */
export function userNamespaceProgram(options: UserNamespaceOptions): Program {
  const program = new Program(options.architecture);
  blockSignals(program);
  program.call('unshare', [namespaces.user], { what: 'make a user namespace' });
  if (options.mappedFromOutside) {
    program.call('write', [1, program.text('.'), 1]);
    program.call('read', [0, program.room(8), 1], { what: 'wait for the id maps' });
    program.call('setresgid', [0, 0, 0], { what: 'become root in the user namespace' });
    program.call('setresuid', [0, 0, 0], { what: 'become root in the user namespace' });
  } else {
    writeSteps(program, '/proc/self/setgroups', 'deny');
    writeSteps(program, '/proc/self/uid_map', `0 ${options.uid} 1`);
    writeSteps(program, '/proc/self/gid_map', `0 ${options.gid} 1`);
  }
  program.call('unshare', [namespaces.mount | namespaces.network], { what: 'make mount and network namespaces' });
  makeMountsPrivate(program);
  mountStep(program, 'sysfs', options.sysDirectory, 'sysfs', mountFlags.noSuid | mountFlags.noDev | mountFlags.noExec);
  const netlink = openNetlink(program);
  const message = linkUp(1);
  sendNetlink(program, netlink, program.bytes(message), message.length, 'bring loopback up');
  program.call('close_range', [0, 0xffff_ffff, 0], { onError: 'ignore' });
  park(program);
  program.failureBlock(reportFd);
  return program;
}

/** Enters the holder's namespaces and becomes `command`. */
export function enterProgram(
  architecture: Architecture,
  holderPid: number,
  command: {
    readonly path: string;
    readonly arguments: readonly string[];
    readonly environment: readonly string[];
    readonly directory: string;
  },
): Program {
  const program = new Program(architecture);
  const holder = program.slot();
  program.call('pidfd_open', [holderPid, 0], { store: holder, what: 'find the holder of the namespaces' });
  program.call('setns', [load(holder), platformNamespaces], { what: 'enter the user namespace' });
  program.call('setresgid', [0, 0, 0], { what: 'become root in the user namespace' });
  program.call('setresuid', [0, 0, 0], { what: 'become root in the user namespace' });
  program.call('close', [load(holder)], { onError: 'ignore' });
  program.call('chdir', [program.text(command.directory)], { onError: 'ignore' });
  program.call('execve', [program.text(command.path), program.vector(command.arguments), program.vector(command.environment)]);
  program.failureBlock(2);
  return program;
}

/** Kills processes of the user namespace whoever they are in it: those with ids of their own are out of the user's reach from outside. */
export function killProgram(architecture: Architecture, holderPid: number, pids: readonly number[]): Program {
  const program = new Program(architecture);
  const holder = program.slot();
  program.call('pidfd_open', [holderPid, 0], { store: holder, what: 'find the holder of the namespaces' });
  program.call('setns', [load(holder), namespaces.user], { what: 'enter the user namespace' });
  for (const pid of pids) program.call('kill', [pid, 9], { onError: 'ignore' });
  program.exit(0);
  program.failureBlock(reportFd);
  return program;
}

function writeSteps(program: Program, path: string, text: string): void {
  const fd = program.slot();
  const what = `write ${path}`;
  program.call('openat', [-100, program.text(path), 1 | 0o2000000, 0], { store: fd, what });
  program.call('write', [load(fd), program.text(text), Buffer.byteLength(text)], { what });
  program.call('close', [load(fd)], { onError: 'ignore' });
}
