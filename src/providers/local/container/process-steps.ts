import type { Terminal } from '#providers/local/container/terminal-steps.ts';
import { load, type Program } from '#providers/local/machine/program.ts';

const setMask = 2;
const signalChild = 17;
const kill = 9;
const signalSetBytes = 8;
const atCurrentDirectory = -100;

/** Blocks every signal: they wait until `rt_sigtimedwait` takes them, and no default action is taken. */
export function blockSignals(program: Program): void {
  program.call('rt_sigprocmask', [setMask, program.bytes(Buffer.alloc(signalSetBytes, 0xff)), 0, signalSetBytes]);
}

export function unblockSignals(program: Program): void {
  program.call('rt_sigprocmask', [setMask, program.room(signalSetBytes), 0, signalSetBytes]);
}

/** Sleeps until killed. */
export function park(program: Program): void {
  const again = program.label();
  program.place(again);
  program.call('ppoll', [0, 0, 0, 0, 0], { onError: 'ignore' });
  program.jump(again);
}

/** Reaps whatever ends, for ever: the first process of a process namespace that containers share. Signals must be blocked. */
export function reapForever(program: Program): void {
  const again = program.label();
  const reap = program.label();
  const pid = program.slot();
  program.place(again);
  program.call('rt_sigtimedwait', [program.bytes(Buffer.alloc(signalSetBytes, 0xff)), 0, 0, signalSetBytes], { onError: 'ignore' });
  program.place(reap);
  program.call('wait4', [-1, 0, 1, 0], { store: pid, onError: again });
  program.jumpIfEqual(pid, 0, again);
  program.jump(reap);
}

/**
 * The init of a container, in the process that runs it: blocks signals, forks; the child continues at the returned label. The parent hands every
 * signal on to the child, reaps what ends, and exits with the child's code (128 + signal when it was killed) as soon as the child ends.
 * So the application is never PID 1 and has the default signal actions. With a terminal, the rest of its output is waited for first.
 */
export function initSteps(program: Program, terminal?: Terminal): { readonly application: ReturnType<Program['label']> } {
  const application = program.label();
  const child = program.slot();
  const signal = program.slot();
  const information = program.room(128);
  const [code, pid, status] = [information + 8, information + 16, information + 24];
  const everything = program.bytes(Buffer.alloc(signalSetBytes, 0xff));
  const [next, reap, ended, exited] = [program.label(), program.label(), program.label(), program.label()];
  blockSignals(program);
  program.call('clone', [signalChild, 0, 0, 0, 0], { store: child, what: 'fork' });
  program.jumpIfEqual(child, 0, application);
  if (terminal !== undefined) program.call('close', [load(terminal.peer)], { onError: 'ignore' });
  program.call('close_range', [3, 0xffff_ffff, 0], { onError: 'ignore' });
  program.place(next);
  program.call('rt_sigtimedwait', [everything, 0, 0, signalSetBytes], { store: signal, onError: next });
  program.jumpIfEqual(signal, signalChild, reap);
  program.call('kill', [load(child), load(signal)], { onError: 'ignore' });
  program.jump(next);
  program.place(reap);
  program.call('waitid', [0, 0, information, 4 | 1, 0], { onError: next }); // P_ALL, WEXITED | WNOHANG
  program.jumpIfEqual(pid, 0, next);
  program.jumpIfEqual(pid, load(child), ended);
  program.jump(reap);
  program.place(ended);
  if (terminal !== undefined) {
    // Where this is not PID 1 they would go on.
    for (const pump of [terminal.inputPid, terminal.resizePid]) program.call('kill', [load(pump), kill], { onError: 'ignore' });
    program.call('wait4', [load(terminal.outputPid), 0, 0, 0], { onError: 'ignore' });
  }
  program.jumpIfEqual(code, 1, exited); // CLD_EXITED
  program.add(status, load(status), 128);
  program.place(exited);
  program.exit(load(status));
  return { application };
}

/** Replaces the process; the name is looked up in PATH as execvp does. The last attempt's error is the step's failure. */
export function executeSteps(program: Program, args: readonly string[], environment: readonly string[]): void {
  const name = args[0] ?? '';
  const argumentVector = program.vector(args);
  const environmentVector = program.vector(environment);
  const candidates = name.includes('/') ? [name] : searchPath(environment).map((directory) => `${directory}/${name}`);
  for (const [index, candidate] of candidates.entries()) {
    program.call('execve', [program.text(candidate), argumentVector, environmentVector], {
      what: `exec: ${JSON.stringify(name)}`,
      onError: index === candidates.length - 1 ? 'fail' : 'ignore',
    });
  }
}

export const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

function searchPath(environment: readonly string[]): readonly string[] {
  const path = environment.findLast((entry) => entry.startsWith('PATH='))?.slice(5) ?? '';
  return (path === '' ? defaultPath : path).split(':').map((directory) => (directory === '' ? '.' : directory));
}

/** Joins control groups by writing to their files. */
export function joinCgroups(program: Program, files: readonly string[]): void {
  for (const file of files) {
    const fd = program.slot();
    program.call('openat', [atCurrentDirectory, program.text(file), 1, 0], { store: fd, what: `open ${file}` });
    program.call('write', [load(fd), program.text('0'), 1], { what: `join ${file}` });
    program.call('close', [load(fd)], { onError: 'ignore' });
  }
}

/** Writes bytes of the program's memory to a new file, atomically: to a file beside it first. */
export function writeFileSteps(program: Program, path: string, address: number, length: number): void {
  const fd = program.slot();
  const temporary = program.text(`${path}.new`);
  program.call('openat', [atCurrentDirectory, temporary, 0o1 | 0o100 | 0o1000 | 0o2000000, 0o600], { store: fd, what: `write ${path}` });
  program.call('write', [load(fd), address, length], { what: `write ${path}` });
  program.call('close', [load(fd)], { onError: 'ignore' });
  program.call('renameat2', [atCurrentDirectory, temporary, atCurrentDirectory, program.text(path), 0], { what: `write ${path}` });
}
