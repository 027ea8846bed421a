import { accessSync, constants, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where this machine's control groups can be used: one directory a hierarchy, below which we make ours. */
export interface CgroupMounts {
  readonly version: 1 | 2;
  /** v1: controller → directory; several controllers may share one. v2: only `unified`. */
  readonly directories: Readonly<Record<string, string>>;
  /** v1: directory → the controllers of its hierarchy, as mount(2) wants them named. */
  readonly hierarchies: Readonly<Record<string, string>>;
  /** Every hierarchy mounted, ours or not: an OCI runtime makes groups in all of them, which have to be removed. */
  readonly all: readonly string[];
}

const wanted = ['cpu', 'cpuacct', 'memory', 'pids', 'freezer'];
const others = ['cpuset', 'devices', 'blkio', 'net_cls', 'net_prio', 'perf_event', 'hugetlb', 'rdma', 'misc'];
const controllers = new Set([...wanted, ...others]);

/**
 * Finds usable control groups by really making one. On a hybrid machine the version 1 controllers are used. Without root the version 2 group
 * this process lives in, if the system delegated it. Undefined: no limits, no freezer.
 */
export function detectCgroups(name: string, mounts = readFileSync('/proc/self/mounts', 'utf8')): CgroupMounts | undefined {
  const lines = mounts.split('\n').map((line) => line.split(' '));
  const v1: Record<string, string> = {};
  const hierarchies: Record<string, string> = {};
  const all = lines.filter(([, , type = '']) => type.startsWith('cgroup')).map(([, directory = '']) => directory);
  for (const [, directory = '', type, options = ''] of lines) {
    if (type !== 'cgroup') continue;
    const own = options.split(',').filter((option) => controllers.has(option));
    for (const controller of own) if (wanted.includes(controller)) v1[controller] = directory;
    hierarchies[directory] = own.join(',');
  }
  if (Object.keys(v1).length > 0) {
    const usable = Object.fromEntries(Object.entries(v1).filter(([, directory]) => canCreate(directory, name)));
    return Object.keys(usable).length > 0 ? { version: 1, directories: usable, hierarchies, all } : undefined;
  }
  const unified = lines.find(([, , type]) => type === 'cgroup2')?.[1];
  if (unified === undefined) return undefined;
  if (canCreate(unified, name)) return { version: 2, directories: { unified }, hierarchies: {}, all: [unified] };
  const own = join(unified, ownGroup());
  return canCreate(own, name) && delegate(own) ? { version: 2, directories: { unified: own }, hierarchies: {}, all: [own] } : undefined;
}

function canCreate(directory: string, name: string): boolean {
  const probe = join(directory, `${name}-probe`);
  try {
    accessSync(directory, constants.W_OK);
    mkdirSync(probe);
    rmdirSync(probe);
    return true;
  } catch {
    return false;
  }
}

function ownGroup(): string {
  const line = readFileSync('/proc/self/cgroup', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith('0::'));
  return line?.slice(3) ?? '/';
}

/** A group with processes cannot hand controllers to its children, so this process moves into a leaf first. */
function delegate(directory: string): boolean {
  try {
    const leaf = join(directory, 'dormouse-agent');
    mkdirSync(leaf, { recursive: true });
    for (const pid of readFileSync(join(directory, 'cgroup.procs'), 'utf8').trim().split('\n').filter(Boolean)) {
      writeFileSync(join(leaf, 'cgroup.procs'), pid);
    }
    return true;
  } catch {
    return false;
  }
}
