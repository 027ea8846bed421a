import type { Mount } from '#apis/runtime/engine.ts';
import type { CgroupView } from '#providers/local/cgroups/cgroups.ts';
import type { Program } from '#providers/local/machine/program.ts';
import {
  bindStep,
  makeDirectories,
  makeDirectory,
  makeFile,
  mountFlags,
  mountStep,
  readOnlyStep,
  symlinkStep,
} from '#providers/local/container/mount-steps.ts';

/** Parts of /proc and /sys a container must not see, or not change: the lists of the OCI runtimes' default specification. */
export const maskedPaths = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/scsi',
  '/proc/sched_debug',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
];
const maskedDirectories = new Set(['/proc/acpi', '/proc/asound', '/proc/scsi', '/sys/firmware', '/sys/devices/virtual/powercap']);
export const readOnlyPaths = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];
const devices = ['null', 'zero', 'full', 'random', 'urandom', 'tty'];

/** A mount with what the engine found at its source. */
export interface ResolvedMount extends Mount {
  readonly isDirectory: boolean;
}

export interface Overlay {
  readonly lowerdirs: readonly string[];
  readonly upper: string;
  readonly work: string;
  readonly target: string;
  /** Keep overlay's marks in user.* attributes: needed without real root. */
  readonly userAttributes: boolean;
}

export interface RootOptions {
  readonly overlay: Overlay;
  readonly mounts: readonly ResolvedMount[];
  readonly readOnlyRoot: boolean;
  readonly privileged: boolean;
  /** The machine's /proc is shown, where another of its processes may not be mounted: in a user namespace. */
  readonly hostProcesses: boolean;
  readonly sysctls: Readonly<Record<string, string>>;
  /** Shown at /sys/fs/cgroup: the container's own limits. Only an OCI runtime does it by itself. */
  readonly cgroups: readonly CgroupView[];
  /** A name nobody can guess: where the host's root is mounted while the container's root is being filled. */
  readonly secret: string;
  /** Group that owns terminals (5), where it is mapped. */
  readonly terminalGroup: number | undefined;
}

/** Mounts the container's root file system. `nodev`: device files in an image or made by a container do nothing. */
export function overlaySteps(program: Program, overlay: Overlay): void {
  const options = [
    `lowerdir=${overlay.lowerdirs.map(escapeOption).join(':')}`,
    `upperdir=${escapeOption(overlay.upper)}`,
    `workdir=${escapeOption(overlay.work)}`,
    ...(overlay.userAttributes ? ['userxattr'] : []),
  ].join(',');
  mountStep(program, 'overlay', overlay.target, 'overlay', mountFlags.noDev, options);
}

/** In overlay's options `\`, `:` and `,` separate. */
function escapeOption(path: string): string {
  return path.replaceAll(/[\\:,]/g, '\\$&');
}

/**
 * Builds a container's file tree in a new mount namespace and makes it the root. Paths that the image decides about are resolved only after
 * the change of root, so a symbolic link in an image never leads to the host. The engine has made /dev, /proc and /sys in the upper layer.
 */
export function rootSteps(program: Program, options: RootOptions): void {
  const root = options.overlay.target;
  const old = oldRoot(options);
  overlaySteps(program, options.overlay);
  mountStep(
    program,
    'tmpfs',
    `${root}/dev`,
    'tmpfs',
    mountFlags.noSuid | mountFlags.noDev | mountFlags.strictAtime,
    'mode=755,size=65536k',
  );
  makeDirectory(program, `${root}${old}`, 0o700);
  kernelFileSteps(program, root, '', options);
  program.call('pivot_root', [program.text(root), program.text(`${root}${old}`)], { what: 'change the root directory' });
  program.call('chdir', [program.text('/')]);
  fillRoot(program, options);
}

/** Where the host's root is seen from the container's while that is being filled. */
export function oldRoot({ secret }: Pick<RootOptions, 'secret'>): string {
  return `/dev/.${secret}`;
}

/** Mounts what the kernel shows, /proc and /sys, in the root at `root`; the machine's is at `machine` ('' while it is the root itself). */
export function kernelFileSteps(program: Program, root: string, machine: string, options: RootOptions): void {
  const quiet = mountFlags.noSuid | mountFlags.noDev | mountFlags.noExec;
  if (options.hostProcesses) bindStep(program, `${machine}/proc`, `${root}/proc`);
  else mountStep(program, 'proc', `${root}/proc`, 'proc', quiet);
  mountStep(program, 'sysfs', `${root}/sys`, 'sysfs', quiet | (options.privileged ? 0 : mountFlags.readOnly));
  cgroupSteps(program, `${root}/sys/fs/cgroup`, options);
}

/** After the change of root: devices, volumes, settings, protection; then lets go of the host's root. */
export function fillRoot(program: Program, options: RootOptions): void {
  const old = oldRoot(options);
  deviceSteps(program, old, options.terminalGroup);
  for (const mount of options.mounts) mountVolume(program, old, mount);
  for (const [name, value] of Object.entries(options.sysctls)) writeSysctl(program, name, value);
  if (!options.privileged) protectKernelFiles(program);
  program.call('umount2', [program.text(old), 2], { what: 'let go of the host file system' });
  program.call('unlinkat', [-100, program.text(old), 0x200]);
  if (options.readOnlyRoot) readOnlyStep(program, '/', true);
}

/** The container is in a control group namespace of its own by now, so it sees its group as the root of each hierarchy. */
function cgroupSteps(program: Program, target: string, { cgroups, privileged }: RootOptions): void {
  const quiet = mountFlags.noSuid | mountFlags.noDev | mountFlags.noExec;
  const flags = quiet | (privileged ? 0 : mountFlags.readOnly);
  const separate = cgroups.filter(({ name }) => name !== '');
  if (separate.length > 0) mountStep(program, 'tmpfs', target, 'tmpfs', quiet, 'mode=755,size=64k');
  for (const { type, name, data, aliases } of cgroups) {
    const path = name === '' ? target : `${target}/${name}`;
    if (name !== '') makeDirectory(program, path);
    mountStep(program, type, path, type, flags, data);
    for (const alias of aliases) symlinkStep(program, name, `${target}/${alias}`);
  }
  if (separate.length > 0 && !privileged) readOnlyStep(program, target, true);
}

function deviceSteps(program: Program, old: string, terminalGroup: number | undefined): void {
  for (const device of devices) {
    makeFile(program, `/dev/${device}`);
    bindStep(program, `${old}/dev/${device}`, `/dev/${device}`);
  }
  for (const [target, path] of [
    ['/proc/self/fd', '/dev/fd'],
    ['/proc/self/fd/0', '/dev/stdin'],
    ['/proc/self/fd/1', '/dev/stdout'],
    ['/proc/self/fd/2', '/dev/stderr'],
    ['pts/ptmx', '/dev/ptmx'],
  ] as const) {
    symlinkStep(program, target, path);
  }
  for (const directory of ['pts', 'shm', 'mqueue']) makeDirectory(program, `/dev/${directory}`);
  const group = terminalGroup === undefined ? '' : `,gid=${terminalGroup}`;
  mountStep(program, 'devpts', '/dev/pts', 'devpts', mountFlags.noSuid | mountFlags.noExec, `newinstance,ptmxmode=0666,mode=0620${group}`);
  const quiet = mountFlags.noSuid | mountFlags.noDev | mountFlags.noExec;
  mountStep(program, 'shm', '/dev/shm', 'tmpfs', quiet, 'mode=1777,size=65536k');
  mountStep(program, 'mqueue', '/dev/mqueue', 'mqueue', quiet);
}

function mountVolume(program: Program, old: string, mount: ResolvedMount): void {
  if (mount.isDirectory) makeDirectories(program, mount.containerPath);
  else {
    makeDirectories(program, mount.containerPath.replace(/\/[^/]*$/, ''));
    makeFile(program, mount.containerPath);
  }
  bindStep(program, `${old}${mount.hostPath}`, mount.containerPath, { readOnly: mount.readOnly });
}

function writeSysctl(program: Program, name: string, value: string): void {
  const fd = program.slot();
  const what = `set sysctl ${name}`;
  program.call('openat', [-100, program.text(`/proc/sys/${name.replaceAll('.', '/')}`), 1 | 0o2000000, 0], { store: fd, what });
  program.call('write', [{ load: fd }, program.text(value), Buffer.byteLength(value)], { what });
  program.call('close', [{ load: fd }], { onError: 'ignore' });
}

function protectKernelFiles(program: Program): void {
  for (const path of maskedPaths) {
    if (!maskedDirectories.has(path)) bindStep(program, '/dev/null', path, { optional: true });
    else {
      const flags = mountFlags.readOnly | mountFlags.noSuid | mountFlags.noDev | mountFlags.noExec;
      program.call('mount', [program.text('tmpfs'), program.text(path), program.text('tmpfs'), flags, 0], { onError: 'ignore' });
    }
  }
  for (const path of readOnlyPaths) bindStep(program, path, path, { readOnly: true, optional: true });
}
