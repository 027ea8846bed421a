import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import type { Duplex } from 'node:stream';

const timeoutMs = 2_000;
const maxInFlight = 500;

/** A TCP connection from the machine's own network. */
export type DialOutbound = (target: { readonly host: string; readonly port: number }) => Promise<Duplex>;

/**
 * Passes queries on to the machine's own DNS servers, one after the other until one answers. With `dial` they are reached by it alone, that is
 * over TCP.
 */
export class UpstreamDns {
  readonly #servers: readonly string[];
  readonly #dial: DialOutbound | undefined;
  #inFlight = 0;

  constructor(servers: readonly string[], dial?: DialOutbound) {
    this.#servers = servers;
    this.#dial = dial;
  }

  /** The answer with the query's id; undefined when nobody answers or too many queries are under way. */
  async ask(query: Buffer, overTcp: boolean): Promise<Buffer | undefined> {
    if (this.#inFlight >= maxInFlight) return undefined;
    this.#inFlight += 1;
    try {
      for (const server of this.#servers) {
        const answer = await this.#askOne(query, server, overTcp).catch(() => undefined);
        if (answer === undefined) continue;
        query.copy(answer, 0, 0, 2);
        return answer;
      }
      return undefined;
    } finally {
      this.#inFlight -= 1;
    }
  }

  async #askOne(query: Buffer, host: string, overTcp: boolean): Promise<Buffer> {
    if (this.#dial !== undefined) return askTcp(query, await this.#dial({ host, port: 53 }));
    return overTcp ? askTcp(query, connect({ host, port: 53 })) : askUdp(query, host);
  }
}

/** A socket and an id of its own per query: a forged answer has to guess both. */
function askUdp(query: Buffer, server: string): Promise<Buffer> {
  const id = randomInt(65_536);
  const sent = Buffer.from(query);
  sent.writeUInt16BE(id, 0);
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIPv6(server) ? 'udp6' : 'udp4');
    const timer = setTimeout(() => finish(new Error('timed out')), timeoutMs);
    const finish = (result: Buffer | Error) => {
      clearTimeout(timer);
      socket.close();
      if (result instanceof Error) reject(result);
      else resolve(result);
    };
    socket.once('error', finish);
    socket.on('message', (message) => {
      if (message.length >= 12 && message.readUInt16BE(0) === id) finish(Buffer.from(message));
    });
    socket.connect(53, server, () => socket.send(sent));
  });
}

function askTcp(query: Buffer, socket: Duplex): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => socket.destroy(new Error('timed out')), timeoutMs);
    const parts: Buffer[] = [];
    socket.once('close', () => clearTimeout(timer));
    socket.once('error', reject);
    socket.once('end', () => reject(new Error('the connection ended')));
    socket.on('data', (part: Buffer) => {
      parts.push(part);
      const data = Buffer.concat(parts);
      if (data.length < 2 || data.length < 2 + data.readUInt16BE(0)) return;
      socket.destroy();
      resolve(Buffer.from(data.subarray(2, 2 + data.readUInt16BE(0))));
    });
    socket.write(framed(query));
  });
}

/** A message with its length in front, as DNS travels over TCP (RFC 1035 §4.2.2). */
export function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length, 0);
  return Buffer.concat([length, message]);
}
