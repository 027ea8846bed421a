import { connect, createServer, type Socket } from 'node:net';
import { connectThrough, proxyFor } from './proxy.ts';
import { listening } from '#core/streams.ts';

const maxRequestBytes = 1024;
const connectMs = 15_000;
const maxConnections = 64;

interface Target {
  readonly host: string;
  readonly port: number;
  /** What will be spoken: goes through the proxy of whoever serves, if there is one for that. Absent: to the target itself. */
  readonly scheme?: 'http' | 'https';
}

/** What a connection attempt failed with, as Node's own errors carry it. */
type Failure = Pick<NodeJS.ErrnoException, 'code' | 'message'> & { readonly address?: string; readonly port?: number };

/**
 * Connections to other machines on behalf of a process in a network namespace of its own: it connects to the unix socket `path`, which knows
 * no network namespaces, and names a host and a port in a line of JSON; `environment` names proxies. The answer is a line too, `{}` or why not; after it, bytes both ways.
 */
export async function serveOutbound(path: string, environment: NodeJS.ProcessEnv = process.env): Promise<AsyncDisposable> {
  const open = new Set<Socket>();
  const server = createServer((client) => {
    open.add(client);
    client.on('error', () => client.destroy()).on('close', () => open.delete(client));
    readLine(client)
      .then((line) => join(client, JSON.parse(line) as Target, environment))
      .catch(() => client.destroy());
  });
  server.maxConnections = maxConnections;
  await listening(server, { path });
  return {
    async [Symbol.asyncDispose]() {
      for (const client of open) client.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A connection to `target` made by whoever serves `path`. Rejects as a connection made here would. */
export async function connectOutbound(path: string, target: Target): Promise<Socket> {
  const socket = connect(path);
  try {
    socket.write(`${JSON.stringify(target)}\n`);
    const failure = JSON.parse(await readLine(socket)) as Failure;
    if (failure.message !== undefined) throw Object.assign(new Error(failure.message), failure);
    // In HTTP and TLS the client speaks first: nothing can come before somebody reads.
    return socket.resume();
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

function join(client: Socket, target: Target, environment: NodeJS.ProcessEnv): void {
  const proxy = target.scheme === undefined ? undefined : proxyFor(target.scheme, target, environment);
  const connected = proxy === undefined ? connectTo(target, client) : connectThrough(proxy, target, connectMs);
  connected.then(
    (upstream) => {
      client.once('close', () => upstream.destroy());
      upstream.on('error', () => client.destroy());
      if (client.destroyed) return void upstream.destroy();
      client.write('{}\n');
      client.pipe(upstream).pipe(client);
    },
    (error: Error) => client.end(`${JSON.stringify(failureOf(error))}\n`),
  );
}

/** Given up with the client. */
function connectTo({ host, port }: Target, client: Socket): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const upstream = connect({ host, port });
    const late = () => upstream.destroy(Object.assign(new Error('i/o timeout'), { code: 'ETIMEDOUT' }));
    upstream.setTimeout(connectMs, late);
    client.once('close', () => upstream.destroy());
    upstream.once('error', reject);
    upstream.once('connect', () => {
      upstream.setTimeout(0).off('timeout', late).off('error', reject);
      resolve(upstream);
    });
  });
}

function failureOf(error: Error): Failure {
  const { code, message, address, port } = (error instanceof AggregateError ? error.errors[0] : error) as Failure;
  return {
    message,
    ...(code === undefined ? {} : { code }),
    ...(address === undefined ? {} : { address }),
    ...(port === undefined ? {} : { port }),
  };
}

/** The first line; what follows it stays in the socket, which is paused. */
function readLine(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let bytes = Buffer.alloc(0);
    const finish = (settle: () => void) => {
      socket.off('data', take).off('error', reject).off('end', ended);
      socket.pause();
      settle();
    };
    const ended = () => finish(() => reject(Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' })));
    const take = (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      const end = bytes.indexOf(10);
      if (end < 0 && bytes.length > maxRequestBytes) finish(() => reject(new Error('the line is too long')));
      if (end < 0) return;
      finish(() => {
        if (bytes.length > end + 1) socket.unshift(bytes.subarray(end + 1));
        resolve(bytes.subarray(0, end).toString('utf8'));
      });
    };
    socket.on('data', take).once('error', reject).once('end', ended);
  });
}
