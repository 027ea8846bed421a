import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '#core/clock.ts';
import type { Logger } from '#core/logger.ts';
import type { ImageStore } from '../image-store.ts';
import { Distribution } from './distribution.ts';
import { Management } from './management.ts';
import { sendFault } from './replies.ts';
import { createServer, targetOf } from '#core/node-http.ts';
import { listening } from '#core/streams.ts';

export interface RegistryOptions {
  readonly store: ImageStore;
  readonly host: string;
  readonly port: number;
  /** Bearer token of the management interface. Pushing and pulling need none, as with Docker's local registry. */
  readonly token: string;
  readonly logger: Logger;
  readonly clock: Clock;
}

export interface Registry extends AsyncDisposable {
  readonly port: number;
}

/** Serves the store under `/v2/` (OCI distribution 1.1) and `/dormouse/v1/` (what remote.ts speaks). Rejects when the port is taken. */
export async function startRegistry(options: RegistryOptions): Promise<Registry> {
  const logger = options.logger.child({ component: 'registry' });
  const distribution = new Distribution(options.store, options.clock);
  const management = new Management(options.store, options.token);
  const server = createServer((request, response) => {
    response.on('error', () => {});
    handle(request, response).catch((error: unknown) => {
      if (!request.destroyed || response.headersSent) logger.debug('request failed', { method: request.method, url: request.url, error });
      sendFault(response, error);
    });
  });
  const handle = (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = targetOf(request);
    if (url.pathname.startsWith('/dormouse/')) return management.handle(request, response, url);
    return distribution.handle(request, response, url);
  };
  // Layers take as long as they take; a client that sends nothing at all is cut by the socket's idle time.
  server.requestTimeout = 0;
  server.timeout = 300_000;
  await listening(server, { port: options.port, host: options.host });
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
      await distribution[Symbol.asyncDispose]();
    },
  };
}
