import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import type { Engine } from '#apis/runtime/engine.ts';
import type { Host } from '#providers/local/host.ts';
import { copySteps } from '#providers/local/container/terminal-steps.ts';
import { reportFd } from '#providers/local/machine/launcher.ts';
import { load, Program } from '#providers/local/machine/program.ts';
import { namespaces } from '#providers/local/network/sandbox-program.ts';
import type { Sandbox } from '#providers/local/sandbox.ts';

const bufferBytes = 65_536;

/** A byte stream to a port on the pod's loopback interface; rejects when nothing listens there. */
export async function dialPod(host: Host, sandbox: Sandbox, port: number, signal: AbortSignal): ReturnType<Engine['dial']> {
  signal.throwIfAborted();
  const program = dialProgram(host, sandbox.slot.hostNetwork ? undefined : sandbox.slot.holderPid, port);
  const path = join(host.slots.directoryOf(sandbox.slot.slot), `dial-${randomBytes(4).toString('hex')}`);
  const { child, ready } = await host.launcher.start(program, path, ['pipe', 'pipe', 'ignore', 'pipe']);
  const destroy = () => void child.kill('SIGKILL');
  signal.addEventListener('abort', destroy, { once: true });
  child.once('exit', () => signal.removeEventListener('abort', destroy));
  const [writable, readable] = child.stdio as unknown as [Writable, Readable];
  writable.on('error', () => {});
  readable.on('error', () => {});
  try {
    await ready;
  } catch (error) {
    destroy();
    throw new Error(`connect to port ${port} of pod ${sandbox.spec.namespace}/${sandbox.spec.name} failed`, { cause: error });
  } finally {
    await rm(path, { force: true });
  }
  return { readable, writable, destroy };
}

/** Connects inside the pod's network namespace and carries bytes between the connection and descriptors 0 and 1. */
function dialProgram(host: Host, holderPid: number | undefined, port: number): Program {
  const program = new Program(host.launcher.architecture);
  const [holder, socket, pump] = [program.slot(), program.slot(), program.slot()];
  if (holderPid !== undefined) {
    program.call('pidfd_open', [holderPid, 0], { store: holder, what: 'find the pod' });
    program.call('setns', [load(holder), namespaces.network], { what: 'enter the network of the pod' });
  }
  connectSteps(program, socket, port);
  program.call('close', [reportFd], { onError: 'ignore' });
  const inbound = program.label();
  program.call('clone', [17, 0, 0, 0, 0], { store: pump });
  program.jumpIfEqual(pump, 0, inbound);
  program.call('close', [0], { onError: 'ignore' });
  copySteps(program, load(socket), 1, program.room(bufferBytes), bufferBytes);
  program.call('kill', [load(pump), 9], { onError: 'ignore' });
  program.exit(0);
  program.place(inbound);
  program.call('prctl', [1, 9, 0, 0, 0], { onError: 'ignore' });
  program.call('close', [1], { onError: 'ignore' });
  copySteps(program, 0, load(socket), program.room(bufferBytes), bufferBytes);
  program.call('shutdown', [load(socket), 1], { onError: 'ignore' });
  program.exit(0);
  program.failureBlock(reportFd);
  return program;
}

/** 127.0.0.1 first, then ::1. */
function connectSteps(program: Program, socket: number, port: number): void {
  const six = program.label();
  const connected = program.label();
  const ipv4 = Buffer.from([2, 0, port >> 8, port & 255, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
  const ipv6 = Buffer.alloc(28);
  ipv6[0] = 10;
  ipv6.writeUInt16BE(port, 2);
  ipv6[23] = 1;
  const connect = (family: number, address: Buffer, onError: 'fail' | typeof six) => {
    program.call('socket', [family, 1 | 0o2000000, 0], { store: socket, onError });
    program.call('connect', [load(socket), program.bytes(address), address.length], { onError, what: 'connect' });
  };
  connect(2, ipv4, six);
  program.jump(connected);
  program.place(six);
  connect(10, ipv6, 'fail');
  program.place(connected);
}
