import { readFileSync } from 'node:fs';
import type { Pod } from '#apis/core/v1/pod.ts';
import { isWildcard } from '#node/services/service-fronts.ts';

/** A port of the machine that a process of it holds. */
export interface HostSocket {
  readonly protocol: 'TCP' | 'UDP';
  /** IPv4; the wildcard stands for both families. */
  readonly address: string;
  readonly port: number;
}

const listening = '0A';
const unconnected = '07';

/** The ports that are held in the network namespace of a process; none where it cannot be seen. */
export function hostSocketsOf(pid: number): readonly HostSocket[] {
  return [
    ...socketsIn(`/proc/${pid}/net/tcp`, 'TCP', listening),
    ...socketsIn(`/proc/${pid}/net/tcp6`, 'TCP', listening),
    ...socketsIn(`/proc/${pid}/net/udp`, 'UDP', unconnected),
    ...socketsIn(`/proc/${pid}/net/udp6`, 'UDP', unconnected),
  ];
}

/**
 * Why a pod cannot have one of its host ports, in the words of the container runtimes that hold these themselves; undefined when it can have all.
 * The kernel's rules would take the port's connections away from the process that has it.
 */
export function takenHostPort({ metadata, spec }: Pod, sockets: () => readonly HostSocket[]): string | undefined {
  const wanted = (spec?.containers ?? []).flatMap(({ ports = [] }) => ports.filter(({ hostPort = 0 }) => hostPort > 0));
  if (wanted.length === 0 || spec?.hostNetwork === true) return undefined;
  const held = sockets();
  for (const { hostPort = 0, hostIP = '', protocol = 'TCP' } of wanted) {
    const isEverywhere = hostIP === '' || isWildcard(hostIP);
    const isTaken = held.some(
      (one) => one.protocol === protocol && one.port === hostPort && (isEverywhere || isWildcard(one.address) || one.address === hostIP),
    );
    if (!isTaken) continue;
    const place = `${protocol.toLowerCase()}4 ${isEverywhere ? '' : hostIP}:${hostPort}`;
    return `cannot open hostport ${hostPort} for pod ${metadata.name}_${metadata.namespace}: listen ${place}: bind: address already in use`;
  }
  return undefined;
}

/** Rows of a table of the kernel: `sl local_address rem_address st …`, addresses as words of hexadecimal digits in host order. */
export function parseSockets(table: string, protocol: HostSocket['protocol'], state: string): readonly HostSocket[] {
  return table
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [, local = '', , st] = line.trim().split(/\s+/);
      const [address = '', port = ''] = local.split(':');
      const ipv4 = st === state ? addressOf(address) : undefined;
      return ipv4 === undefined ? [] : [{ protocol, address: ipv4, port: Number.parseInt(port, 16) }];
    });
}

function socketsIn(path: string, protocol: HostSocket['protocol'], state: string): readonly HostSocket[] {
  try {
    return parseSockets(readFileSync(path, 'utf8'), protocol, state);
  } catch (error) {
    // No IPv6, or a process that has ended or may not be looked at.
    if (['ENOENT', 'EACCES', 'EPERM', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
    throw error;
  }
}

/** IPv4, as such or mapped into IPv6; undefined for other addresses of IPv6. */
function addressOf(hex: string): string | undefined {
  const isMapped = hex.length === 32 && hex.startsWith('0000000000000000FFFF0000');
  if (hex.length === 32 && /^0+$/.test(hex)) return '0.0.0.0';
  if (hex.length !== 8 && !isMapped) return undefined;
  return [...Buffer.from(hex.slice(-8), 'hex')].toReversed().join('.');
}
