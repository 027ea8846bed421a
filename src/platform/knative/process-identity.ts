import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/**
 * A name for this process that no other has, here or on another machine, before or after a reboot: machine, process and when it
 * started, and a hash of the boot and the process namespace, within which a process number says which process is meant.
 */
export function processIdentity(pid: number = process.pid): string {
  return `${hostname()}_${pid}_${startedAt(pid) ?? 0}_${space()}`;
}

/** Whether a process named by `processIdentity` is known to have ended. Of other machines, boots and containers nothing is known. */
export function isDead(identity: string): boolean {
  const [, pid = '', started = '', where = ''] = /_(\d+)_(\d+)_(\w+)$/.exec(identity) ?? [];
  return where === space() && String(startedAt(Number(pid)) ?? 0) !== started;
}

function space(): string {
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return createHash('sha256')
    .update(`${boot} ${readlinkSync('/proc/self/ns/pid')}`)
    .digest('hex')
    .slice(0, 12);
}

/** In clock ticks since boot (proc(5), field 22 of stat); undefined for a process that is not there or has only not been waited for. */
function startedAt(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name, in brackets, may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : Number(fields[19]);
  } catch {
    return undefined;
  }
}
