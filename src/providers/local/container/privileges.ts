import type { ContainerSpec } from '#apis/runtime/engine.ts';
import type { Program } from '#providers/local/machine/program.ts';

/** Capabilities by number (linux/capability.h). */
const capabilityNames = (
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW ' +
  'IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD ' +
  'LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE'
).split(' ');

/** What a container gets unless it asks for more or less: containerd's default set. */
const defaultCapabilities =
  'CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE'.split(' ');

/**
 * The capabilities of a container by name (without CAP_). `available` bounds them: nobody can give what he has not. Unknown names are left out, as
 * the kubelet's validation has let them through.
 */
export function containerCapabilities(security: ContainerSpec['security'], available: bigint): readonly string[] {
  const plain = (name: string) => name.toUpperCase().replace(/^CAP_/, '');
  const add = security.addCapabilities.map(plain);
  const drop = new Set(security.dropCapabilities.map(plain));
  const all = security.privileged || add.includes('ALL');
  const base = all ? capabilityNames : drop.has('ALL') ? [] : defaultCapabilities;
  const kept = base.filter((name) => security.privileged || !drop.has(name));
  const chosen = new Set([...kept, ...add]);
  return capabilityNames.filter((name, index) => chosen.has(name) && ((available >> BigInt(index)) & 1n) === 1n);
}

export function capabilityMask(names: readonly string[]): bigint {
  return names.reduce((mask, name) => mask | (1n << BigInt(capabilityNames.indexOf(name))), 0n);
}

export function capabilityNamesOf(mask: bigint): readonly string[] {
  return capabilityNames.filter((_, index) => ((mask >> BigInt(index)) & 1n) === 1n);
}

/** Ids a process runs with. */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

export interface PrivilegeOptions {
  readonly identity: Identity;
  readonly capabilities: bigint;
  readonly available: bigint;
  readonly noNewPrivileges: boolean;
  /** A compiled seccomp filter, or undefined. */
  readonly seccomp: Buffer | undefined;
  /** False in a user namespace that forbids setgroups. */
  readonly canSetGroups: boolean;
}

const prSetNoNewPrivileges = 38;
const prCapabilityBoundDrop = 24;
const prSetDumpable = 4;
const capabilityVersion3 = 0x2008_0522;

/**
 * Gives up everything a container's process must not have. Order: the filter while we still may install one without `no_new_privs`, the bounding
 * set, the ids, then the capabilities themselves. Root in the container keeps exactly `capabilities`; another user keeps none but may
 * regain them, within the bounding set, from a file.
 */
export function privilegeSteps(program: Program, options: PrivilegeOptions): void {
  const { identity } = options;
  if (options.noNewPrivileges) program.call('prctl', [prSetNoNewPrivileges, 1, 0, 0, 0], { what: 'set no_new_privs' });
  if (options.seccomp !== undefined) seccompSteps(program, options.seccomp);
  for (let number = 0; number < capabilityNames.length; number++) {
    const bit = 1n << BigInt(number);
    if ((options.capabilities & bit) !== 0n || (options.available & bit) === 0n) continue;
    program.call('prctl', [prCapabilityBoundDrop, number, 0, 0, 0], { what: `drop CAP_${capabilityNames[number]}` });
  }
  if (options.canSetGroups) {
    const groups = Buffer.alloc(Math.max(4, identity.groups.length * 4));
    for (const [index, group] of identity.groups.entries()) groups.writeUInt32LE(group, index * 4);
    program.call('setgroups', [identity.groups.length, program.bytes(groups)], { what: 'set supplementary groups' });
  }
  program.call('setresgid', [identity.gid, identity.gid, identity.gid], { what: `set group ${identity.gid}` });
  program.call('setresuid', [identity.uid, identity.uid, identity.uid], { what: `set user ${identity.uid}` });
  if (identity.uid === 0) capsetSteps(program, options.capabilities);
  program.call('prctl', [prSetDumpable, 0, 0, 0, 0], { onError: 'ignore' });
}

function capsetSteps(program: Program, mask: bigint): void {
  const header = Buffer.alloc(8);
  header.writeUInt32LE(capabilityVersion3);
  const data = Buffer.alloc(24);
  const low = Number(mask & 0xffff_ffffn);
  const high = Number(mask >> 32n);
  for (const at of [0, 4]) {
    data.writeUInt32LE(low, at);
    data.writeUInt32LE(high, at + 12);
  }
  program.call('capset', [program.bytes(header), program.bytes(data)], { what: 'drop capabilities' });
}

function seccompSteps(program: Program, filter: Buffer): void {
  const descriptor = Buffer.alloc(16);
  descriptor.writeUInt16LE(filter.length / 8, 0);
  descriptor.writeBigUInt64LE(BigInt(program.bytes(filter)), 8);
  program.call('seccomp', [1, 0, program.bytes(descriptor)], { what: 'install the seccomp filter' });
}
