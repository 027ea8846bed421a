import { load, type Label, type Program } from '#providers/local/machine/program.ts';
import { reportFd, reportNote } from '#providers/local/machine/launcher.ts';
import { exitRecordBytes, type ContainerFiles } from '#providers/local/container/files.ts';
import { makeFifo, openAs } from '#providers/local/container/mount-steps.ts';
import { resizeFd } from '#providers/local/container/terminal-steps.ts';
import { blockSignals, park, writeFileSteps } from '#providers/local/container/process-steps.ts';

const openReadWrite = 2;
const openReadOnly = 0;
const closeOnExec = 0x8_0000;
const setPipeSize = 1031;
const setDescriptorFlags = 2;
const pipeBytes = 256 * 1024;

/** Tag of the note with the process id of the container's init. */
export const initNote = 1;

/**
 * Opens the container's standard streams as 0, 1 and 2. Output goes to named pipes that are held open for reading and writing, so a reader may
 * come and go and nothing written is lost; the monitor holds them until it is killed, after the engine has read everything.
 */
export function standardStreams(
  program: Program,
  options: { readonly files: ContainerFiles; readonly stdin: boolean; readonly tty: boolean },
): void {
  const { files } = options;
  for (const [path, descriptor] of [
    [files.stdout, 1],
    [files.stderr, 2],
  ] as const) {
    makeFifo(program, path);
    openAs(program, path, openReadWrite, descriptor);
    program.call('fcntl', [descriptor, setPipeSize, pipeBytes], { onError: 'ignore' });
  }
  if (options.tty) {
    makeFifo(program, files.resize);
    openAs(program, files.resize, openReadWrite, resizeFd);
  }
  if (!options.stdin) return openAs(program, '/dev/null', openReadOnly, 0);
  stdinSteps(program, files);
}

/** Tag of the note with the process id of the holder of the stdin pipe's writing end: killing it lets the container see the end of its input. */
export const stdinHolderNote = 3;

/** The holder is nobody's child that waits: a monitor that waits for the last of its children would wait for it. */
function stdinSteps(program: Program, files: ContainerFiles): void {
  const [between, holder, writer] = [program.slot(), program.slot(), program.slot()];
  const [middle, outside] = [program.label(), program.label()];
  makeFifo(program, files.stdin);
  program.call('openat', [-100, program.text(files.stdin), openReadWrite | closeOnExec, 0], { store: writer, what: 'open stdin' });
  openAs(program, files.stdin, openReadOnly, 0);
  program.call('clone', [17, 0, 0, 0, 0], { store: between, what: 'fork' });
  const parent = program.label();
  program.jumpIfEqual(between, 0, middle);
  program.call('wait4', [load(between), 0, 0, 0], { what: 'fork' });
  program.jump(parent);
  program.place(middle);
  program.call('clone', [17, 0, 0, 0, 0], { store: holder, what: 'fork' });
  program.jumpIfEqual(holder, 0, outside);
  reportNote(program, stdinHolderNote, holder);
  program.exit(0);
  program.place(outside);
  program.call('dup3', [load(writer), 1, 0], { onError: 'ignore' });
  program.call('close', [0], { onError: 'ignore' });
  program.call('close_range', [2, 0xffff_ffff, 0], { onError: 'ignore' });
  park(program);
  program.place(parent);
  program.call('close', [load(writer)], { onError: 'ignore' });
}

/**
 * The parent's part: tells who the container's init is, waits for it, records how it ended and sleeps until killed (it keeps the output pipes).
 * `pid` is the slot with init's process id. Children other than init are reaped on the way.
 */
export function monitorSteps(program: Program, files: ContainerFiles, pid: number): void {
  reportNote(program, initNote, pid);
  recordEndSteps(program, files, pid);
}

/** Waits for init (undefined: for the last child there is), records how it ended and sleeps until killed. */
export function recordEndSteps(program: Program, files: ContainerFiles, pid: number | undefined): void {
  const record = program.room(exitRecordBytes);
  const ended = program.slot();
  const wait: Label = program.label();
  program.call('close_range', [reportFd, 0xffff_ffff, 0], { onError: 'ignore' });
  const done = program.label();
  program.place(wait);
  program.call('wait4', [-1, record, 0, 0], { store: ended, onError: done });
  if (pid !== undefined) program.jumpIfEqual(ended, load(pid), done);
  program.jump(wait);
  program.place(done);
  program.call('clock_gettime', [0, record + 8], { onError: 'ignore' });
  writeFileSteps(program, files.exit, record, exitRecordBytes);
  park(program);
}

/** What both kinds of container programs begin with. */
export function monitorPrelude(program: Program): void {
  program.call('fcntl', [reportFd, setDescriptorFlags, 1], { onError: 'ignore' });
  blockSignals(program);
}
