import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { basename, join } from 'node:path';
import type { ContainerResources } from '#apis/runtime/engine.ts';
import { detectCgroups, type CgroupMounts } from '#providers/local/cgroups/detect.ts';
import { limitFiles } from '#providers/local/cgroups/limits.ts';

/** A hierarchy as a container mounts it below /sys/fs/cgroup. */
export interface CgroupView {
  readonly type: 'cgroup' | 'cgroup2';
  /** Relative to /sys/fs/cgroup; '' is the directory itself. */
  readonly name: string;
  /** mount(2)'s data. */
  readonly data: string;
  /** Further names: controllers that share a hierarchy are looked for each under its own. */
  readonly aliases: readonly string[];
}

export interface CgroupUsage {
  readonly cpuUsageNanos: number;
  readonly memoryUsageBytes: number;
  readonly memoryWorkingSetBytes: number;
  readonly pids: number;
}

/**
 * Our control groups: all lie below one group named after the platform, in every hierarchy in use. Paths given and taken are relative to it.
 * Files are written directly: starting a command for it would cost more than the work.
 */
export class Cgroups {
  readonly #mounts: CgroupMounts | undefined;
  readonly #name: string;

  constructor(name: string, mounts: CgroupMounts | undefined = detectCgroups(name)) {
    this.#name = name;
    this.#mounts = mounts;
  }

  get version(): 1 | 2 | undefined {
    return this.#mounts?.version;
  }

  get limits(): { readonly cpu: boolean; readonly memory: boolean; readonly pids: boolean } {
    return { cpu: this.#has('cpu'), memory: this.#has('memory'), pids: this.#has('pids') };
  }

  get canFreeze(): boolean {
    return this.#mounts !== undefined && (this.#mounts.version === 2 || this.#mounts.directories.freezer !== undefined);
  }

  /** The path an OCI runtime is given, absolute in every hierarchy; undefined where there are no groups. */
  runtimePath(path: string): string | undefined {
    return this.#mounts === undefined ? undefined : join('/', this.#name, path);
  }

  /** Makes the group (and its parents). */
  create(path: string): void {
    for (const directory of this.#directories(path)) mkdirSync(directory, { recursive: true });
    if (this.version === 2) this.#enableControllers(path);
  }

  /** The files into which a process writes `0` to join the group. */
  joinFiles(path: string): readonly string[] {
    return this.#directories(path).map((directory) => join(directory, 'cgroup.procs'));
  }

  /** What a process in one of our groups may mount to see its own limits: the hierarchies it was put into, no others. */
  views(): readonly CgroupView[] {
    if (this.#mounts === undefined) return [];
    if (this.#mounts.version === 2) return [{ type: 'cgroup2', name: '', data: '', aliases: [] }];
    return [...new Set(Object.values(this.#mounts.directories))].map((directory) => {
      const data = this.#mounts?.hierarchies[directory] ?? '';
      const name = basename(directory);
      return { type: 'cgroup', name, data, aliases: data.split(',').filter((controller) => controller !== name) };
    });
  }

  setLimits(path: string, resources: ContainerResources): void {
    if (this.#mounts === undefined) return;
    for (const { controller, file, value, optional } of limitFiles(this.#mounts.version, resources)) {
      const directory = this.#mounts.directories[this.version === 2 ? 'unified' : controller];
      if (directory === undefined || !this.#has(controller)) continue;
      try {
        writeFileSync(join(directory, this.#name, path, file), value);
      } catch (error) {
        if (optional !== true) throw error;
      }
    }
  }

  freeze(path: string): void {
    this.#writeFreezer(path, 'FROZEN', '1');
  }

  thaw(path: string): void {
    this.#writeFreezer(path, 'THAWED', '0');
  }

  isFrozen(path: string): boolean {
    if (this.version === 2) return this.#read('unified', path, 'cgroup.freeze').trim() === '1';
    return /FREEZING|FROZEN/.test(this.#read('freezer', path, 'freezer.state'));
  }

  /** How many processes of the group the kernel has killed for want of memory. */
  oomKills(path: string): number {
    const text = this.version === 2 ? this.#read('unified', path, 'memory.events') : this.#read('memory', path, 'memory.oom_control');
    return field(text, 'oom_kill');
  }

  usage(path: string): CgroupUsage | undefined {
    if (this.#mounts === undefined) return undefined;
    const v2 = this.version === 2;
    const memory = v2 ? this.#read('unified', path, 'memory.current') : this.#read('memory', path, 'memory.usage_in_bytes');
    const statistics = v2 ? this.#read('unified', path, 'memory.stat') : this.#read('memory', path, 'memory.stat');
    const inactive = field(statistics, v2 ? 'inactive_file' : 'total_inactive_file');
    const cpu = v2
      ? field(this.#read('unified', path, 'cpu.stat'), 'usage_usec') * 1000
      : Number(this.#read('cpuacct', path, 'cpuacct.usage'));
    const memoryUsageBytes = Number(memory);
    return {
      cpuUsageNanos: cpu,
      memoryUsageBytes,
      memoryWorkingSetBytes: Math.max(0, memoryUsageBytes - inactive),
      pids: this.processes(path).length,
    };
  }

  /** Processes directly in the group. */
  processes(path: string): readonly number[] {
    const controller = this.version === 2 ? 'unified' : (['pids', 'memory', 'freezer', 'cpu'].find((name) => this.#has(name)) ?? '');
    return this.#read(controller, path, 'cgroup.procs').split('\n').filter(Boolean).map(Number);
  }

  /** Kills every process of the group and of those below it. */
  killAll(path: string): void {
    for (const directory of this.#directories(path)) {
      for (const pid of processesBelow(directory)) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It has ended meanwhile.
        }
      }
    }
  }

  /** Removes the group and those below it; their processes must be ending (waits up to a second for the kernel to let go). */
  async remove(path: string): Promise<void> {
    const deadline = performance.now() + 1000;
    for (const directory of (this.#mounts?.all ?? []).map((root) => join(root, this.#name, path))) {
      while (!removeTree(directory)) {
        if (performance.now() > deadline) throw new Error(`control group ${directory} cannot be removed: it still has processes`);
        await delay(5);
      }
    }
  }

  #has(controller: string): boolean {
    if (this.#mounts === undefined) return false;
    if (this.#mounts.version === 1) return this.#mounts.directories[controller] !== undefined;
    return tryRead(join(this.#mounts.directories.unified ?? '', 'cgroup.controllers'))
      .split(/\s+/)
      .includes(controller);
  }

  #directories(path: string): readonly string[] {
    return [...new Set(Object.values(this.#mounts?.directories ?? {}))].map((directory) => join(directory, this.#name, path));
  }

  #read(controller: string, path: string, file: string): string {
    const directory = this.#mounts?.directories[controller];
    return directory === undefined ? '' : tryRead(join(directory, this.#name, path, file));
  }

  #writeFreezer(path: string, v1: string, v2: string): void {
    const directory = this.#mounts?.directories[this.version === 2 ? 'unified' : 'freezer'];
    if (directory === undefined) return;
    const [file, value] = this.version === 2 ? ['cgroup.freeze', v2] : ['freezer.state', v1];
    writeFileSync(join(directory, this.#name, path, file), value);
  }

  /** v2: every parent hands the controllers down. */
  #enableControllers(path: string): void {
    const root = this.#mounts?.directories.unified ?? '';
    const parts = join(this.#name, path).split('/').slice(0, -1);
    for (let depth = 0; depth <= parts.length; depth++) {
      const directory = join(root, ...parts.slice(0, depth));
      for (const controller of ['cpu', 'memory', 'pids']) {
        if (!this.#has(controller)) continue;
        try {
          writeFileSync(join(directory, 'cgroup.subtree_control'), `+${controller}`);
        } catch {
          // Already handed down, or not ours to hand down: setLimits then fails with the file's name.
        }
      }
    }
  }
}

function field(text: string, name: string): number {
  const match = new RegExp(`^${name} (\\d+)$`, 'm').exec(text);
  return Number(match?.[1] ?? 0);
}

function tryRead(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function processesBelow(directory: string): readonly number[] {
  const own = tryRead(join(directory, 'cgroup.procs')).split('\n').filter(Boolean).map(Number);
  return [...own, ...subdirectories(directory).flatMap((name) => processesBelow(join(directory, name)))];
}

function subdirectories(directory: string): readonly string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
}

/** True when the directory is gone. */
function removeTree(directory: string): boolean {
  try {
    for (const name of subdirectories(directory)) removeTree(join(directory, name));
    rmdirSync(directory);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}
