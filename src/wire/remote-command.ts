import { PassThrough, Writable, type Duplex, type Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { writable } from '#core/streams.ts';
import { settleInto } from '#wire/callback.ts';
import type { SpdyStream } from '#wire/spdy-stream.ts';
import { SpdySession } from '#wire/spdy.ts';
import { chooseProtocol, parseUpgrade, writeSwitchingProtocols, type UpgradeHeaders } from '#wire/upgrade.ts';
import { WebSocketConnection } from '#wire/websocket.ts';

export interface TerminalSize {
  readonly width: number;
  readonly height: number;
}

/** Which streams a command gets; with `tty` there is no stderr of its own. */
export interface WantedStreams {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

/** A command's streams, whatever carries them. */
export interface RemoteCommandStreams {
  readonly stdin?: Readable;
  readonly stdout?: Writable;
  readonly stderr?: Writable;
  /** Calls back with every terminal size, the latest one so far first. */
  resize(listener: (size: TerminalSize) => void): void;
  /** Aborts when the far end goes away before the status has been sent. */
  readonly signal: AbortSignal;
  /** Ends stdout and stderr, sends how it ended, and closes the connection. Never rejects: the far end may be gone. */
  sendStatus(status: object): Promise<void>;
}

/** An exec or attach request that can be served: writes the 101 answer and opens the streams. */
export interface RemoteCommandUpgrade {
  readonly protocol: string;
  accept(socket: Duplex, head: Uint8Array, wanted: WantedStreams): Promise<RemoteCommandStreams>;
}

const v4 = 'v4.channel.k8s.io';
const v5 = 'v5.channel.k8s.io';
const channels = { stdin: 0, stdout: 1, stderr: 2, status: 3, resize: 4, close: 255 } as const;
const streamsTimeoutMs = 30_000;

/** Chooses how to serve an exec or attach request: WebSocket v5 or v4, SPDY v4 or v5. Throws UpgradeError when there is no way. */
export function negotiateRemoteCommand(headers: UpgradeHeaders): RemoteCommandUpgrade {
  const upgrade = parseUpgrade(headers);
  if (upgrade.kind === 'websocket') {
    const protocol = chooseProtocol(upgrade.subprotocols, [v5, v4]);
    return {
      protocol,
      accept(socket, head, wanted) {
        writeSwitchingProtocols(socket, upgrade, protocol);
        return Promise.resolve(new WebSocketCommand(new WebSocketConnection(socket, { role: 'server', head }), wanted, protocol === v5));
      },
    };
  }
  const protocol = chooseProtocol(upgrade.protocols, upgrade.protocols.includes(v4) ? [v4] : [v5]);
  return {
    protocol,
    accept(socket, head, wanted) {
      writeSwitchingProtocols(socket, upgrade, protocol);
      return openSpdyCommand(socket, head, wanted);
    },
  };
}

/** Remembers the latest size for a listener that comes later. */
class Resizes {
  #latest: TerminalSize | undefined;
  #listener: ((size: TerminalSize) => void) | undefined;

  listen(listener: (size: TerminalSize) => void): void {
    this.#listener = listener;
    if (this.#latest !== undefined) listener(this.#latest);
  }

  /** `{"Width":80,"Height":24}`; anything else is ignored. */
  take(text: string): void {
    let value: { Width?: unknown; Height?: unknown } | null;
    try {
      value = JSON.parse(text) as typeof value;
    } catch {
      return;
    }
    const { Width: width, Height: height } = value ?? {};
    if (!isSize(width) || !isSize(height)) return;
    this.#latest = { width, height };
    this.#listener?.(this.#latest);
  }
}

function isSize(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 65_536;
}

class WebSocketCommand implements RemoteCommandStreams {
  readonly stdin?: PassThrough;
  readonly stdout?: Writable;
  readonly stderr?: Writable;
  readonly #socket: WebSocketConnection;
  readonly #resizes = new Resizes();
  readonly #gone = new AbortController();
  readonly #canCloseStdin: boolean;
  #statusSent = false;

  constructor(socket: WebSocketConnection, wanted: WantedStreams, canCloseStdin: boolean) {
    this.#socket = socket;
    this.#canCloseStdin = canCloseStdin;
    if (wanted.stdin) this.stdin = new PassThrough();
    if (wanted.stdout) this.stdout = this.#channel(channels.stdout);
    if (wanted.stderr && !wanted.tty) this.stderr = this.#channel(channels.stderr);
    // Tells the client that the connection stands.
    const first = this.stdout !== undefined ? channels.stdout : this.stderr !== undefined ? channels.stderr : channels.status;
    this.#send(first, Buffer.alloc(0)).catch(() => {});
    void this.#run();
  }

  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  resize(listener: (size: TerminalSize) => void): void {
    this.#resizes.listen(listener);
  }

  async sendStatus(status: object): Promise<void> {
    await endAll(this.stdout, this.stderr);
    this.#statusSent = true;
    // Frees the reader of a stdin that nobody reads any more.
    this.stdin?.destroy();
    await this.#send(channels.status, Buffer.from(JSON.stringify(status))).catch(() => {});
    await this.#socket.close(1000);
  }

  async #run(): Promise<void> {
    try {
      for await (const { data } of this.#socket.messages()) await this.#take(data[0] ?? -1, data.subarray(1));
    } catch {
      // A violation has been answered with its close code; for the command it is a far end that went away.
    }
    this.stdin?.end();
    if (!this.#statusSent) this.#gone.abort(new Error('the client went away'));
  }

  async #take(channel: number, payload: Buffer): Promise<void> {
    if (channel === channels.resize) this.#resizes.take(payload.toString());
    else if (channel === channels.close && this.#canCloseStdin && payload[0] === channels.stdin) this.stdin?.end();
    else if (channel === channels.stdin && payload.length > 0) await this.#feed(payload);
  }

  async #feed(payload: Buffer): Promise<void> {
    const { stdin } = this;
    if (stdin === undefined || stdin.destroyed || stdin.writableEnded || stdin.write(payload)) return;
    await writable(stdin);
  }

  #channel(channel: number): Writable {
    const writable = new Writable({ write: (chunk: Buffer, _encoding, callback) => void settleInto(this.#send(channel, chunk), callback) });
    return writable.on('error', () => {});
  }

  #send(channel: number, payload: Uint8Array): Promise<void> {
    return this.#socket.send(Buffer.concat([Buffer.of(channel), payload]));
  }
}

/** Waits until the client has opened every stream it must. Rejects when it does not in time; the connection is then closed. */
async function openSpdyCommand(socket: Duplex, head: Uint8Array, wanted: WantedStreams): Promise<RemoteCommandStreams> {
  const needed = new Set(['error', ...(wanted.stdin ? ['stdin'] : []), ...(wanted.stdout ? ['stdout'] : [])]);
  if (wanted.stderr && !wanted.tty) needed.add('stderr');
  if (wanted.tty) needed.add('resize');
  const streams = new Map<string, SpdyStream>();
  const complete = Promise.withResolvers<void>();
  const session = new SpdySession(socket, {
    role: 'server',
    head,
    onStream(stream) {
      const type = stream.headers['streamtype'] ?? '';
      if (!needed.has(type) || streams.has(type)) stream.destroy();
      else if (streams.set(type, stream).size === needed.size) complete.resolve();
    },
  });
  const timer = setTimeout(() => complete.reject(new Error('timed out waiting for client to create streams')), streamsTimeoutMs);
  void session.closed.then(() => complete.reject(new Error('the client went away')));
  try {
    await complete.promise;
  } catch (error) {
    await session.close();
    throw error;
  } finally {
    clearTimeout(timer);
  }
  return spdyCommand(session, streams);
}

function spdyCommand(session: SpdySession, streams: ReadonlyMap<string, SpdyStream>): RemoteCommandStreams {
  const [stdin, stdout, stderr, error, resize] = ['stdin', 'stdout', 'stderr', 'error', 'resize'].map((type) => streams.get(type));
  const gone = new AbortController();
  const resizes = new Resizes();
  let statusSent = false;
  void session.closed.then(() => {
    if (!statusSent) gone.abort(new Error('the client went away'));
  });
  // Nothing comes in on the output streams; reading them lets their end be seen.
  for (const stream of [stdout, stderr, error]) stream?.resume();
  if (resize !== undefined) void readSizes(resize, resizes);
  return {
    ...(stdin === undefined ? {} : { stdin }),
    ...(stdout === undefined ? {} : { stdout }),
    ...(stderr === undefined ? {} : { stderr }),
    signal: gone.signal,
    resize: (listener) => resizes.listen(listener),
    async sendStatus(status) {
      await endAll(stdout, stderr);
      statusSent = true;
      error?.write(JSON.stringify(status));
      await endAll(error);
      await session.close();
    },
  };
}

/** Sizes follow each other as JSON objects, one a line or none at all between them. */
async function readSizes(stream: Readable, resizes: Resizes): Promise<void> {
  let text = '';
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      text = (text + chunk.toString()).slice(-4096);
      for (let end = text.indexOf('}'); end >= 0; end = text.indexOf('}')) {
        resizes.take(text.slice(0, end + 1));
        text = text.slice(end + 1);
      }
    }
  } catch {
    // The stream was reset: no more sizes.
  }
}

/** Ends what is there and waits until it has been sent, or cannot be. */
async function endAll(...streams: readonly (Writable | undefined)[]): Promise<void> {
  const ended = streams.map(async (stream) => {
    if (stream === undefined) return;
    stream.end();
    await finished(stream, { readable: false }).catch(() => {});
  });
  await Promise.all(ended);
}
