/**
 * Builders of rtnetlink requests (rtnetlink(7)), sent by launcher programs so that networking needs no external command.
 * Every request asks for an acknowledgement.
 */
const requestFlags = 0x1 | 0x4; // NLM_F_REQUEST | NLM_F_ACK
const createFlags = 0x400 | 0x200; // NLM_F_CREATE | NLM_F_EXCL
const newLink = 16;
const newAddress = 20;
const newRoute = 24;
const flagUp = 1;

/** A request and where in it the process id that names a network namespace has to be written before it is sent. */
export interface LinkRequest {
  readonly message: Buffer;
  readonly pidOffset: number;
}

export function createBridge(name: string): Buffer {
  return message(newLink, createFlags, [linkHeader(0, true), attribute(3, text(name)), attribute(18, attribute(1, text('bridge')))]);
}

/**
 * Gives an interface its Ethernet address for good. A bridge without one takes the lowest of its ports', so that it changes as pods come, and
 * what pods send to the address they know is lost until they ask again.
 */
export function setEthernetAddress(index: number, ethernet: Buffer): Buffer {
  return message(newLink, 0, [linkHeader(index, false), attribute(1, ethernet)]);
}

/**
 * The Ethernet address of whoever has an IPv4 address, as CNI plugins make it: when the IP address goes to another pod, what was
 * remembered of the last one is still true.
 */
export function ethernetAddress(ip: string): Buffer {
  return Buffer.concat([Buffer.from([0x0a, 0x58]), address(ip)]);
}

/** Brings an interface up. */
export function linkUp(index: number): Buffer {
  return message(newLink, 0, [linkHeader(index, true)]);
}

/**
 * A pair of virtual Ethernet interfaces: `hostName`, up and attached to the bridge `bridgeIndex`, and `eth0` with index 2 and the address
 * `ethernet`, still down, in the network namespace of the process whose id the sender fills in.
 */
export function createVeth(hostName: string, bridgeIndex: number, ethernet: Buffer): LinkRequest {
  const marker = 0x7fee_d0a5;
  const pid = Buffer.alloc(4);
  pid.writeInt32LE(marker);
  const peer = Buffer.concat([
    linkHeader(podInterfaceIndex, false),
    attribute(1, ethernet),
    attribute(3, text('eth0')),
    attribute(19, pid),
  ]);
  const info = Buffer.concat([attribute(1, text('veth')), attribute(2, attribute(1, peer))]);
  const request = message(newLink, createFlags, [
    linkHeader(0, true),
    attribute(3, text(hostName)),
    attribute(10, int32(bridgeIndex)),
    attribute(18, info),
  ]);
  return { message: request, pidOffset: request.indexOf(pid) };
}

/** Index given to the pod's end of its virtual Ethernet pair. */
export const podInterfaceIndex = 2;

/** Gives an interface an IPv4 address. */
export function addAddress(index: number, ip: string, prefixLength: number): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt8(2, 0); // AF_INET
  header.writeUInt8(prefixLength, 1);
  header.writeInt32LE(index, 4);
  return message(newAddress, createFlags, [header, attribute(2, address(ip)), attribute(1, address(ip))]);
}

/** The IPv4 default route. */
export function addDefaultRoute(gateway: string): Buffer {
  // rtmsg: AF_INET, table main, protocol boot, scope universe, type unicast
  const header = Buffer.from([2, 0, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0]);
  return message(newRoute, createFlags, [header, attribute(5, address(gateway))]);
}

/** The IPv4 default route through an interface, for networks that are behind nobody. */
export function addDefaultRouteThrough(index: number): Buffer {
  const linkScope = 253;
  const header = Buffer.from([2, 0, 0, 0, 254, 3, linkScope, 1, 0, 0, 0, 0]);
  return message(newRoute, createFlags, [header, attribute(4, int32(index))]);
}

export function deleteLink(name: string): Buffer {
  return message(17, 0, [linkHeader(0, false), attribute(3, text(name))]);
}

function message(type: number, flags: number, parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const header = Buffer.alloc(16);
  header.writeUInt32LE(16 + body.length, 0);
  header.writeUInt16LE(type, 4);
  header.writeUInt16LE(requestFlags | flags, 6);
  return Buffer.concat([header, body]);
}

/** struct ifinfomsg. */
function linkHeader(index: number, up: boolean): Buffer {
  const header = Buffer.alloc(16);
  header.writeInt32LE(index, 4);
  if (up) {
    header.writeUInt32LE(flagUp, 8);
    header.writeUInt32LE(flagUp, 12);
  }
  return header;
}

function attribute(type: number, value: Buffer): Buffer {
  const result = Buffer.alloc(Math.ceil((4 + value.length) / 4) * 4);
  result.writeUInt16LE(4 + value.length, 0);
  result.writeUInt16LE(type, 2);
  value.copy(result, 4);
  return result;
}

function text(value: string): Buffer {
  return Buffer.from(`${value}\0`);
}

function int32(value: number): Buffer {
  const result = Buffer.alloc(4);
  result.writeInt32LE(value);
  return result;
}

function address(ip: string): Buffer {
  return Buffer.from(ip.split('.').map(Number));
}
