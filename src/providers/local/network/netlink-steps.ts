import { load, type Program } from '#providers/local/machine/program.ts';

const replyErrorOffset = 16;

/** Adds steps that open a routing netlink socket in the current network namespace; returns the slot of its descriptor. */
export function openNetlink(program: Program): number {
  const fd = program.slot();
  program.call('socket', [16, 3 | 0x8_0000, 0], { store: fd, what: 'open a netlink socket' }); // AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE
  return fd;
}

/** Adds steps that send a request and fail with the kernel's answer. `message` is the address of a request in the program. */
export function sendNetlink(program: Program, fd: number, message: number, length: number, what: string): void {
  const reply = program.room(1024);
  program.call('sendto', [load(fd), message, length, 0, 0, 0], { what });
  program.call('recvfrom', [load(fd), reply, 1024, 0, 0, 0], { what });
  program.jumpIfNegative(reply + replyErrorOffset, 'fail', what);
}
