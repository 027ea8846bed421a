import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** True when `pid` is a launcher running `program`: process ids are used again, paths of programs are not. */
export function isLaunched(pid: number, program: string): boolean {
  return pid > 0 && commandLine(pid)[1] === program;
}

/** Every process running a program below `directory`, started by this launcher: what a killed engine may have left. */
export function launchedProcesses(launcher: string, directory: string): readonly { readonly pid: number; readonly program: string }[] {
  const found: { pid: number; program: string }[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const [command, program = ''] = commandLine(Number(name));
    if (command === launcher && program.startsWith(directory)) found.push({ pid: Number(name), program });
  }
  return found;
}

/** Every process whose command line is like that; not those that have ended and wait for their parent. */
export function processesWith(matches: (words: readonly string[]) => boolean): readonly number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => matches(commandLine(pid)));
}

/** Every process that sees the same mounts as this one: a container's, where no control group holds them together. */
export function processesBeside(pid: number): readonly number[] {
  const mounts = mountNamespaceOf(pid);
  if (mounts === undefined) return [];
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((other) => mountNamespaceOf(other) === mounts);
}

function mountNamespaceOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`);
  } catch {
    return undefined;
  }
}

/** Sends a signal; false when there is no such process. */
export function send(pid: number, signal: NodeJS.Signals | number): boolean {
  if (pid <= 0) return false;
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

function commandLine(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}
