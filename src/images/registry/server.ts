import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '#core/clock.ts';
import type { Logger } from '#core/logger.ts';
import type { ImageStore } from '../image-store.ts';
import { manage } from './management.ts';

export interface RegistryOptions {
  readonly store: ImageStore;
  readonly host: string;
  readonly port: number;
  /** For the management endpoints. */
  readonly token: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface Registry extends AsyncDisposable {
  readonly port: number;
}

const managementPrefix = '/dormouse/v1/';

/** Starts the listener of the image store: management under `/dormouse/v1/`. */
export async function startRegistry(options: RegistryOptions): Promise<Registry> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    if (path.startsWith(managementPrefix)) void manage(path.slice(managementPrefix.length), request, response, options);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, () => resolve());
  });
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
