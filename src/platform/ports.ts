import { randomInt } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { UserError } from '#core/errors.ts';
import type { Origin } from '#core/config.ts';
import { localAddress } from '#platform/local-host.ts';
import { claimPort } from '#platform/port-claims.ts';
import { isRoot, portSettings, settings, type PlatformSettings, type PortSetting } from '#platform/settings.ts';

export interface Ports extends Readonly<Record<PortSetting, number>> {
  /** Ports the registry had before: images are still named after them (`localhost:5000/hello`). */
  readonly formerRegistryPorts: readonly number[];
}

const maxFormerPorts = 20;

/**
 * Chooses the listening ports: a port that was asked for must be free; a default that is taken falls to the one used last
 * time or to any free one. The choice is remembered in `stateFile`. Until `claims` is disposed of no other platform chooses the same.
 */
export async function choosePorts(
  values: PlatformSettings,
  origins: Readonly<Record<string, Origin>>,
  stateFile: string,
  claims: DisposableStack,
): Promise<Ports> {
  const last = readLast(stateFile);
  const chosen: Partial<Record<PortSetting, number>> = {};
  const taken = new Set<number>();
  const asked = (name: PortSetting) => (origins[name] ?? 'default') !== 'default';
  // What was asked for comes first: a default of ours must not have it.
  for (const name of portSettings.toSorted((one, other) => Number(asked(other)) - Number(asked(one)))) {
    const port = await choose(name, values, asked(name), { last: last[name], taken, claims });
    taken.add(port);
    chosen[name] = port;
  }
  const ports = { ...chosen, formerRegistryPorts: formerPorts(last, chosen.registryPort) } as Ports;
  writeFileSync(`${stateFile}.new`, JSON.stringify(ports));
  renameSync(`${stateFile}.new`, stateFile);
  return ports;
}

/** The address a port is listened on: not all are public. */
export function listenAddress(name: PortSetting, listen: string): string {
  if (name === 'adminPort') return '127.0.0.1';
  // An ordinary user's node is in a network of its own, and its ports are forwarded from the machine's loopback.
  if (!isRoot() && (name === 'kubeletPort' || name === 'registryPort')) return '127.0.0.1';
  return name === 'kubeletPort' ? localAddress(listen) : listen;
}

function formerPorts({ registryPort, formerRegistryPorts = [] }: Partial<Ports>, now: number | undefined): number[] {
  const before = new Set([...(registryPort === undefined ? [] : [registryPort]), ...formerRegistryPorts]);
  return [...before].filter((port) => port !== now).slice(0, maxFormerPorts);
}

interface Before {
  /** The port of last time. */
  readonly last: number | undefined;
  /** Chosen already, for other listeners. */
  readonly taken: ReadonlySet<number>;
  readonly claims: DisposableStack;
}

async function choose(name: PortSetting, values: PlatformSettings, asked: boolean, { last, taken, claims }: Before): Promise<number> {
  const wanted = values[name];
  const host = listenAddress(name, values.listen);
  const free = wanted === 0 ? await anyPort(host, taken, claims) : await takePort(wanted, host, claims);
  if (free !== undefined) return free;
  if (asked) {
    throw new UserError(`port ${wanted} of --${settings[name].flag} cannot be listened on at ${host}: it is in use, or not permitted`, {
      hint: `Stop what listens there, or give another port (0 for any free one).`,
    });
  }
  const again = last === undefined || taken.has(last) ? undefined : await takePort(last, host, claims);
  const any = again ?? (await anyPort(host, taken, claims));
  if (any === undefined) throw new UserError(`no port can be listened on at ${host}`, { hint: 'Is that an address of this machine?' });
  return any;
}

/** Where free ports are looked for: below node ports, and not where the kernel takes its own from. */
const firstPort = 10_000;
const lastPort = 29_999;
const attempts = 100;

/**
 * A port nothing listens on now, at random. One the kernel gives could be given again, to any outgoing connection or to any test beside
 * this one, before the process that is to listen there has started.
 */
async function anyPort(host: string, taken: ReadonlySet<number>, claims: DisposableStack): Promise<number | undefined> {
  const [low = 0, high = 0] = ephemeralRange();
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const port = randomInt(firstPort, lastPort + 1);
    if (taken.has(port) || (port >= low && port <= high)) continue;
    if ((await takePort(port, host, claims)) !== undefined) return port;
  }
  const given = await freePort(0, host);
  return given === undefined ? undefined : takePort(given, host, claims);
}

/** The port itself when it can be listened on right now and no other platform has claimed it, else undefined. */
async function takePort(port: number, host: string, claims: DisposableStack): Promise<number | undefined> {
  const claim = await claimPort(host, port);
  if (claim === undefined) return undefined;
  if ((await freePort(port, host)) !== undefined) {
    claims.use(claim);
    return port;
  }
  claim[Symbol.dispose]();
  return undefined;
}

function ephemeralRange(): number[] {
  try {
    return readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'latin1').trim().split(/\s+/).map(Number);
  } catch {
    return [];
  }
}

/** The port itself when it can be listened on right now (any free one for 0), else undefined. */
function freePort(port: number, host: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(undefined));
    probe.listen({ port, host, exclusive: true }, () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : undefined));
    });
  });
}

function readLast(stateFile: string): Partial<Ports> {
  try {
    return JSON.parse(readFileSync(stateFile, 'utf8')) as Partial<Ports>;
  } catch {
    return {};
  }
}
