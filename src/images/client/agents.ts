import type { Agent as HttpsAgent } from 'node:https';
import type { Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { Agent } from '#core/node-http.ts';
import { connectOutbound } from '../outbound.ts';

export interface Agents {
  /** For a URL's protocol; connections are kept for the next request. */
  of(url: string): Promise<Agent>;
}

type Done = (error: Error | null, socket?: Socket) => void;
interface Address {
  readonly host?: string | null;
  readonly port?: number | string | null;
}

/** How registries are reached: directly, or with `outbound` through the unix socket of a process that can. */
export function createAgents(outbound: string | undefined): Agents {
  const dial = ({ host, port }: Address) => connectOutbound(outbound ?? '', { host: host ?? '', port: Number(port) });
  const plain = outbound === undefined ? new Agent({ keepAlive: true }) : dialing(new Agent({ keepAlive: true }), dial);
  let secure: Promise<HttpsAgent> | undefined;
  return { of: async (url) => (url.startsWith('https:') ? (secure ??= secureAgent(outbound === undefined ? undefined : dial)) : plain) };
}

async function secureAgent(dial: ((address: Address) => Promise<Socket>) | undefined): Promise<HttpsAgent> {
  const [https, tls] = await Promise.all([import('node:https'), import('node:tls')]);
  const agent = new https.Agent({ keepAlive: true });
  if (dial === undefined) return agent;
  return dialing(agent, async (options) => tls.connect({ ...(options as ConnectionOptions), socket: await dial(options) }));
}

function dialing<T extends Agent>(agent: T, dial: (address: Address) => Promise<Socket>): T {
  const createConnection = (options: Address, done: Done) => {
    dial(options).then(
      (socket) => done(null, socket),
      (error: Error) => done(error),
    );
  };
  return Object.assign(agent, { createConnection });
}
