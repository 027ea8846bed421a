import { rmSync } from 'node:fs';
import net from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Logger } from '#core/logger.ts';
import { listening } from '#core/streams.ts';
import { keepScratch, scratchCopy, sharedReadBuffer } from '#gateway/transport/scratch.ts';
import {
  giveUp,
  nobody,
  type DialTarget,
  type ListenOptions,
  type TlsOptions,
  type Transport,
  type Wire,
  type WireListener,
  type WireOwner,
} from '#gateway/transport/transport.ts';

/** Transport on public node:net and node:tls alone. */
export function netTransport(logger: Logger): Transport {
  return {
    name: 'net',
    async listen(options, acceptor) {
      const { server, listener } = await openServer(options);
      const accept = (socket: net.Socket) => {
        if (speaksHttp2(socket)) return acceptor.http2(socket);
        const wire = new NetWire(socket, logger);
        socket.on('data', (bytes: Buffer) => wire.received(bytes, bytes.length));
        wire.pause();
        acceptor.wire(wire);
      };
      server.on(options.tls === undefined ? 'connection' : 'secureConnection', accept);
      // A failed handshake is the client's affair; the socket is already destroyed.
      server.on('tlsClientError', () => {});
      return listener;
    },
    connect: (target, callback) => connect(target, callback, logger),
  };
}

/** Whether both sides of a TLS connection have agreed on HTTP/2. */
export function speaksHttp2(socket: net.Socket): boolean {
  return (socket as Partial<TLSSocket>).alpnProtocol === 'h2';
}

/** Opens a listening server; `takeConnections` or 'connection' brings its connections. */
export async function openServer(options: ListenOptions): Promise<{ server: net.Server; listener: WireListener }> {
  const { tls } = options;
  const server = tls === undefined ? net.createServer({ noDelay: true, allowHalfOpen: true }) : await tlsServer(tls);
  await listening(server, { ...addressOf(options), backlog: options.backlog ?? 1024 });
  const address = server.address() as net.AddressInfo | string;
  const listener: WireListener = {
    host: typeof address === 'string' ? address : address.address,
    port: typeof address === 'string' ? 0 : address.port,
    close: () =>
      new Promise((resolve) => {
        server.close();
        // Its connections are not waited for: the proxy drains them.
        setImmediate(resolve);
      }),
  };
  return { server, listener };
}

function addressOf({ fd, path, host = '127.0.0.1', port, reusePort }: ListenOptions): net.ListenOptions & { fd?: number } {
  if (fd !== undefined) return { fd };
  if (path === undefined) return { port, host, ...(reusePort === true ? { reusePort } : {}) };
  rmSync(path, { force: true });
  return { path };
}

async function tlsServer(options: TlsOptions): Promise<net.Server> {
  const { createServer } = await import('node:tls');
  return createServer({
    allowHalfOpen: true,
    ALPNProtocols: ['h2', 'http/1.1'],
    handshakeTimeout: 10_000,
    minVersion: 'TLSv1.2',
    SNICallback: (name, callback) => {
      const context = options.contextFor(name);
      if (context === undefined) callback(new Error(`no certificate for ${name}`));
      else callback(null, context);
    },
  });
}

class NetWire implements Wire {
  owner: WireOwner = nobody;
  pending = false;
  closed = false;
  readonly #socket: net.Socket;
  readonly #logger: Logger;

  constructor(socket: net.Socket, logger: Logger) {
    this.#socket = socket;
    this.#logger = logger;
    socket.on('error', () => {});
    socket.on('close', () => this.#ended(false));
    socket.on('end', () => this.#ended(true));
  }

  #ended(clean: boolean): void {
    if (!this.closed) this.#guarded(() => this.owner.onEnd(clean));
  }

  received(bytes: Buffer, count: number): void {
    if (!this.closed) this.#guarded(() => this.owner.onData(bytes, 0, count));
  }

  #guarded(event: () => void): void {
    try {
      event();
    } catch (error) {
      giveUp(this, error, this.#logger);
    }
  }

  resume(): void {
    if (!this.closed) this.#socket.resume();
  }
  pause(): void {
    if (!this.closed) this.#socket.pause();
  }
  rest(): void {}

  write(bytes: Buffer): boolean {
    if (this.closed) return true;
    const data = bytes.buffer === sharedReadBuffer.buffer ? scratchCopy(bytes) : bytes;
    this.#socket.write(data);
    if (this.#socket.writableLength === 0) return true;
    keepScratch(data);
    if (!this.pending) {
      this.pending = true;
      this.#waitForDrain();
    }
    return false;
  }

  #waitForDrain(): void {
    this.#socket.write(nothing, () => {
      this.pending = this.#socket.writableLength > 0;
      if (this.closed) return;
      if (this.pending) this.#waitForDrain();
      else this.#guarded(() => this.owner.onDrain());
    });
  }

  end(): void {
    if (!this.closed) this.#socket.end();
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.#socket.destroy();
  }

  toSocket(unread: Buffer): net.Socket {
    const socket = this.#socket;
    this.closed = true;
    socket.removeAllListeners('data');
    socket.pause();
    socket.unshift(unread);
    return socket;
  }

  remoteAddress(): string {
    return this.#socket.remoteAddress ?? '';
  }
}

const nothing = Buffer.alloc(0);

function connect(target: DialTarget, callback: (wire: Wire | undefined) => void, logger: Logger): () => void {
  let wire: NetWire | undefined;
  let over = false;
  const socket = net.connect({
    ...target,
    noDelay: true,
    onread: {
      buffer: sharedReadBuffer,
      callback(count, bytes) {
        wire?.received(bytes as Buffer, count);
        return true;
      },
    },
  });
  const finish = (result: NetWire | undefined) => {
    if (over) return;
    over = true;
    callback(result);
  };
  socket.once('error', () => finish(undefined));
  socket.once('connect', () => {
    if (over) return;
    wire = new NetWire(socket, logger);
    wire.pause();
    finish(wire);
  });
  return () => {
    over = true;
    socket.destroy();
  };
}
