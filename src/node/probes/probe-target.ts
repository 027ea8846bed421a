import { connect as connectTcp } from 'node:net';
import { Duplex } from 'node:stream';

/** What a probe or hook can reach of one container. */
export interface ProbeTarget {
  /** The pod's IP, for messages, the Host header and direct connections. */
  readonly podIp: string;
  /** A connection to a port of the pod, or of `host` when a probe names one. */
  connect(port: number, host: string | undefined, signal: AbortSignal): Promise<Duplex>;
  /** Runs a command in the container; `output` is stdout and stderr together, cut at 10 KiB. */
  exec(command: readonly string[], signal: AbortSignal): Promise<{ readonly exitCode: number; readonly output: string }>;
  /** The number of a named container port, or the number itself. */
  resolvePort(port: number | string): number | undefined;
}

/** A TCP connection, or an error worded as Go's net package words it (probe messages quote it). */
export function dialTcp(host: string, port: number, signal: AbortSignal): Promise<Duplex> {
  const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ host, port, noDelay: true });
    const onAbort = () => {
      socket.destroy();
      reject(new Error(`dial tcp ${address}: i/o timeout`));
    };
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('connect', () => {
      signal.removeEventListener('abort', onAbort);
      socket.removeAllListeners('error');
      resolve(socket);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      signal.removeEventListener('abort', onAbort);
      reject(new Error(`dial tcp ${address}: connect: ${connectErrors[error.code ?? ''] ?? error.message}`, { cause: error }));
    });
  });
}

const connectErrors: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  EHOSTUNREACH: 'no route to host',
  ENETUNREACH: 'network is unreachable',
  ETIMEDOUT: 'connection timed out',
  ECONNRESET: 'connection reset by peer',
};

/** One duplex stream of an engine's two halves. */
export function duplexOf(stream: { readable: NodeJS.ReadableStream; writable: NodeJS.WritableStream }): Duplex {
  if (stream.readable instanceof Duplex && (stream.readable as unknown) === stream.writable) return stream.readable;
  return Duplex.from({ readable: stream.readable, writable: stream.writable });
}
