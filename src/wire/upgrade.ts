import type { Duplex } from 'node:stream';
import { acceptKey } from '#wire/websocket.ts';

/** Headers of an upgrade request, names in lower case. */
export type UpgradeHeaders = Readonly<Record<string, string | undefined>>;

/** What an upgrade request asks for. */
export type Upgrade =
  | { readonly kind: 'websocket'; readonly subprotocols: readonly string[]; readonly key: string }
  | { readonly kind: 'spdy'; readonly protocols: readonly string[] };

/** An upgrade request that cannot be served; `status` is the HTTP status to answer with. */
export class UpgradeError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.name = 'UpgradeError';
    this.status = status;
  }
}

/** Reads an upgrade request. Throws UpgradeError when it is none, or a malformed one. */
export function parseUpgrade(headers: UpgradeHeaders): Upgrade {
  const upgrade = (headers['upgrade'] ?? '').toLowerCase();
  if (!tokens(headers['connection']).some((token) => token.toLowerCase() === 'upgrade') || upgrade === '') {
    throw new UpgradeError(400, 'Upgrade request required');
  }
  if (upgrade === 'websocket') {
    const key = headers['sec-websocket-key'] ?? '';
    if (Buffer.from(key, 'base64').length !== 16) throw new UpgradeError(400, 'Sec-WebSocket-Key is missing or malformed');
    if (headers['sec-websocket-version'] !== '13') throw new UpgradeError(426, 'Sec-WebSocket-Version must be 13');
    return { kind: 'websocket', key, subprotocols: tokens(headers['sec-websocket-protocol']) };
  }
  if (upgrade === 'spdy/3.1') return { kind: 'spdy', protocols: tokens(headers['x-stream-protocol-version']) };
  throw new UpgradeError(400, `unable to upgrade: unknown protocol ${upgrade}`);
}

/** Of what the client offers, in its order, the first we speak. Throws UpgradeError (403, so that clients fall back) when there is none. */
export function chooseProtocol(offered: readonly string[], spoken: readonly string[]): string {
  const chosen = offered.find((name) => spoken.includes(name));
  if (chosen !== undefined) return chosen;
  throw new UpgradeError(
    403,
    `unable to upgrade: unable to negotiate protocol: client supports [${offered.join(' ')}], server accepts [${spoken.join(' ')}]`,
  );
}

/** Writes the 101 answer. The protocol's name is echoed as it stands, a `/` in it included. */
export function writeSwitchingProtocols(socket: Duplex, upgrade: Upgrade, protocol: string): void {
  const lines =
    upgrade.kind === 'websocket'
      ? [
          'Upgrade: websocket',
          `Sec-WebSocket-Accept: ${acceptKey(upgrade.key)}`,
          ...(protocol === '' ? [] : [`Sec-WebSocket-Protocol: ${protocol}`]),
        ]
      : ['Upgrade: SPDY/3.1', ...(protocol === '' ? [] : [`X-Stream-Protocol-Version: ${protocol}`])];
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n${lines.join('\r\n')}\r\n\r\n`);
}

function tokens(value: string | undefined): string[] {
  return (value ?? '')
    .split(',')
    .map((token) => token.trim())
    .filter((token) => token !== '');
}
