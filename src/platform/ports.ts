import { randomInt } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { UserError } from '#core/errors.ts';
import type { Origin } from '#core/config.ts';
import { portSettings, settings, type PlatformSettings, type PortSetting } from '#platform/settings.ts';

export interface Ports extends Readonly<Record<PortSetting, number>> {
  /** Ports the registry had before: images are still named after them (`localhost:5000/hello`). */
  readonly formerRegistryPorts: readonly number[];
}

const maxFormerPorts = 20;

/**
 * Chooses the listening ports: a port that was asked for must be free; a default that is taken falls to the one used last
 * time or to any free one. The choice is remembered in `stateFile`.
 */
export async function choosePorts(values: PlatformSettings, origins: Readonly<Record<string, Origin>>, stateFile: string): Promise<Ports> {
  const last = readLast(stateFile);
  const chosen: Partial<Record<PortSetting, number>> = {};
  const taken = new Set<number>();
  for (const name of portSettings) {
    const port = await choose(name, values, origins[name] ?? 'default', { last: last[name], taken });
    taken.add(port);
    chosen[name] = port;
  }
  const ports = { ...chosen, formerRegistryPorts: formerPorts(last, chosen.registryPort) } as Ports;
  writeFileSync(`${stateFile}.new`, JSON.stringify(ports));
  renameSync(`${stateFile}.new`, stateFile);
  return ports;
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
}

async function choose(name: PortSetting, values: PlatformSettings, origin: Origin, { last, taken }: Before): Promise<number> {
  const wanted = values[name];
  const free = wanted === 0 ? await anyPort(values.listen, taken) : await freePort(wanted, values.listen);
  if (free !== undefined) return free;
  if (origin !== 'default') {
    throw new UserError(
      `port ${wanted} of --${settings[name].flag} cannot be listened on at ${values.listen}: it is in use, or not permitted`,
      {
        hint: `Stop what listens there, or give another port (0 for any free one).`,
      },
    );
  }
  const again = last === undefined ? undefined : await freePort(last, values.listen);
  const any = again ?? (await anyPort(values.listen, taken));
  if (any === undefined)
    throw new UserError(`no port can be listened on at ${values.listen}`, { hint: 'Is that an address of this machine?' });
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
async function anyPort(host: string, taken: ReadonlySet<number>): Promise<number | undefined> {
  const [low = 0, high = 0] = ephemeralRange();
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const port = randomInt(firstPort, lastPort + 1);
    if (taken.has(port) || (port >= low && port <= high)) continue;
    if ((await freePort(port, host)) !== undefined) return port;
  }
  return freePort(0, host);
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
