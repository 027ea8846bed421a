import type { AgentOptions } from 'node:http';
import type { Agent as HttpsAgent } from 'node:https';
import type { Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { Agent } from '#core/node-http.ts';
import { isLoopbackRegistry } from '../names.ts';
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

/**
 * How registries are reached: directly or by the proxy that HTTPS_PROXY, HTTP_PROXY and NO_PROXY name, registries on loopback without; with
 * `outbound` through the unix socket of a process that can, and by the proxies of that process.
 */
export function createAgents(outbound: string | undefined, environment: NodeJS.ProcessEnv = process.env): Agents {
  const direct = agentPair({}, outbound, false);
  const proxied = outbound === undefined ? agentPair({ proxyEnv: environment }, undefined, false) : agentPair({}, outbound, true);
  return { of: (url) => (isLoopbackRegistry(new URL(url).host) ? direct : proxied)(url.startsWith('https:')) };
}

function agentPair(options: AgentOptions, outbound: string | undefined, byProxy: boolean): (secure: boolean) => Promise<Agent> {
  const dialAs = (scheme: 'http' | 'https') =>
    outbound === undefined
      ? undefined
      : ({ host, port }: Address) => connectOutbound(outbound, { host: host ?? '', port: Number(port), ...(byProxy ? { scheme } : {}) });
  const dial = dialAs('http');
  const settings = { ...options, keepAlive: true };
  const plain = dial === undefined ? new Agent(settings) : dialing(new Agent(settings), dial);
  let secure: Promise<HttpsAgent> | undefined;
  return async (isSecure) => (isSecure ? (secure ??= secureAgent(settings, dialAs('https'))) : plain);
}

async function secureAgent(options: AgentOptions, dial: ((address: Address) => Promise<Socket>) | undefined): Promise<HttpsAgent> {
  const [https, tls] = await Promise.all([import('node:https'), import('node:tls')]);
  const agent = new https.Agent(options);
  if (dial === undefined) return agent;
  return dialing(agent, async (target) => tls.connect({ ...(target as ConnectionOptions), socket: await dial(target) }));
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
