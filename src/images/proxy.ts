import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

export interface Destination {
  readonly host: string;
  readonly port: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The proxy that HTTPS_PROXY, HTTP_PROXY and NO_PROXY name for a destination, in small letters or large; undefined: none. */
export function proxyFor(scheme: 'http' | 'https', destination: Destination, environment: Environment): URL | undefined {
  const value = (name: string) => environment[name] ?? environment[name.toUpperCase()] ?? '';
  const proxy = value(`${scheme}_proxy`);
  if (proxy === '' || isExempt(destination, value('no_proxy'))) return undefined;
  return new URL(proxy.includes('://') ? proxy : `http://${proxy}`);
}

/** `*`, a host with all below it (`example.com`, `.example.com`, `*.example.com`), each with a port or without. */
function isExempt({ host, port }: Destination, exceptions: string): boolean {
  return exceptions
    .split(/[\s,]+/)
    .filter(Boolean)
    .some((entry) => {
      if (entry === '*') return true;
      const [, name = '', only] = /^(.*?)(?::(\d+))?$/.exec(entry.toLowerCase()) ?? [];
      if (only !== undefined && Number(only) !== port) return false;
      const suffix = name.replace(/^\*?\./, '');
      return host.toLowerCase() === suffix || host.toLowerCase().endsWith(`.${suffix}`);
    });
}

/** A connection to the destination through a proxy (CONNECT). Rejects with the proxy's answer where it refuses. */
export async function connectThrough(proxy: URL, { host, port }: Destination, timeoutMs: number): Promise<Socket> {
  const { request } = proxy.protocol === 'https:' ? await import('node:https') : await import('node:http');
  const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const credentials = [proxy.username, proxy.password].map(decodeURIComponent).join(':');
  const authorization = credentials === ':' ? {} : { 'proxy-authorization': `Basic ${Buffer.from(credentials).toString('base64')}` };
  const options = {
    host: proxy.hostname.replace(/^\[|\]$/g, ''),
    port: proxy.port === '' ? (proxy.protocol === 'https:' ? 443 : 80) : Number(proxy.port),
    method: 'CONNECT',
    path: authority,
    headers: { host: authority, ...authorization },
    agent: false as const,
    timeout: timeoutMs,
  };
  return tunnel(request(options), `${proxy.hostname}:${options.port}`);
}

function tunnel(call: ClientRequest, proxy: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const refuse = ({ statusCode, statusMessage }: IncomingMessage) =>
      reject(Object.assign(new Error(`the proxy ${proxy} refuses the connection: ${statusCode} ${statusMessage}`), { code: 'EPROXY' }));
    call.on('timeout', () => call.destroy(Object.assign(new Error('i/o timeout'), { code: 'ETIMEDOUT' })));
    call.on('error', reject);
    call.on('response', refuse);
    call.on('connect', (response: IncomingMessage, socket: Socket, head: Buffer) => {
      if (response.statusCode !== 200) {
        socket.destroy();
        return refuse(response);
      }
      socket.setTimeout(0);
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    call.end();
  });
}
