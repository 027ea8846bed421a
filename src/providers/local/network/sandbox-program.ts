import { load, Program } from '#providers/local/machine/program.ts';
import { reportFd } from '#providers/local/machine/launcher.ts';
import type { Architecture } from '#providers/local/machine/numbers.ts';
import type { Bridge } from '#providers/local/network/bridge.ts';
import { openNetlink, sendNetlink } from '#providers/local/network/netlink-steps.ts';
import { addAddress, addDefaultRoute, createVeth, ethernetAddress, linkUp, podInterfaceIndex } from '#providers/local/network/netlink.ts';
import { blockSignals, park, reapForever } from '#providers/local/container/process-steps.ts';

/** CLONE_NEW… flags (clone(2)). */
export const namespaces = {
  mount: 0x2_0000,
  cgroup: 0x200_0000,
  uts: 0x400_0000,
  ipc: 0x800_0000,
  user: 0x1000_0000,
  pid: 0x2000_0000,
  network: 0x4000_0000,
} as const;

const loopbackIndex = 1;
const childExitSignal = 17;

export interface HolderOptions {
  readonly architecture: Architecture;
  /** Undefined: the host's network. */
  readonly network?: { readonly bridge: Bridge; readonly ip: string; readonly hostInterface: string };
  readonly shareProcessNamespace: boolean;
}

/** Tag of the note with the process id of the pod's PID 1 (shared process namespace only). */
export const podInitNote = 2;

/**
 * The process that holds a pod's namespaces (network, IPC, host name; the process namespace if its containers share one). It sets up the
 * network itself and then sleeps; when it is killed, the kernel takes the namespaces and the interfaces away.
 */
export function holderProgram(options: HolderOptions): Program {
  const program = new Program(options.architecture);
  blockSignals(program);
  const hostNetlink = options.network === undefined ? 0 : openNetlink(program);
  const flags = namespaces.ipc | namespaces.uts | (options.network === undefined ? 0 : namespaces.network);
  program.call('unshare', [flags], { what: 'make the namespaces of a pod' });
  if (options.network !== undefined) addNetwork(program, hostNetlink, options.network);
  if (options.shareProcessNamespace) addPodInit(program);
  program.call('close_range', [0, 0xffff_ffff, 0], { onError: 'ignore' });
  park(program);
  program.failureBlock(reportFd);
  return program;
}

function addNetwork(program: Program, hostNetlink: number, network: NonNullable<HolderOptions['network']>): void {
  const { bridge, ip, hostInterface } = network;
  const request = createVeth(hostInterface, bridge.index, ethernetAddress(ip));
  const veth = program.bytes(request.message);
  program.call('getpid', [], { store: veth + request.pidOffset });
  sendNetlink(program, hostNetlink, veth, request.message.length, 'make the network interface of a pod');
  const inside = openNetlink(program);
  for (const message of [
    linkUp(loopbackIndex),
    linkUp(podInterfaceIndex),
    addAddress(podInterfaceIndex, ip, bridge.prefixLength),
    addDefaultRoute(bridge.bridgeIp),
  ]) {
    sendNetlink(program, inside, program.bytes(message), message.length, 'configure the network of a pod');
  }
}

function addPodInit(program: Program): void {
  const pid = program.slot();
  const inside = program.label();
  const message = program.room(8);
  program.call('clone', [namespaces.pid | childExitSignal, 0, 0, 0, 0], { store: pid, what: 'make a process namespace' });
  program.jumpIfEqual(pid, 0, inside);
  program.add(message, podInitNote, 0);
  program.add(message + 4, load(pid), 0);
  program.call('write', [reportFd, message, 8]);
  const outside = program.label();
  program.jump(outside);
  program.place(inside);
  program.call('close_range', [0, 0xffff_ffff, 0], { onError: 'ignore' });
  reapForever(program);
  program.place(outside);
}
