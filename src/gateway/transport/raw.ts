import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Logger } from '#core/logger.ts';
import {
  loadBindings,
  socketOf,
  takeConnections,
  type Bindings,
  type StreamHandle,
  type WriteRequest,
} from '#gateway/transport/bindings.ts';
import { openServer, speaksHttp2 } from '#gateway/transport/net.ts';
import { RawTlsWire } from '#gateway/transport/raw-tls.ts';
import { keepScratch, scratchCopy, sharedReadBuffer } from '#gateway/transport/scratch.ts';
import {
  giveUp,
  nobody,
  readBufferBytes,
  type DialTarget,
  type Transport,
  type Wire,
  type WireOwner,
} from '#gateway/transport/transport.ts';

/**
 * Transport on libuv handles directly. No allocation per read or write: all connections read into one shared buffer, which is
 * used up before the next read. A connection whose reads fill it streams into a private buffer, so that its bytes can be passed
 * on without a copy even when the other side is slow. An idle connection holds no buffer at all.
 *
 * The bindings are not public API; `select.ts` tries them out and falls back to node:net. TLS handshakes are node:tls's either way.
 */
export function rawTransport(logger: Logger): Transport {
  const memory = new Memory(loadBindings(), logger);
  return {
    name: 'raw',
    async listen(options, acceptor) {
      const { server, listener } = await openServer(options);
      if (options.tls !== undefined) {
        server.on('secureConnection', (socket: TLSSocket) => {
          if (speaksHttp2(socket)) acceptor.http2(socket);
          else acceptor.wire(new RawTlsWire(socket, memory));
        });
        server.on('tlsClientError', () => {});
        return listener;
      }
      takeConnections(server, (handle) => {
        handle.setNoDelay?.(true);
        acceptor.wire(new RawWire(handle, memory));
      });
      return listener;
    },
    connect: (target, callback) => connect(memory, target, callback),
  };
}

/** What all wires share. */
export class Memory {
  readonly bindings: Bindings;
  readonly logger: Logger;
  /** The wire whose bytes are being looked at. */
  reader: RawWire | undefined;
  readonly #requests: WriteRequest[] = [];
  readonly #buffers: Buffer[] = [];

  constructor(bindings: Bindings, logger: Logger) {
    this.bindings = bindings;
    this.logger = logger;
  }

  takeBuffer(): Buffer {
    return this.#buffers.pop() ?? Buffer.allocUnsafeSlow(readBufferBytes);
  }
  giveBuffer(buffer: Buffer): void {
    if (this.#buffers.length < 32) this.#buffers.push(buffer);
  }
  /** The native side leaves a request alone when its write finished at once, so it serves again. */
  takeRequest(): WriteRequest {
    return this.#requests.pop() ?? this.bindings.newWrite();
  }
  giveRequest(request: WriteRequest): void {
    this.#requests.push(request);
  }
}

function onRead(this: StreamHandle & { wire: RawWire | undefined }): Buffer | undefined {
  return this.wire?.received();
}

function onWritten(this: WriteRequest, status: number): void {
  this.bytes = undefined;
  (this.handle?.wire as RawWire | undefined)?.written(status);
}

class RawWire implements Wire {
  owner: WireOwner = nobody;
  pending = false;
  closed = false;
  readonly #handle: StreamHandle;
  readonly #memory: Memory;
  #buffer: Buffer;
  #reading = false;
  #streaming = false;
  #lent = false;
  #writes = 0;

  constructor(handle: StreamHandle, memory: Memory) {
    this.#handle = handle;
    this.#memory = memory;
    this.#buffer = sharedReadBuffer;
    handle.wire = this;
    handle.onread = onRead as StreamHandle['onread'];
    handle.useUserBuffer(sharedReadBuffer);
  }

  /** One read; returns the buffer for the next one when it changes. */
  received(): Buffer | undefined {
    if (this.closed) return undefined;
    const memory = this.#memory;
    const count = memory.bindings.readBytesOrError();
    if (count === 0) return undefined;
    if (count === readBufferBytes) this.#streaming = true;
    this.#lent = false;
    memory.reader = this;
    try {
      if (count > 0) this.owner.onData(this.#buffer, 0, count);
      else this.owner.onEnd(count === memory.bindings.endOfFile);
    } catch (error) {
      giveUp(this, error, memory.logger);
    }
    memory.reader = undefined;
    return this.closed || this.#streaming === (this.#buffer !== sharedReadBuffer) ? undefined : this.#exchangeBuffer();
  }

  #exchangeBuffer(): Buffer {
    if (this.#streaming) this.#buffer = this.#memory.takeBuffer();
    else {
      this.#leaveBuffer();
      this.#buffer = sharedReadBuffer;
    }
    return this.#buffer;
  }

  /** A private buffer that a write of the other side still needs goes to the garbage collector instead of the next reader. */
  #leaveBuffer(): void {
    if (this.#buffer !== sharedReadBuffer && !this.#lent) this.#memory.giveBuffer(this.#buffer);
  }

  rest(): void {
    this.#streaming = false;
  }

  resume(): void {
    if (this.#reading || this.closed) return;
    this.#reading = true;
    this.#handle.readStart();
  }

  pause(): void {
    if (!this.#reading || this.closed) return;
    this.#reading = false;
    this.#handle.readStop();
  }

  write(bytes: Buffer): boolean {
    if (this.closed) return true;
    const memory = this.#memory;
    const shared = bytes.buffer === sharedReadBuffer.buffer;
    // Behind another write nothing goes out at once: then a copy of just the right size does not tie up scratch memory.
    const data = this.#writes > 0 ? (shared || bytes.length < 4096 ? Buffer.from(bytes) : bytes) : shared ? scratchCopy(bytes) : bytes;
    const request = memory.takeRequest();
    const error = this.#handle.writeBuffer(request, data);
    if (error !== 0) {
      queueMicrotask(() => {
        this.#writeFailed();
      });
      return true;
    }
    if (!memory.bindings.lastWriteWasAsync()) {
      memory.giveRequest(request);
      return true;
    }
    request.handle = this.#handle;
    request.oncomplete = onWritten;
    request.bytes = data;
    keepScratch(data);
    memory.reader?.lendFor(data);
    this.#writes++;
    this.pending = true;
    return false;
  }

  #writeFailed(): void {
    if (this.closed) return;
    try {
      this.owner.onWriteFailed();
    } catch (error) {
      giveUp(this, error, this.#memory.logger);
    }
  }

  lendFor(bytes: Buffer): void {
    if (bytes.buffer === this.#buffer.buffer) this.#lent = true;
  }

  written(status: number): void {
    this.#writes--;
    this.pending = this.#writes > 0;
    if (this.closed || (status >= 0 && this.pending)) return;
    if (status < 0) return this.#writeFailed();
    try {
      this.owner.onDrain();
    } catch (error) {
      giveUp(this, error, this.#memory.logger);
    }
  }

  end(): void {
    if (this.closed) return;
    const request = this.#memory.bindings.newShutdown();
    request.oncomplete = () => {};
    this.#handle.shutdown(request);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    if (this.#memory.reader !== this) this.#leaveBuffer();
    this.#handle.wire = undefined;
    this.#handle.close();
  }

  toSocket(unread: Buffer): Socket {
    this.pause();
    this.closed = true;
    if (this.#memory.reader !== this) this.#leaveBuffer();
    this.#handle.wire = undefined;
    return socketOf(this.#handle, unread);
  }

  remoteAddress(): string {
    const name: { address?: string } = {};
    this.#handle.getpeername?.(name);
    return name.address ?? '';
  }
}

function connect(memory: Memory, target: DialTarget, callback: (wire: Wire | undefined) => void): () => void {
  const { bindings } = memory;
  const pipe = 'path' in target;
  const request = pipe ? bindings.newPipeConnect() : bindings.newTcpConnect();
  const handle = pipe ? bindings.newPipe() : bindings.newTcp();
  let over = false;
  const finish = (status: number) => {
    if (over) return;
    over = true;
    if (status !== 0) {
      handle.close();
      callback(undefined);
      return;
    }
    handle.setNoDelay?.(true);
    callback(new RawWire(handle, memory));
  };
  request.oncomplete = finish;
  const error = dial(handle, request, target);
  if (error !== 0) queueMicrotask(() => finish(error));
  return () => {
    if (over) return;
    over = true;
    handle.close();
  };
}

function dial(
  handle: ReturnType<Bindings['newTcp']> | ReturnType<Bindings['newPipe']>,
  request: ReturnType<Bindings['newTcpConnect']>,
  target: DialTarget,
): number {
  if ('path' in target) return (handle as ReturnType<Bindings['newPipe']>).connect(request, target.path) ?? 0;
  const tcp = handle as ReturnType<Bindings['newTcp']>;
  return target.host.includes(':') ? tcp.connect6(request, target.host, target.port) : tcp.connect(request, target.host, target.port);
}
