import { Socket, type Server, type SocketConstructorOpts } from 'node:net';
import { getSystemErrorName } from 'node:util';

/** The part of Node's internal libuv bindings that the raw transport uses. Everything about them that is not public API is here. */
export interface StreamHandle {
  wire: { received(count: number): Buffer | undefined } | undefined;
  onread: (this: StreamHandle) => Buffer | undefined;
  useUserBuffer(buffer: Buffer): void;
  readStart(): number;
  readStop(): number;
  writeBuffer(request: WriteRequest, bytes: Buffer): number;
  shutdown(request: ShutdownRequest): number;
  close(): void;
  setNoDelay?(on: boolean): number;
  getpeername?(result: { address?: string }): number;
}
export interface WriteRequest {
  handle?: StreamHandle;
  oncomplete?: (this: WriteRequest, status: number) => void;
  /** Keeps the memory alive while the kernel has not taken it. */
  bytes?: Buffer | undefined;
  size?: number;
}
export interface ConnectRequest {
  oncomplete: (status: number) => void;
}
export interface ShutdownRequest {
  oncomplete?: () => void;
}
interface TcpHandle extends StreamHandle {
  connect(request: ConnectRequest, host: string, port: number): number;
  connect6(request: ConnectRequest, host: string, port: number): number;
}
interface PipeHandle extends StreamHandle {
  connect(request: ConnectRequest, path: string): number | undefined;
}
export interface Bindings {
  newTcp(): TcpHandle;
  newPipe(): PipeHandle;
  newTcpConnect(): ConnectRequest;
  newPipeConnect(): ConnectRequest;
  newWrite(): WriteRequest;
  newShutdown(): ShutdownRequest;
  /** Of the read or write call just made. */
  readBytesOrError(): number;
  lastWriteWasAsync(): boolean;
  readonly endOfFile: number;
}

interface TcpWrap {
  TCP: new (type: number) => TcpHandle;
  TCPConnectWrap: new () => ConnectRequest;
  constants: { SOCKET: number };
}
interface PipeWrap {
  Pipe: new (type: number) => PipeHandle;
  PipeConnectWrap: new () => ConnectRequest;
  constants: { SOCKET: number };
}
interface StreamWrap {
  WriteWrap: new () => WriteRequest;
  ShutdownWrap: new () => ShutdownRequest;
  streamBaseState: Int32Array;
  kReadBytesOrError: number;
  kLastWriteWasAsync: number;
}

/** Throws when this Node does not offer the bindings in the expected shape. */
export function loadBindings(): Bindings {
  const internals = process as unknown as { binding(name: string): unknown };
  const tcp = internals.binding('tcp_wrap') as TcpWrap;
  const pipe = internals.binding('pipe_wrap') as PipeWrap;
  const stream = internals.binding('stream_wrap') as StreamWrap;
  const { streamBaseState: state, kReadBytesOrError, kLastWriteWasAsync } = stream;
  if (typeof kReadBytesOrError !== 'number' || typeof kLastWriteWasAsync !== 'number') throw new Error('stream_wrap has another shape');
  for (const method of ['useUserBuffer', 'readStart', 'readStop', 'writeBuffer', 'shutdown']) {
    if (!(method in tcp.TCP.prototype) || !(method in pipe.Pipe.prototype)) throw new Error(`stream handles have no ${method}`);
  }
  return {
    newTcp: () => new tcp.TCP(tcp.constants.SOCKET),
    newPipe: () => new pipe.Pipe(pipe.constants.SOCKET),
    newTcpConnect: () => new tcp.TCPConnectWrap(),
    newPipeConnect: () => new pipe.PipeConnectWrap(),
    newWrite: () => new stream.WriteWrap(),
    newShutdown: () => new stream.ShutdownWrap(),
    readBytesOrError: () => state[kReadBytesOrError] as number,
    lastWriteWasAsync: () => state[kLastWriteWasAsync] !== 0,
    endOfFile: -4095,
  };
}

/** A TCP socket bound to an address, not listening yet, for handing to other processes as a file descriptor. */
export interface BoundSocket {
  readonly fd: number;
  readonly host: string;
  readonly port: number;
  close(): void;
}

interface ServerHandle {
  readonly fd: number;
  bind(host: string, port: number, flags?: number): number;
  bind6(host: string, port: number, flags: number): number;
  getsockname(result: { address?: string; port?: number }): number;
  close(): void;
}

/**
 * Binds without listening, which public API cannot. Whoever inherits the descriptor (`stdio: [0, 1, 2, socket.fd]`) listens on it with
 * `{ fd: 3 }`; as long as this process keeps it, connections wait in the kernel while one gateway replaces another, even after a crash.
 * Where it is for all addresses, a listener of ours may take one of them for itself (`reusePort`): the kernel prefers the closer match.
 */
export function bindSocket(host: string, port: number): BoundSocket {
  const alone = bindWith(host, port, 0);
  if (!['0.0.0.0', '::'].includes(host)) return alone;
  // It is nobody else's: only now may it be shared.
  alone.close();
  return bindWith(host, alone.port, tcpWrap().constants.UV_TCP_REUSEPORT);
}

interface TcpBinding {
  readonly TCP: new (type: number) => ServerHandle;
  readonly constants: { readonly SERVER: number; readonly UV_TCP_REUSEPORT: number };
}

function tcpWrap(): TcpBinding {
  return (process as unknown as { binding(name: string): unknown }).binding('tcp_wrap') as TcpBinding;
}

function bindWith(host: string, port: number, flags: number): BoundSocket {
  const { TCP, constants } = tcpWrap();
  const handle = new TCP(constants.SERVER);
  const error = host.includes(':') ? handle.bind6(host, port, flags) : handle.bind(host, port, flags);
  const address: { address?: string; port?: number } = {};
  // A port that is taken shows only here or when listening.
  const failed = error !== 0 ? error : handle.getsockname(address);
  if (failed !== 0) {
    handle.close();
    throw Object.assign(new Error(`cannot bind ${host}:${port}`), { code: getSystemErrorName(failed) });
  }
  return { fd: handle.fd, host: address.address ?? host, port: address.port ?? port, close: () => handle.close() };
}

/** The stream handle below a socket of node:net or node:tls. */
export function handleOf(socket: Socket): StreamHandle {
  const handle = (socket as unknown as { _handle?: StreamHandle | null })._handle;
  if (handle === undefined || handle === null || typeof handle.useUserBuffer !== 'function')
    throw new Error('the socket has no usable handle');
  return handle;
}

/** A socket of node:net on a handle that was used directly so far; `unread` bytes come first. */
export function socketOf(handle: StreamHandle, unread: Buffer): Socket {
  const socket = new Socket({ handle } as unknown as SocketConstructorOpts);
  socket.pause();
  socket.unshift(unread);
  return socket;
}

/** Takes accepted connections of a listening server before node:net makes sockets of them. */
export function takeConnections(server: Server, onHandle: (handle: StreamHandle) => void): void {
  const handle = (server as unknown as { _handle: { onconnection: (error: number, client?: StreamHandle) => void } | null })._handle;
  if (handle === null || typeof handle.onconnection !== 'function') throw new Error('the listening handle has another shape');
  handle.onconnection = (error, client) => {
    if (error === 0 && client !== undefined) onHandle(client);
  };
}
