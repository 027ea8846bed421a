import { load, type Program } from '#providers/local/machine/program.ts';

/** Descriptor from which terminal sizes are read: struct winsize, 8 bytes each. */
export const resizeFd = 4;
const setLock = 0x4004_5431; // TIOCSPTLCK
const openPeer = 0x5441; // TIOCGPTPEER
const setWindowSize = 0x5414; // TIOCSWINSZ
const setControlling = 0x540e; // TIOCSCTTY
const readWriteNoControl = 0o2 | 0o400;
const closeOnExec = 0o2000000;

/** A terminal's two ends and the processes that carry its bytes, as slots. */
export interface Terminal {
  readonly peer: number;
  readonly inputPid: number;
  readonly outputPid: number;
  readonly resizePid: number;
}

/**
 * Makes a terminal in the current mount namespace and starts three processes that carry bytes between it and descriptors 0 (input), 1 (output) and 4
 * (sizes). The output process ends when everybody has closed the terminal and all was written.
 */
export function terminalSteps(program: Program): Terminal {
  const [master, peer] = [program.slot(), program.slot()];
  program.call('openat', [-100, program.text('/dev/ptmx'), readWriteNoControl | closeOnExec, 0], {
    store: master,
    what: 'make a terminal',
  });
  program.call('ioctl', [load(master), setLock, program.room(8)], { what: 'make a terminal' });
  program.call('ioctl', [load(master), openPeer, readWriteNoControl | closeOnExec], { store: peer, what: 'make a terminal' });
  const pump = (steps: (pid: number) => void) => forked(program, peer, steps);
  const buffer = program.room(4096);
  const inputPid = pump(() => copySteps(program, 0, load(master), buffer));
  const outputPid = pump(() => copySteps(program, load(master), 1, buffer));
  const resizePid = pump(() => resizeSteps(program, master));
  program.call('close', [load(master)], { onError: 'ignore' });
  return { peer, inputPid, outputPid, resizePid };
}

/** In the process that is to have the terminal: it becomes its session's terminal and descriptors 0, 1 and 2. */
export function takeTerminal(program: Program, terminal: Terminal): void {
  program.call('ioctl', [load(terminal.peer), setControlling, 0], { what: 'take the terminal' });
  for (const descriptor of [0, 1, 2]) program.call('dup3', [load(terminal.peer), descriptor, 0], { what: 'take the terminal' });
}

/** Copies bytes between two descriptors until the end of the first, through `buffer`. */
export function copySteps(
  program: Program,
  from: number | ReturnType<typeof load>,
  to: number | ReturnType<typeof load>,
  buffer: number,
  sizeBytes = 4096,
): void {
  const length = program.slot();
  const [again, end] = [program.label(), program.label()];
  program.place(again);
  program.call('read', [from, buffer, sizeBytes], { store: length, onError: end });
  program.jumpIfEqual(length, 0, end);
  program.call('write', [to, buffer, load(length)], { onError: end });
  program.jump(again);
  program.place(end);
}

function resizeSteps(program: Program, master: number): void {
  const size = program.room(8);
  const length = program.slot();
  const [again, apply, end] = [program.label(), program.label(), program.label()];
  program.place(again);
  program.call('read', [resizeFd, size, 8], { store: length, onError: end });
  program.jumpIfEqual(length, 8, apply);
  program.jump(end);
  program.place(apply);
  program.call('ioctl', [load(master), setWindowSize, size], { onError: 'ignore' });
  program.jump(again);
  program.place(end);
}

function forked(program: Program, peer: number, steps: (pid: number) => void): number {
  const pid = program.slot();
  const [child, parent] = [program.label(), program.label()];
  program.call('clone', [17, 0, 0, 0, 0], { store: pid, what: 'fork' });
  program.jumpIfEqual(pid, 0, child);
  program.jump(parent);
  program.place(child);
  program.call('close', [load(peer)], { onError: 'ignore' });
  program.call('close', [3], { onError: 'ignore' });
  steps(pid);
  program.exit(0);
  program.place(parent);
  return pid;
}
