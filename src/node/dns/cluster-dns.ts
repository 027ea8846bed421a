import { randomInt } from 'node:crypto';
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import type { Service } from '#apis/core/v1/service.ts';
import type { EndpointSlice } from '#apis/discovery/v1/endpoint-slice.ts';
import type { Lister } from '#client/informer-types.ts';
import type { Logger } from '#core/logger.ts';
import { listening } from '#core/streams.ts';
import { decodeAddresses, decodeQuery, fitting, encodeAnswer, encodeQuery, responseCodes, type Query } from '#node/dns/message.ts';
import { framed, UpstreamDns, type DialOutbound } from '#node/dns/upstream.ts';
import { ClusterZone, type ZoneAnswer } from '#node/dns/zone.ts';

export interface ClusterDnsOptions {
  /** The pod network's address on this machine. */
  readonly address: string;
  /** Default 53. */
  readonly port?: number;
  readonly services: Lister<Service>;
  /** With the index `byService`. */
  readonly endpointSlices: Lister<EndpointSlice>;
  /** The machine's own DNS servers, for names outside the cluster. */
  readonly upstream: readonly string[];
  /** How they are reached where not from here. */
  readonly dialOutbound?: DialOutbound;
  readonly clusterDomain: string;
  readonly logger: Logger;
}

const maxTcpConnections = 200;
const tcpIdleMs = 10_000;
const maxMessageBytes = 65_535;

/** Serves DNS for pods, over UDP and TCP: the cluster's zone by itself, everything else through the machine's servers. */
export async function startClusterDns(options: ClusterDnsOptions): Promise<AsyncDisposable & { readonly port: number }> {
  const resolver = new Resolver(options);
  const { udp, port } = await listenUdp(options, resolver);
  try {
    const tcp = await listenTcp(options, port, resolver);
    return {
      port,
      async [Symbol.asyncDispose]() {
        await Promise.all([new Promise<void>((resolve) => udp.close(() => resolve())), new Promise((resolve) => tcp.close(resolve))]);
      },
    };
  } catch (error) {
    udp.close();
    throw error;
  }
}

class Resolver {
  readonly #zone: ClusterZone;
  readonly #upstream: UpstreamDns;

  constructor(options: ClusterDnsOptions) {
    this.#zone = new ClusterZone(options);
    this.#upstream = new UpstreamDns(options.upstream, options.dialOutbound);
  }

  /** The answer to a message, or undefined for one that deserves none. */
  async resolve(message: Buffer, overTcp: boolean): Promise<Buffer | undefined> {
    const query = decodeQuery(message);
    if (query === undefined) return undefined;
    const limit = overTcp ? maxMessageBytes : query.maxUdpBytes;
    const plain = (code: number) => encodeAnswer(query, { code, answers: [], authority: [] }, limit);
    if (query.opcode !== 0 || query.question.class !== 1) return plain(responseCodes.notImplemented);
    const known = this.#zone.answer(query.question);
    if (known === undefined) return fitting(query, await this.#upstream.ask(message, overTcp), limit) ?? plain(responseCodes.serverFailure);
    return encodeAnswer(query, known.alias === undefined ? known : await this.#follow(query, known, known.alias), limit);
  }

  /** Stub resolvers expect the server to look up what an alias points to. */
  async #follow(query: Query, known: ZoneAnswer, target: string): Promise<ZoneAnswer> {
    const { type } = query.question;
    const answer = await this.#upstream.ask(encodeQuery(randomInt(65_536), target, type), false);
    const addresses = answer === undefined ? [] : decodeAddresses(answer, type);
    return { ...known, answers: [...known.answers, ...addresses.map((one) => ({ name: target, type, ...one }))] };
  }
}

function listenUdp({ address, port = 53, logger }: ClusterDnsOptions, resolver: Resolver): Promise<{ udp: UdpSocket; port: number }> {
  const udp = createSocket('udp4');
  udp.on('message', (message, from) => {
    resolver
      .resolve(message, false)
      .then((answer) => answer !== undefined && udp.send(answer, from.port, from.address))
      .catch((error: unknown) => logger.warn('dns query failed', { error }));
  });
  return new Promise((resolve, reject) => {
    udp.once('error', reject);
    udp.bind(port, address, () => {
      udp.off('error', reject);
      udp.on('error', (error) => logger.warn('dns socket failed', { error }));
      resolve({ udp, port: udp.address().port });
    });
  });
}

async function listenTcp({ address, logger }: ClusterDnsOptions, port: number, resolver: Resolver): Promise<Server> {
  const tcp = createServer((socket) => void serveConnection(socket, resolver).catch(() => socket.destroy()));
  tcp.maxConnections = maxTcpConnections;
  await listening(tcp, { host: address, port });
  tcp.on('error', (error) => logger.warn('dns server failed', { error }));
  return tcp;
}

async function serveConnection(socket: Socket, resolver: Resolver): Promise<void> {
  socket.setTimeout(tcpIdleMs, () => socket.destroy());
  let pending: Buffer = Buffer.alloc(0);
  for await (const part of socket as AsyncIterable<Buffer>) {
    pending = Buffer.concat([pending, part]);
    while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
      const end = 2 + pending.readUInt16BE(0);
      const answer = await resolver.resolve(pending.subarray(2, end), true);
      if (answer === undefined) return void socket.destroy();
      socket.write(framed(answer));
      pending = pending.subarray(end);
    }
  }
  socket.end();
}
