import type { AddressInfo } from 'node:net';
import { UserError, errorText } from '#core/errors.ts';
import type { Metrics } from '#core/metrics.ts';
import { createServer } from '#core/node-http.ts';
import { listening } from '#core/streams.ts';

export interface MetricsServer extends AsyncDisposable {
  readonly port: number;
}

/** Serves `/metrics` (Prometheus text) and `/healthz` at `[host:]port` until it is disposed of. Throws UserError where it cannot. */
export async function serveMetrics(address: string, metrics: Metrics): Promise<MetricsServer> {
  const { host, port } = parseAddress(address);
  const server = createServer((request, response) => {
    void answer(request.url ?? '/', metrics).then(({ status, body, type }) => {
      response.writeHead(status, { 'content-type': type });
      response.end(request.method === 'HEAD' ? undefined : body);
    });
  });
  try {
    await listening(server, { host, port });
  } catch (error) {
    throw new UserError(`metrics cannot be served at ${address}: ${errorText(error)}`, { cause: error });
  }
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

function parseAddress(address: string): { host: string; port: number } {
  const [, host = '', digits = ''] = /^(?:(.*):)?(\d{1,5})$/.exec(address) ?? [];
  const port = Number(digits);
  if (digits === '' || port > 65_535) throw new UserError(`${JSON.stringify(address)} is no address: it is written HOST:PORT, or PORT`);
  return { host: host === '' ? '127.0.0.1' : host.replaceAll(/^\[|\]$/g, ''), port };
}

const plain = 'text/plain; charset=utf-8';

async function answer(url: string, metrics: Metrics): Promise<{ status: number; body: string; type: string }> {
  const path = url.split('?', 1)[0];
  if (path === '/healthz') return { status: 200, body: 'ok\n', type: plain };
  if (path === '/metrics') return { status: 200, body: await metrics.expose(), type: 'text/plain; version=0.0.4; charset=utf-8' };
  return { status: 404, body: 'not found\n', type: plain };
}
