import type { Duplex } from 'node:stream';
import type { SpdyStream } from '#wire/spdy-stream.ts';
import { SpdySession } from '#wire/spdy.ts';
import { chooseProtocol, parseUpgrade, writeSwitchingProtocols, type UpgradeHeaders } from '#wire/upgrade.ts';
import { WebSocketConnection, webSocketDuplex } from '#wire/websocket.ts';

/**
 * One forwarded connection. Destroying the duplex with an error tells the client the error's message; ending it ends the
 * connection in order.
 */
export type OnForward = (port: number, connection: Duplex) => void;

/** A port-forward request that can be served: writes the 101 answer; resolves when the client has gone. */
export interface PortForwardUpgrade {
  readonly protocol: string;
  accept(socket: Duplex, head: Uint8Array, onForward: OnForward): Promise<void>;
}

const plainProtocol = 'portforward.k8s.io';
const tunnelProtocol = 'SPDY/3.1+portforward.k8s.io';
const pairTimeoutMs = 30_000;

/** Chooses how to serve a port-forward request: SPDY, or SPDY inside a WebSocket. Throws UpgradeError when there is no way. */
export function negotiatePortForward(headers: UpgradeHeaders): PortForwardUpgrade {
  const upgrade = parseUpgrade(headers);
  const tunnelled = upgrade.kind === 'websocket';
  const protocol = tunnelled ? chooseProtocol(upgrade.subprotocols, [tunnelProtocol]) : chooseProtocol(upgrade.protocols, [plainProtocol]);
  return {
    protocol,
    async accept(socket, head, onForward) {
      writeSwitchingProtocols(socket, upgrade, protocol);
      const pairs = new StreamPairs(onForward);
      const onStream = (stream: SpdyStream) => pairs.take(stream);
      const session = tunnelled
        ? new SpdySession(webSocketDuplex(new WebSocketConnection(socket, { role: 'server', head })), { role: 'server', onStream })
        : new SpdySession(socket, { role: 'server', head, onStream });
      await session.closed;
      pairs.close();
    },
  };
}

/** Brings the error and the data stream of one forwarded connection together. */
class StreamPairs {
  readonly #onForward: OnForward;
  readonly #waiting = new Map<string, { readonly stream: SpdyStream; readonly timer: NodeJS.Timeout }>();

  constructor(onForward: OnForward) {
    this.#onForward = onForward;
  }

  take(stream: SpdyStream): void {
    const { streamtype: type, port = '' } = stream.headers;
    if ((type !== 'error' && type !== 'data') || !/^[0-9]{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65_535) {
      stream.destroy();
      return;
    }
    // Clients without request ids open the error stream first, then its data stream.
    const id = stream.headers['requestid'] ?? String(type === 'error' ? stream.id : stream.id - 2);
    const other = this.#waiting.get(id);
    if (other === undefined) {
      const timer = setTimeout(() => this.#giveUp(id), pairTimeoutMs).unref();
      this.#waiting.set(id, { stream, timer });
      return;
    }
    if (other.stream.headers['streamtype'] === type) {
      stream.destroy();
      return;
    }
    clearTimeout(other.timer);
    this.#waiting.delete(id);
    if (type === 'data') this.#join(Number(port), stream, other.stream);
    else this.#join(Number(port), other.stream, stream);
  }

  close(): void {
    for (const { timer } of this.#waiting.values()) clearTimeout(timer);
    this.#waiting.clear();
  }

  #giveUp(id: string): void {
    this.#waiting.get(id)?.stream.destroy();
    this.#waiting.delete(id);
  }

  #join(port: number, data: SpdyStream, error: SpdyStream): void {
    error.resume();
    data.once('close', () => error.end(data.errored === null ? undefined : data.errored.message));
    this.#onForward(port, data);
  }
}
