import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Program } from '#providers/local/machine/program.ts';
import { reportFd, type Launcher } from '#providers/local/machine/launcher.ts';
import { choosePodCidr, parseIp, parseRoutes, podCidr, type PodCidr } from '#providers/local/network/cidr.ts';
import { interfaceIndex } from '#providers/local/network/interfaces.ts';
import { openNetlink, sendNetlink } from '#providers/local/network/netlink-steps.ts';
import {
  addAddress,
  addDefaultRouteThrough,
  createBridge,
  deleteLink,
  ethernetAddress,
  linkUp,
  setEthernetAddress,
} from '#providers/local/network/netlink.ts';
import { closeOutbound, redirectOutbound, translateOutbound } from '#providers/local/network/outbound.ts';

/** The bridge of a platform's pods. */
export interface Bridge extends PodCidr {
  readonly interfaceName: string;
  readonly index: number;
  /** Undefined when pods reach other networks, else why not. */
  readonly noOutbound: string | undefined;
}

/** Whose bridge it is and where its state lies. */
export interface BridgePlace {
  readonly launcher: Launcher;
  readonly id: string;
  readonly runDir: string;
  readonly interfacesDirectory: string;
  /** The machine's routes, as /proc/net/route has them: the pod network must be none that is in use. */
  readonly routesFile: string;
}

/** The short form of a platform's id in names of the host: 8 hexadecimal digits (interface names end at 15 bytes). */
export function shortId(id: string): string {
  return createHash('sha256').update(id).digest('hex').slice(0, 8);
}

/**
 * Makes the platform's bridge, or finds the one an earlier process made. The chosen network is remembered in `stateFile`, so that pods keep
 * their addresses over a restart. From a network namespace of the platform's own (`isInside`) pods go out by a forwarder, else by address
 * translation.
 */
export async function openBridge(place: BridgePlace, isInside: boolean): Promise<Bridge> {
  const { launcher, id, runDir } = place;
  const interfaceName = `dm${shortId(id)}`;
  const find = () => interfaceIndex(interfaceName, place.interfacesDirectory);
  const stateFile = join(runDir, 'network');
  const network = rememberedNetwork(stateFile) ?? choosePodCidr(id, parseRoutes(readFileSync(place.routesFile, 'utf8'), interfaceName));
  const step = (...messages: Buffer[]) => runNetlink(launcher, join(runDir, 'bridge.program'), messages);
  if (find() === undefined) await step(createBridge(interfaceName));
  const index = find();
  if (index === undefined) throw new Error(`the bridge ${interfaceName} was made and cannot be found`);
  await step(setEthernetAddress(index, ethernetAddress(network.bridgeIp)));
  await step(addAddress(index, network.bridgeIp, network.prefixLength)).catch(ignoreExisting);
  await step(linkUp(index));
  writeFileSync(stateFile, network.cidr);
  if (isInside) await step(addDefaultRouteThrough(index)).catch(ignoreExisting);
  const outbound = { bridge: interfaceName, cidr: network.cidr };
  const noOutbound = await (isInside ? redirectOutbound(outbound) : translateOutbound(outbound));
  return { ...network, interfaceName, index, noOutbound };
}

/** Removes the bridge and the way out; neither needs to exist. */
export async function closeBridge({ launcher, id, runDir, interfacesDirectory }: BridgePlace): Promise<void> {
  const name = `dm${shortId(id)}`;
  if (interfaceIndex(name, interfacesDirectory) !== undefined)
    await runNetlink(launcher, join(runDir, 'bridge.program'), [deleteLink(name)]);
  await closeOutbound(name);
}

function rememberedNetwork(stateFile: string): PodCidr | undefined {
  if (!existsSync(stateFile)) return undefined;
  const match = /^([\d.]+)\/(\d+)$/.exec(readFileSync(stateFile, 'utf8').trim());
  return match === null ? undefined : podCidr(parseIp(match[1] ?? ''), Number(match[2]));
}

async function runNetlink(launcher: Launcher, path: string, messages: readonly Buffer[]): Promise<void> {
  const program = new Program(launcher.architecture);
  const fd = openNetlink(program);
  for (const message of messages) sendNetlink(program, fd, program.bytes(message), message.length, 'set up the pod network');
  program.exit(0);
  program.failureBlock(reportFd);
  await launcher.run(program, path);
}

function ignoreExisting(error: unknown): void {
  if ((error as { code?: string }).code !== 'EEXIST') throw error;
}
