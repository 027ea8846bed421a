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
  for (const name of portSettings) chosen[name] = await choose(name, values, origins[name] ?? 'default', last[name]);
  const ports = { ...chosen, formerRegistryPorts: formerPorts(last, chosen.registryPort) } as Ports;
  writeFileSync(`${stateFile}.new`, JSON.stringify(ports));
  renameSync(`${stateFile}.new`, stateFile);
  return ports;
}

function formerPorts({ registryPort, formerRegistryPorts = [] }: Partial<Ports>, now: number | undefined): number[] {
  const before = new Set([...(registryPort === undefined ? [] : [registryPort]), ...formerRegistryPorts]);
  return [...before].filter((port) => port !== now).slice(0, maxFormerPorts);
}

async function choose(name: PortSetting, values: PlatformSettings, origin: Origin, last: number | undefined): Promise<number> {
  const wanted = values[name];
  const free = await freePort(wanted, values.listen);
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
  const any = again ?? (await freePort(0, values.listen));
  if (any === undefined)
    throw new UserError(`no port can be listened on at ${values.listen}`, { hint: 'Is that an address of this machine?' });
  return any;
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
