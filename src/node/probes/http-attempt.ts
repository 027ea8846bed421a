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
  const place = placeOf(action, target);
  const url = `${place.scheme}://${place.authority}${place.path}`;
  try {
    const socket = await target.connect(place.port, place.host, signal);
    return { url, statusCode: await send(socket, action, place, signal) };
  } catch (error) {
    const why = signal.aborted
      ? 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
      : error instanceof Error
        ? error.message
        : String(error);
    throw new Error(`Get "${url}": ${why}`, { cause: error });
  }
}

/** The status of the same GET by HTTP/2 with prior knowledge; undefined where that is not spoken (https has other means to agree on it). */
export async function http2Status(action: HTTPGetAction, target: ProbeTarget, signal: AbortSignal): Promise<number | undefined> {
  const place = placeOf(action, target);
  if (place.scheme === 'https') return undefined;
  try {
    const socket = await target.connect(place.port, place.host, signal);
    return await sendHttp2(socket, action, place, signal);
  } catch {
    // Whatever it is, HTTP/1.1 is asked next and says what is wrong.
    return undefined;
  }
}

interface Place {
  readonly scheme: 'http' | 'https';
  /** As the probe names it; absent: the pod. */
  readonly host: string | undefined;
  readonly port: number;
  readonly authority: string;
  readonly path: string;
}

function placeOf({ scheme, host, port, path = '' }: HTTPGetAction, target: ProbeTarget): Place {
  const number = target.resolvePort(port);
  if (number === undefined) throw new Error(`couldn't find port: ${String(port)}`);
  const named = host === '' ? undefined : host;
  return {
    scheme: scheme === 'HTTPS' ? 'https' : 'http',
    host: named,
    port: number,
    authority: `${named ?? target.podIp}:${number}`,
    path: path.startsWith('/') ? path : `/${path}`,
  };
}

function headersOf({ httpHeaders = [] }: HTTPGetAction, own: Readonly<Record<string, string>>): Record<string, string> {
  const headers: Record<string, string> = { 'user-agent': 'kube-probe/1.32', accept: '*/*', ...own };
  for (const { name, value } of httpHeaders) headers[name.toLowerCase()] = value ?? '';
  return headers;
}

function send(socket: Duplex, action: HTTPGetAction, { scheme, authority, path }: Place, signal: AbortSignal): Promise<number> {
  const headers = headersOf(action, { host: authority, connection: 'close' });
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

async function sendHttp2(socket: Duplex, action: HTTPGetAction, { authority, path }: Place, signal: AbortSignal): Promise<number> {
  // Loaded when first needed: most nodes never probe by it.
  const { connect } = await import('node:http2');
  const session = connect(`http://${authority}`, { createConnection: () => socket });
  try {
    return await new Promise<number>((resolve, reject) => {
      const { host = authority, ...headers } = headersOf(action, {});
      session.on('error', reject);
      const stream = session.request({ ':method': 'GET', ':path': path, ':authority': host, ...headers }, { endStream: true });
      stream.once('response', ({ ':status': status }) => resolve(status ?? 0));
      stream.on('error', reject);
      stream.once('close', () => reject(new Error('no answer')));
      signal.addEventListener('abort', () => reject(new Error('no answer in time')), { once: true });
    });
  } finally {
    session.destroy();
    socket.destroy();
  }
}
