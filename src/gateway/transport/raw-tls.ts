import type { TLSSocket } from 'node:tls';
import type { StreamHandle, WriteRequest } from '#gateway/transport/bindings.ts';
import { handleOf } from '#gateway/transport/bindings.ts';
import type { Memory } from '#gateway/transport/raw.ts';
import { sharedReadBuffer } from '#gateway/transport/scratch.ts';
import { giveUp, nobody, type Wire, type WireOwner } from '#gateway/transport/transport.ts';

/** Plaintext that may be on its way through the cipher before the source has to wait. */
const highWaterBytes = 64 * 1024;

/**
 * A TLS connection after its handshake, taken over from node:tls: the same stream handle methods as a plain socket, without the
 * JavaScript streams on top. The cipher copies what is written, so memory is free again at once; it reports the end of every write
 * later, so `pending` stays true for a moment.
 */
export class RawTlsWire implements Wire {
  owner: WireOwner = nobody;
  closed = false;
  readonly #socket: TLSSocket;
  readonly #handle: StreamHandle;
  readonly #memory: Memory;
  #underWay = 0;
  #waiting = false;
  #writing = false;
  #ending = false;
  #queue: Buffer[] = [];
  #reading = false;
  #early: Buffer | null;

  constructor(socket: TLSSocket, memory: Memory) {
    this.#socket = socket;
    this.#memory = memory;
    this.#handle = handleOf(socket);
    // Bytes that came with the end of the handshake.
    this.#early = socket.read() as Buffer | null;
    socket.on('error', () => this.#ended());
    socket.on('close', () => this.#ended());
    this.#handle.readStop();
    this.#handle.wire = this;
    this.#handle.onread = onRead as StreamHandle['onread'];
    this.#handle.useUserBuffer(sharedReadBuffer);
  }

  get pending(): boolean {
    return this.#underWay > 0;
  }

  #ended(): void {
    if (!this.closed) this.#guarded(() => this.owner.onEnd(false));
  }

  received(): undefined {
    if (this.closed) return undefined;
    const { bindings } = this.#memory;
    const count = bindings.readBytesOrError();
    if (count > 0) this.#guarded(() => this.owner.onData(sharedReadBuffer, 0, count));
    else if (count < 0) this.#guarded(() => this.owner.onEnd(count === bindings.endOfFile));
    return undefined;
  }

  #guarded(event: () => void): void {
    try {
      event();
    } catch (error) {
      giveUp(this, error, this.#memory.logger);
    }
  }

  rest(): void {}

  resume(): void {
    if (this.#reading || this.closed) return;
    this.#reading = true;
    const early = this.#early;
    if (early !== null) {
      this.#early = null;
      queueMicrotask(() => {
        if (!this.closed) this.#guarded(() => this.owner.onData(early, 0, early.length));
      });
    }
    this.#handle.readStart();
  }

  pause(): void {
    if (!this.#reading || this.closed) return;
    this.#reading = false;
    this.#handle.readStop();
  }

  write(bytes: Buffer): boolean {
    if (this.closed) return true;
    this.#underWay += bytes.length;
    this.#waiting ||= this.#underWay >= highWaterBytes;
    if (this.#writing) this.#queue.push(Buffer.from(bytes));
    else this.#encrypt(bytes);
    return !this.#waiting;
  }

  /** Hands bytes to the cipher, which takes one write at a time and stops the process when given two. */
  #encrypt(bytes: Buffer): void {
    const request = this.#memory.bindings.newWrite();
    request.handle = this.#handle;
    request.oncomplete = onWritten;
    request.size = bytes.length;
    this.#writing = true;
    const error = this.#handle.writeBuffer(request, bytes);
    if (error === 0 && this.#memory.bindings.lastWriteWasAsync()) return;
    queueMicrotask(() => this.written(error, bytes.length));
  }

  written(status: number, size: number): void {
    this.#writing = false;
    this.#underWay -= size;
    if (this.closed) return;
    if (status < 0) {
      this.#queue = [];
      this.#underWay = 0;
      return this.#guarded(() => this.owner.onWriteFailed());
    }
    if (this.#queue.length > 0) {
      const next = this.#queue.length === 1 ? (this.#queue[0] as Buffer) : Buffer.concat(this.#queue);
      this.#queue = [];
      return this.#encrypt(next);
    }
    if (this.#ending) this.#shutdown();
    this.#waiting = false;
    this.#guarded(() => this.owner.onDrain());
  }

  end(): void {
    if (this.closed || this.#ending) return;
    this.#ending = true;
    if (!this.#writing) this.#shutdown();
  }

  #shutdown(): void {
    const request = this.#memory.bindings.newShutdown();
    request.oncomplete = () => {};
    this.#handle.shutdown(request);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.#handle.wire = undefined;
    this.#socket.destroy();
  }

  remoteAddress(): string {
    return this.#socket.remoteAddress ?? '';
  }
}

function onRead(this: StreamHandle & { wire: RawTlsWire | undefined }): undefined {
  return this.wire?.received();
}

function onWritten(this: WriteRequest, status: number): void {
  (this.handle?.wire as RawTlsWire | undefined)?.written(status, this.size ?? 0);
}
