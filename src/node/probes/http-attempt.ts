import { request as httpsRequest } from 'node:https';
import type { Duplex } from 'node:stream';
import type { HTTPGetAction } from '#apis/core/v1/probe.ts';
import { request as httpRequest } from '#core/node-http.ts';
import type { ProbeTarget } from '#node/probes/probe-target.ts';

export interface HttpAnswer {
  readonly statusCode: number;
  readonly url: string;
}

/**
 * One GET as kubelet sends it (`User-Agent: kube-probe/…`, no certificate check, no proxy, connection closed afterwards).
 * Errors are worded like Go's http client. Redirects are not followed.
 */
export async function httpGet(action: HTTPGetAction, target: ProbeTarget, signal: AbortSignal): Promise<HttpAnswer> {
  const port = target.resolvePort(action.port);
  if (port === undefined) throw new Error(`couldn't find port: ${String(action.port)}`);
  const scheme = action.scheme === 'HTTPS' ? 'https' : 'http';
  const host = action.host !== undefined && action.host !== '' ? action.host : undefined;
  const path = action.path === undefined || action.path === '' ? '/' : action.path.startsWith('/') ? action.path : `/${action.path}`;
  const url = `${scheme}://${host ?? target.podIp}:${port}${path}`;
  try {
    const socket = await target.connect(port, host, signal);
    return { url, statusCode: await send(scheme, socket, action, host ?? target.podIp, port, path, signal) };
  } catch (error) {
    const why = signal.aborted
      ? 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
      : error instanceof Error
        ? error.message
        : String(error);
    throw new Error(`Get "${url}": ${why}`, { cause: error });
  }
}

function send(
  scheme: 'http' | 'https',
  socket: Duplex,
  action: HTTPGetAction,
  host: string,
  port: number,
  path: string,
  signal: AbortSignal,
): Promise<number> {
  const headers: Record<string, string> = { host: `${host}:${port}`, 'user-agent': 'kube-probe/1.32', accept: '*/*', connection: 'close' };
  for (const { name, value } of action.httpHeaders ?? []) headers[name.toLowerCase()] = value ?? '';
  return new Promise((resolve, reject) => {
    const options =
      scheme === 'https'
        ? { socket, rejectUnauthorized: false, method: 'GET', path, headers, signal, agent: false as const }
        : { createConnection: () => socket, method: 'GET', path, headers, signal };
    const request = (scheme === 'https' ? httpsRequest : httpRequest)(options, (response) => {
      resolve(response.statusCode ?? 0);
      response.destroy();
      socket.destroy();
    });
    request.once('error', (error) => {
      socket.destroy();
      reject(error);
    });
    request.end();
  });
}
