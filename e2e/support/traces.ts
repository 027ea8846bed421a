import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { layoutOf } from '#platform/layout.ts';
import { shortId } from '#providers/local/network/bridge.ts';
import { findProgram, run } from './run.ts';

/** What a platform has on the machine outside its data directory, by kind; everything host-wide carries the platform's id. */
export interface Traces {
  readonly processes: readonly string[];
  readonly mounts: readonly string[];
  readonly links: readonly string[];
  readonly cgroups: readonly string[];
  readonly tables: readonly string[];
  readonly runDirectory: readonly string[];
}

/** The traces of the platform on `dataDir`. Mounts are those of the machine: namespaces are held by mounts or processes. */
export async function tracesOf(dataDir: string): Promise<Traces> {
  const { id, runDir } = layoutOf(dataDir);
  // Links of pods have the first digits alone: an interface's name ends at 15 characters.
  const names = [dataDir, id, `dormouse-${shortId(id)}`, `dm${shortId(id).slice(0, 6)}`];
  const mine = (text: string) => names.some((name) => text.includes(name));
  const nft = findProgram('nft');
  const tables = nft === undefined ? '' : (await run(nft, ['list', 'tables'])).stdout;
  return {
    processes: processes().filter(mine),
    mounts: lines(readFileSync('/proc/self/mountinfo', 'utf8')).filter(mine),
    links: existsSync('/sys/class/net') ? readdirSync('/sys/class/net').filter(mine) : [],
    cgroups: cgroups('/sys/fs/cgroup', 3).filter(mine),
    tables: lines(tables).filter(mine),
    runDirectory: existsSync(runDir) ? [runDir] : [],
  };
}

/** Every process's command line and control groups; not of those that have ended and wait for their parent. */
function processes(): string[] {
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return [];
    const [command, groups] = [read(`/proc/${pid}/cmdline`), read(`/proc/${pid}/cgroup`)];
    return command === '' ? [] : [`${pid} ${command.replaceAll('\0', ' ')}${groups}`];
  });
}

function cgroups(directory: string, depth: number): string[] {
  if (depth === 0 || !existsSync(directory)) return [];
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    return entry.isDirectory() ? [path, ...cgroups(path, depth - 1)] : [];
  });
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function lines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}
