import { rmSync } from 'node:fs';
import { connect, createServer, type ListenOptions, type NetConnectOpts, type Server, type Socket } from 'node:net';

/**
 * Passes connections on: between a TCP port and a unix socket, where an ordinary user's node lives in a network of its own and
 * the socket's file is the only thing both sides see. Resolves when it listens.
 */
export async function forward(from: ListenOptions, to: NetConnectOpts): Promise<AsyncDisposable> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const target = connect({ ...to, allowHalfOpen: true } as NetConnectOpts);
    for (const socket of [client, target]) {
      open.add(socket);
      socket.once('close', () => open.delete(socket));
    }
    client.on('error', () => target.destroy());
    target.on('error', () => client.destroy());
    client.pipe(target).pipe(client);
  });
  if (from.path !== undefined) rmSync(from.path, { force: true });
  await listen(server, from);
  return {
    [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      return new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function listen(server: Server, from: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(from, () => resolve());
  });
}
