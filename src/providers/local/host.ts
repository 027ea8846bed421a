import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '#core/clock.ts';
import type { Logger } from '#core/logger.ts';
import { Cgroups } from '#providers/local/cgroups/cgroups.ts';
import { Launcher } from '#providers/local/machine/launcher.ts';
import { hostArchitecture } from '#providers/local/machine/numbers.ts';
import { shortId } from '#providers/local/network/bridge.ts';
import { launchedProcesses, processesWith, send } from '#providers/local/processes.ts';
import { hostRoutesFile, userNamespaceDirectory } from '#providers/local/rootless/directory.ts';
import { initProgramPrefix } from '#providers/local/runtimes/init-program.ts';
import { SlotStore } from '#providers/local/state.ts';

export interface HostOptions {
  /** On a disk: writable layers lie here. */
  readonly dataDir: string;
  /** Short path, may be in memory: state of what runs. Lost or from before a reboot, everything is cleaned up. */
  readonly runDir: string;
  /** Names the platform among others on this machine. */
  readonly id: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The machine as the engine uses it: where files lie, how processes are started, which control groups there are. */
export class Host {
  readonly id: string;
  readonly short: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly runDir: string;
  readonly launcher: Launcher;
  readonly cgroups: Cgroups;
  readonly slots: SlotStore;
  readonly exitsDirectory: string;
  /** Capabilities this process has. */
  readonly capabilities: bigint;
  /** True in a user namespace that does not map all ids: as root there, but not on the machine. */
  readonly inUserNamespace: boolean;
  /** False in a user namespace that forbids setgroups(2). */
  readonly canSetGroups: boolean;
  readonly #layersDirectory: string;
  readonly #mappedIds: readonly (readonly [first: number, count: number])[];

  constructor(options: HostOptions) {
    const architecture = hostArchitecture();
    if (architecture === undefined) throw new Error(`no launcher for this processor (${process.arch}); x64 and arm64 have one`);
    this.id = options.id;
    this.short = shortId(options.id);
    this.clock = options.clock;
    this.logger = options.logger.child({ component: 'local-engine' });
    this.runDir = options.runDir;
    mkdirSync(options.dataDir, { recursive: true });
    mkdirSync(options.runDir, { recursive: true, mode: 0o700 });
    this.#layersDirectory = join(options.dataDir, 'layers-writable');
    this.launcher = new Launcher(join(options.dataDir, 'launcher'), architecture);
    this.cgroups = new Cgroups(`dormouse-${this.short}`);
    this.#forgetPreviousBoot();
    this.exitsDirectory = join(options.runDir, 'exits');
    mkdirSync(this.exitsDirectory, { recursive: true });
    this.slots = new SlotStore(join(options.runDir, 's'));
    this.capabilities = BigInt(`0x${/^CapEff:\s*(\w+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'}`);
    const idMap = readFileSync('/proc/self/uid_map', 'utf8');
    this.inUserNamespace = !/^\s*0\s+0\s+4294967295/.test(idMap);
    this.canSetGroups = readFileSync('/proc/self/setgroups', 'utf8').trim() === 'allow';
    const lines = idMap.trim().split('\n');
    this.#mappedIds = lines.map((line) => line.trim().split(/\s+/).map(Number)).map(([first = 0, , count = 0]) => [first, count]);
  }

  /** Whether a process can have this id here. */
  isMapped(id: number): boolean {
    return this.#mappedIds.some(([first, count]) => id >= first && id < first + count);
  }

  /** What the kernel shows of our network's interfaces: /sys belongs to the network namespace it was mounted in. */
  get interfacesDirectory(): string {
    const own = join(userNamespaceDirectory(this.runDir), 'sys/class/net');
    return this.inUserNamespace && existsSync(own) ? own : '/sys/class/net';
  }

  /** The machine's routes; inside the platform's own network namespace those that were outside when it was entered. */
  get routesFile(): string {
    const outside = hostRoutesFile(this.runDir);
    return this.inUserNamespace && existsSync(outside) ? outside : '/proc/net/route';
  }

  /** Directory on disk for a slot's writable layers. */
  layersOf(slot: string): string {
    return join(this.#layersDirectory, slot);
  }

  /** Kills every launcher process with a program below `directory`: the way to leave no orphan, whatever was recorded. */
  killLaunched(directory: string): void {
    for (const { pid } of launchedProcesses(this.launcher.path, `${directory}/`)) send(pid, 'SIGKILL');
  }

  /** Kills the inits of a slot's containers, or one container's, that a foreign runtime started: their names, not the launcher's, are in their command lines. */
  killInits(slot: string, container = ''): void {
    const matches = (word: string) =>
      container === '' ? word.startsWith(`${initProgramPrefix}${slot}.`) : word === `${initProgramPrefix}${slot}.${container}`;
    for (const pid of processesWith((words) => words.some(matches))) send(pid, 'SIGKILL');
  }

  /** Removes a slot's files. */
  async removeFiles(slot: string): Promise<void> {
    await rm(this.layersOf(slot), { recursive: true, force: true });
    await rm(this.slots.directoryOf(slot), { recursive: true, force: true });
    for (const name of slot === '' ? [] : exitFilesOf(this.exitsDirectory, slot)) rmSync(name, { force: true });
  }

  /** Removes all files of the engine. */
  async removeAllFiles(): Promise<void> {
    await rm(this.#layersDirectory, { recursive: true, force: true });
    await rm(this.runDir, { recursive: true, force: true });
  }

  /** After a reboot nothing runs and recorded process ids mean nothing. */
  #forgetPreviousBoot(): void {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8');
    const file = join(this.runDir, 'boot');
    if (existsSync(file) && readFileSync(file, 'utf8') === boot) return;
    rmSync(join(this.runDir, 's'), { recursive: true, force: true });
    rmSync(join(this.runDir, 'exits'), { recursive: true, force: true });
    rmSync(this.#layersDirectory, { recursive: true, force: true });
    writeFileSync(file, boot);
  }
}

function exitFilesOf(directory: string, slot: string): readonly string[] {
  return existsSync(directory)
    ? readdirSync(directory)
        .filter((name) => name.startsWith(`${slot}.`))
        .map((name) => join(directory, name))
    : [];
}
