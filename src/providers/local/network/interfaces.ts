import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Index of a network interface, undefined when there is none. /proc/net shows the caller's own network; /sys that of the network it
 * was mounted in, which is another one after `nsenter --net`. It (`directory`) is asked only where the kernel has no IPv6.
 */
export function interfaceIndex(name: string, directory: string): number | undefined {
  const [file, pattern] = existsSync('/proc/net/dev_snmp6')
    ? [join('/proc/net/dev_snmp6', name), /^ifIndex\s+(\d+)/]
    : [join(directory, name, 'ifindex'), /^(\d+)/];
  try {
    const [, index] = pattern.exec(readFileSync(file, 'utf8')) ?? [];
    return index === undefined ? undefined : Number(index);
  } catch (error) {
    // An interface that goes while it is read is gone.
    if (['ENOENT', 'EIO', 'ENODEV'].includes((error as { code?: string }).code ?? '')) return undefined;
    throw error;
  }
}
