import { load, Program, type Label } from '#providers/local/machine/program.ts';
import { reportFd } from '#providers/local/machine/launcher.ts';
import type { Architecture } from '#providers/local/machine/numbers.ts';
import { copySteps } from '#providers/local/container/terminal-steps.ts';

const closeOnExec = 0o2000000;
const shareDescriptors = 0x400; // CLONE_FILES
const childSignal = 17;
const bufferBytes = 65_536;
const shutdownWriting = 1;

/** An address as socket calls take it. */
export interface SocketAddress {
  readonly family: number;
  readonly bytes: Buffer;
  /** Of a unix socket. */
  readonly path?: string;
}

export function tcpAddress(ip: string, port: number): SocketAddress {
  const bytes = Buffer.from([2, 0, port >> 8, port & 255, ...ip.split('.').map(Number), 0, 0, 0, 0, 0, 0, 0, 0]);
  return { family: 2, bytes };
}

/** Paths end at 107 bytes (unix(7)). */
export function unixAddress(path: string): SocketAddress {
  const name = Buffer.from(`${path}\0`);
  if (name.length > 108) throw new Error(`socket path of more than 107 bytes: ${path}`);
  return { family: 1, bytes: Buffer.concat([Buffer.from([1, 0]), name]), path };
}

export interface ForwarderOptions {
  readonly listen: SocketAddress;
  /** Where to; `original destination`: where the connection wanted to go before nft redirected it here, unless that is a loopback address. */
  readonly connect: SocketAddress | 'original destination';
  /** More wait until others have ended; default 4096. */
  readonly maxConnections?: number;
  /** Namespaces in which to listen, when they are not the forwarder's own. */
  readonly listenInside?: { readonly pid: number; readonly kinds: number };
  /** Namespaces from which to connect, when they are not the forwarder's own. */
  readonly connectInside?: { readonly pid: number; readonly kinds: number };
  /** Namespaces into which the forwarder moves before it listens and connects. */
  readonly moveInto?: { readonly pid: number; readonly kinds: number };
}

/**
 * Accepts connections and carries their bytes to another address, one small process a direction. It has no memory of its own worth
 * mentioning and depends on nobody: a restarted agent finds it still working. Both directions end separately (half-close).
 */
export function forwarderProgram(architecture: Architecture, options: ForwarderOptions): Program {
  return forwardersProgram(architecture, [options]);
}

/** Several forwarders by one start, a process each. */
export function forwardersProgram(architecture: Architecture, all: readonly ForwarderOptions[]): Program {
  const program = new Program(architecture);
  const buffer = program.room(bufferBytes);
  for (const [index, options] of all.entries()) {
    const next = program.label();
    if (index < all.length - 1) {
      const child = program.slot();
      program.call('clone', [childSignal, 0, 0, 0, 0], { store: child, what: 'fork' });
      const own = program.label();
      program.jumpIfEqual(child, 0, own);
      program.jump(next);
      program.place(own);
    }
    forwarderSteps(program, options, buffer);
    program.place(next);
  }
  program.failureBlock(reportFd);
  return program;
}

function forwarderSteps(program: Program, options: ForwarderOptions, buffer: number): void {
  const [listener, connection, child] = [program.slot(), program.slot(), program.slot()];
  const [again, handler] = [program.label(), program.label()];
  const children = program.slot();
  if (options.moveInto !== undefined) enterSteps(program, options.moveInto);
  if (options.listenInside === undefined) listenSteps(program, options.listen, listener);
  else listenElsewhere(program, options.listen, listener, options.listenInside);
  program.call('close', [reportFd], { onError: 'ignore' });
  const [refused, pause] = [program.label(), program.bytes(pauseTimespec())];
  program.jump(again);
  program.place(refused);
  program.call('nanosleep', [pause, 0], { onError: 'ignore' }); // Out of descriptors, say: not to be asked again at once.
  program.place(again);
  program.call('accept4', [load(listener), 0, 0, closeOnExec], { store: connection, onError: refused });
  reapSteps(program, children, options.maxConnections ?? 4096);
  const turnedAway = program.label();
  program.call('clone', [childSignal, 0, 0, 0, 0], { store: child, onError: turnedAway });
  program.jumpIfEqual(child, 0, handler);
  program.add(children, load(children), 1);
  program.place(turnedAway);
  program.call('close', [load(connection)], { onError: 'ignore' });
  program.jump(again);
  program.place(handler);
  program.call('close', [load(listener)], { onError: 'ignore' });
  if (options.connectInside !== undefined) enterSteps(program, options.connectInside);
  connectionSteps(program, options.connect, connection, buffer);
}

/** Takes leave of the children that have ended; with `limit` of them it waits for one to end. */
function reapSteps(program: Program, children: number, limit: number): void {
  const [ended, left] = [program.slot(), program.slot()];
  const [more, none, room] = [program.label(), program.label(), program.label()];
  program.place(more);
  program.call('wait4', [-1, 0, 1, 0], { store: ended, onError: none });
  program.jumpIfEqual(ended, 0, none);
  program.add(children, load(children), -1);
  program.jump(more);
  program.place(none);
  program.add(left, load(children), -limit);
  program.jumpIfNegative(left, room);
  program.call('wait4', [-1, 0, 0, 0], { onError: room });
  program.add(children, load(children), -1);
  program.place(room);
}

/** struct timespec: 20 ms. */
function pauseTimespec(): Buffer {
  const time = Buffer.alloc(16);
  time.writeBigInt64LE(20_000_000n, 8);
  return time;
}

function enterSteps(program: Program, where: { readonly pid: number; readonly kinds: number }): void {
  const holder = program.slot();
  program.call('pidfd_open', [where.pid, 0], { store: holder, what: 'find the holder of the namespaces' });
  program.call('setns', [load(holder), where.kinds], { what: 'enter the namespaces' });
  program.call('close', [load(holder)], { onError: 'ignore' });
}

function listenSteps(program: Program, address: SocketAddress, listener: number): void {
  const what = `listen on ${address.path ?? 'a port'}`;
  const one = Buffer.from([1, 0, 0, 0]);
  if (address.path !== undefined) program.call('unlinkat', [-100, program.text(address.path), 0], { onError: 'ignore' });
  program.call('socket', [address.family, 1 | closeOnExec, 0], { store: listener, what });
  program.call('setsockopt', [load(listener), 1, 2, program.bytes(one), 4], { onError: 'ignore' }); // SO_REUSEADDR
  program.call('bind', [load(listener), program.bytes(address.bytes), address.bytes.length], { what });
  program.call('listen', [load(listener), 511], { what });
}

/** A process that shares our descriptors makes the socket over there; it belongs to the namespace it was made in, whoever uses it. */
function listenElsewhere(
  program: Program,
  address: SocketAddress,
  listener: number,
  where: NonNullable<ForwarderOptions['listenInside']>,
): void {
  const maker = program.slot();
  const [inside, made] = [program.label(), program.label()];
  const descriptor = 10;
  program.call('clone', [shareDescriptors | childSignal, 0, 0, 0, 0], { store: maker });
  program.jumpIfEqual(maker, 0, inside);
  const status = program.slot();
  program.call('wait4', [load(maker), status, 0, 0], { onError: 'ignore' });
  program.add(listener, descriptor, 0);
  program.jumpIfEqual(status, 0, made);
  program.exit(1); // The maker has said why.
  program.place(inside);
  enterSteps(program, where);
  listenSteps(program, address, listener);
  program.call('dup3', [load(listener), descriptor, closeOnExec]);
  program.call('close', [load(listener)], { onError: 'ignore' });
  program.exit(0);
  program.place(made);
}

const inet = 2;
const inetAddressBytes = 16;
const solIp = 0;
const originalDestination = 80;

/** Where the connection wanted to go, as an address in the program's memory. Never to this machine's loopback: 0.0.0.0/8 and 127.0.0.0/8. */
function originalDestinationSteps(program: Program, connection: number, gone: Label): number {
  const address = program.room(inetAddressBytes);
  const length = program.bytes(Buffer.from([inetAddressBytes, 0, 0, 0]));
  program.call('getsockopt', [load(connection), solIp, originalDestination, address, length], { onError: gone });
  // struct sockaddr_in: family (2 bytes), port (2), address. Read from its second byte, the address's first byte is a number's highest.
  const [first, difference] = [address + 1, program.slot()];
  const [fine, low] = [program.label(), program.label()];
  program.jumpIfNegative(first, fine); // 128 and more
  program.add(difference, load(first), -0x7f00_0000);
  program.jumpIfNegative(difference, low);
  program.jump(gone); // 127
  program.place(low);
  program.add(difference, load(first), -0x0100_0000);
  program.jumpIfNegative(difference, gone); // 0
  program.place(fine);
  return address;
}

/** `buffer` is every process's own copy. */
function connectionSteps(program: Program, where: ForwarderOptions['connect'], connection: number, buffer: number): void {
  const [target, child] = [program.slot(), program.slot()];
  const back = program.label();
  const gone = program.label();
  const { family, address, sizeBytes } =
    where === 'original destination'
      ? { family: inet, address: originalDestinationSteps(program, connection, gone), sizeBytes: inetAddressBytes }
      : { family: where.family, address: program.bytes(where.bytes), sizeBytes: where.bytes.length };
  program.call('socket', [family, 1 | closeOnExec, 0], { store: target, onError: gone });
  program.call('connect', [load(target), address, sizeBytes], { onError: gone });
  program.call('clone', [childSignal, 0, 0, 0, 0], { store: child, onError: gone });
  program.jumpIfEqual(child, 0, back);
  copySteps(program, load(connection), load(target), buffer, bufferBytes);
  program.call('shutdown', [load(target), shutdownWriting], { onError: 'ignore' });
  program.call('close', [load(connection)], { onError: 'ignore' });
  program.call('close', [load(target)], { onError: 'ignore' });
  program.call('wait4', [load(child), 0, 0, 0], { onError: 'ignore' });
  program.place(gone);
  program.exit(0);
  program.place(back);
  copySteps(program, load(target), load(connection), buffer, bufferBytes);
  program.call('shutdown', [load(connection), shutdownWriting], { onError: 'ignore' });
  program.exit(0);
}
