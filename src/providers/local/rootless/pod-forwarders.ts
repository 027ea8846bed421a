import { join } from 'node:path';
import type { Host } from '#providers/local/host.ts';
import { namespaces } from '#providers/local/network/sandbox-program.ts';
import { forwardersProgram, tcpAddress, unixAddress } from '#providers/local/rootless/forwarder-program.ts';
import type { SlotRecord } from '#providers/local/state.ts';

const file = 'forward.program';

/**
 * Makes a pod's ports reachable from outside the user namespace: for every port a unix socket beside the pod's state, served by a small process in
 * the pod's network namespace. It lives as long as the slot, whatever happens to the agent.
 */
export async function forwardPorts(host: Host, slot: SlotRecord, ports: readonly number[]): Promise<void> {
  if (ports.length === 0) return;
  const directory = host.slots.directoryOf(slot.slot);
  const forwarders = [...new Set(ports)].map((port) => ({
    listen: unixAddress(join(directory, `p${port}`)),
    connect: tcpAddress('127.0.0.1', port),
    moveInto: { pid: slot.holderPid, kinds: namespaces.network },
  }));
  await host.launcher.run(forwardersProgram(host.launcher.architecture, forwarders), join(directory, file));
}

/** How a pod's ports are reached from outside: the port's number takes the place of `{port}`. */
export function dialTemplate(host: Host, slot: SlotRecord): string {
  return `unix:${join(host.slots.directoryOf(slot.slot), 'p{port}')}`;
}

export function isPodForwarder(name: string): boolean {
  // An earlier version had one a port.
  return name === file || name.startsWith('forward-');
}
