import { readFile, statfs } from 'node:fs/promises';
import { arch, cpus, hostname, networkInterfaces, platform, release, totalmem } from 'node:os';

/** What the node object says of the machine. */
export interface Machine {
  readonly hostname: string;
  readonly os: string;
  readonly arch: string;
  readonly cpuCount: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly machineId: string;
  readonly systemUuid: string;
  readonly bootId: string;
  readonly kernelVersion: string;
  readonly osImage: string;
  /** The address other machines reach this one at; a loopback address when it has no other. */
  readonly internalIp: string;
}

const goArchitectures: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };
const goSystems: Readonly<Record<string, string>> = { win32: 'windows' };

/** Looks at the machine; `directory` is where pods' data lives, for the size of its disk. */
export async function inspectMachine(directory: string): Promise<Machine> {
  const [machineId, systemUuid, bootId, osRelease, disk] = await Promise.all([
    readText('/etc/machine-id'),
    readText('/sys/class/dmi/id/product_uuid'),
    readText('/proc/sys/kernel/random/boot_id'),
    readText('/etc/os-release'),
    statfs(directory).catch(() => undefined),
  ]);
  return {
    hostname: hostname().toLowerCase(),
    os: goSystems[platform()] ?? platform(),
    arch: goArchitectures[arch()] ?? arch(),
    cpuCount: Math.max(1, cpus().length),
    memoryBytes: totalmem(),
    diskBytes: disk === undefined ? 0 : disk.blocks * disk.bsize,
    machineId,
    systemUuid: systemUuid === '' ? machineId : systemUuid,
    bootId,
    kernelVersion: release(),
    osImage: /^PRETTY_NAME="?([^"\n]*)/m.exec(osRelease)?.[1] ?? platform(),
    internalIp: outwardAddress(),
  };
}

export interface Pressure {
  readonly memory: boolean;
  readonly disk: boolean;
  readonly pids: boolean;
}

/** kubelet's default eviction thresholds: less than 100 MiB of memory or 5 % of process ids left. */
export async function inspectPressure(): Promise<Omit<Pressure, 'disk'>> {
  const [meminfo, loadavg, pidMax] = await Promise.all([
    readText('/proc/meminfo'),
    readText('/proc/loadavg'),
    readText('/proc/sys/kernel/pid_max'),
  ]);
  const availableKib = Number(/^MemAvailable:\s+(\d+)/m.exec(meminfo)?.[1] ?? Number.POSITIVE_INFINITY);
  const tasks = Number(/\/(\d+) /.exec(loadavg)?.[1] ?? 0);
  return {
    memory: availableKib < 100 * 1024,
    pids: tasks > Number(pidMax === '' ? Number.POSITIVE_INFINITY : pidMax) * 0.95,
  };
}

async function readText(path: string): Promise<string> {
  return readFile(path, 'utf8').then(
    (text) => text.trim(),
    () => '',
  );
}

function outwardAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find((one) => one.family === 'IPv4' && !one.internal && !one.address.startsWith('169.254.'))?.address ?? '127.0.0.1';
}
