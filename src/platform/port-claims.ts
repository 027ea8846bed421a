import { createServer } from 'node:net';

/**
 * Claims a port at an address among the platforms that share this network; undefined when another one has it. A platform's processes listen only
 * seconds after its ports were chosen, and not at all while one of them is started again: a trial alone would give the port to two of them.
 *
 * The claim is an abstract unix socket, because these belong to a network namespace as ports do, are seen by all users, and end with the process
 * that holds them, however it ends.
 */
export function claimPort(host: string, port: number): Promise<Disposable | undefined> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.unref();
    const claim = { [Symbol.dispose]: () => void server.close() };
    // Where there are no such sockets the trial has to do.
    server.on('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EADDRINUSE' ? undefined : claim));
    server.listen(`\0dormouse-port-${host}-${port}`, () => resolve(claim));
  });
}
