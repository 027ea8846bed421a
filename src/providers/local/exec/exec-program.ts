import { load, Program } from '#providers/local/machine/program.ts';
import { reportFd } from '#providers/local/machine/launcher.ts';
import type { Architecture } from '#providers/local/machine/numbers.ts';
import { namespaces } from '#providers/local/network/sandbox-program.ts';
import { privilegeSteps, type PrivilegeOptions } from '#providers/local/container/privileges.ts';
import { executeSteps } from '#providers/local/container/process-steps.ts';
import { takeTerminal, terminalSteps, type Terminal } from '#providers/local/container/terminal-steps.ts';

export interface ExecOptions {
  readonly architecture: Architecture;
  readonly initPid: number;
  /** The container lives among the machine's processes, as the launcher does. */
  readonly hostProcesses: boolean;
  readonly cgroupFiles: readonly string[];
  readonly privileges: PrivilegeOptions;
  readonly arguments: readonly string[];
  readonly environment: readonly string[];
  readonly workingDirectory: string;
  readonly tty: boolean;
}

/** What the programs of commands are called, in their container's directory. */
export const execPrefix = 'exec-';

const parentDeathSignal = 1;
const kill = 9;
const setDescriptorFlags = 2;
const writeOnlyCloseOnExec = 0o1 | 0o2000000;

/**
 * Runs a command in a container's namespaces and control group, as its user. The launcher waits outside and exits with the command's code; when the
 * launcher is killed the command is killed, and it is when the agent is: nobody could read the command's output any more.
 */
export function execProgram(options: ExecOptions): Program {
  const program = new Program(options.architecture);
  const [holder, child] = [program.slot(), program.slot()];
  const inside = program.label();
  program.call('fcntl', [reportFd, setDescriptorFlags, 1], { onError: 'ignore' });
  program.call('prctl', [parentDeathSignal, kill, 0, 0, 0], { onError: 'ignore' });
  const groups = options.cgroupFiles.map((file) => {
    const fd = program.slot();
    program.call('openat', [-100, program.text(file), writeOnlyCloseOnExec, 0], { store: fd, what: `open ${file}` });
    return { fd, file };
  });
  program.call('pidfd_open', [options.initPid, 0], { store: holder, what: 'find the container' });
  const kinds = namespaces.mount | namespaces.ipc | namespaces.uts | namespaces.network | (groups.length > 0 ? namespaces.cgroup : 0);
  program.call('setns', [load(holder), kinds], { what: 'enter the container' });
  const terminal = options.tty ? terminalSteps(program) : undefined;
  if (!options.hostProcesses) program.call('setns', [load(holder), namespaces.pid], { what: 'enter the container' });
  program.call('clone', [17, 0, 0, 0, 0], { store: child, what: 'fork' });
  program.jumpIfEqual(child, 0, inside);
  waitSteps(program, child, terminal);
  program.place(inside);
  for (const { fd, file } of groups) program.call('write', [load(fd), program.text('0'), 1], { what: `join ${file}` });
  program.call('setsid', [], { onError: 'ignore' });
  if (terminal !== undefined) takeTerminal(program, terminal);
  program.call('umask', [0o22], { onError: 'ignore' });
  privilegeSteps(program, options.privileges);
  program.call('prctl', [parentDeathSignal, kill, 0, 0, 0], { onError: 'ignore' });
  program.call('chdir', [program.text(options.workingDirectory)], { what: `change to working directory ${options.workingDirectory}` });
  executeSteps(program, options.arguments, options.environment);
  program.failureBlock(reportFd);
  return program;
}

/** Waits for the command, then for the rest of the terminal's output; exits with the code, 128 + signal for a killed command. */
function waitSteps(program: Program, child: number, terminal: Terminal | undefined): void {
  const information = program.room(128);
  const [code, status] = [information + 8, information + 24];
  const exited = program.label();
  if (terminal !== undefined) program.call('close', [load(terminal.peer)], { onError: 'ignore' });
  program.call('close', [reportFd], { onError: 'ignore' });
  program.call('waitid', [1, load(child), information, 4, 0], { onError: 'ignore' });
  if (terminal !== undefined) {
    for (const pid of [terminal.inputPid, terminal.resizePid]) program.call('kill', [load(pid), kill], { onError: 'ignore' });
    program.call('wait4', [load(terminal.outputPid), 0, 0, 0], { onError: 'ignore' });
  }
  program.jumpIfEqual(code, 1, exited);
  program.add(status, load(status), 128);
  program.place(exited);
  program.exit(load(status));
}
