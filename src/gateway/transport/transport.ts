import type { Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import type { DialTarget } from '#apis/dormouse/dial.ts';
import type { Logger } from '#core/logger.ts';

/**
 * A byte stream to a client or a container. It starts paused. `owner` gets the events and may be exchanged at any time.
 */
export interface Wire {
  owner: WireOwner;
  /** Bytes given to `write` have not all reached the kernel yet. */
  readonly pending: boolean;
  readonly closed: boolean;
  resume(): void;
  pause(): void;
  /**
   * True: all of `bytes` is with the kernel and the memory may be reused. False: the transport still needs the memory (it must not
   * be touched again, unless it came from `onData`: such bytes the transport takes care of) and will call `onDrain`.
   */
  write(bytes: Buffer): boolean;
  /** Nothing more will be read for a while: lets go of any private read buffer. */
  rest(): void;
  /** Sends everything pending, then FIN. Reading goes on; the owner closes the wire in the end. */
  end(): void;
  /**
   * Closes at once; bytes still pending are lost. No event follows. `complete`: the peer has got all it should get, which matters where
   * the end of a connection says something of its own.
   */
  close(complete?: boolean): void;
  /** Gives the connection away, with bytes that were read from it in front. Absent where that cannot be. The wire is closed then. */
  toSocket?(unread: Buffer): Socket;
  /** IP address of the peer; '' when unknown. */
  remoteAddress(): string;
}

/** Events of a wire; never called after `close()`. */
export interface WireOwner {
  /** `bytes[start, end)` may be changed, but are valid only during the call. */
  onData(bytes: Buffer, start: number, end: number): void;
  /** All bytes written so far are with the kernel. */
  onDrain(): void;
  /** The peer takes no more bytes. What it sent before can still be read; `onEnd` follows when reading gets there. */
  onWriteFailed(): void;
  /** The peer has ended its side (`clean`), or the connection broke. The wire must be closed by the owner. */
  onEnd(clean: boolean): void;
}

export type { DialTarget };

export interface TlsOptions {
  /** The context for a server name ('' without SNI); undefined refuses the handshake. */
  contextFor(serverName: string): SecureContext | undefined;
}

export interface ListenOptions {
  readonly host?: string;
  readonly port: number;
  /** A unix socket instead of host and port; one that is there already is replaced. */
  readonly path?: string;
  /** Lets a successor bind the same port while this process still listens (SO_REUSEPORT). */
  readonly reusePort?: boolean;
  /** An inherited listening descriptor (socket activation) instead of host and port. */
  readonly fd?: number;
  readonly backlog?: number;
  readonly tls?: TlsOptions;
}

export interface WireListener {
  readonly host: string;
  readonly port: number;
  /** Stops accepting; existing connections go on. */
  close(): Promise<void>;
}

/** Who takes the accepted connections of a listener. */
export interface Acceptor {
  wire(wire: Wire): void;
  /** A TLS connection on which HTTP/2 was agreed. */
  http2(socket: Socket): void;
}

export interface Transport {
  readonly name: 'raw' | 'net';
  listen(options: ListenOptions, acceptor: Acceptor): Promise<WireListener>;
  /** Calls back once, never before it returns; the result cancels, after which no call follows. */
  connect(target: DialTarget, callback: (wire: Wire | undefined) => void): () => void;
}

/** Bytes that one read may bring. */
export const readBufferBytes = 64 * 1024;

/**
 * A mistake of ours in handling one connection must not end the process and with it all others: the connection is given up, and
 * somebody has to look at the log.
 */
export function giveUp(wire: Wire, error: unknown, logger: Logger): void {
  logger.error('connection given up after an internal error', { error });
  try {
    wire.owner.onEnd(false);
  } catch (second) {
    logger.error('giving up the connection failed too', { error: second });
  }
  wire.close();
}

/** Owner of a wire before it has one. Nothing is read until the owner calls `resume`. */
export const nobody: WireOwner = { onData: () => {}, onDrain: () => {}, onWriteFailed: () => {}, onEnd: () => {} };
