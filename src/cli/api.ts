import { loadKubeconfig, connectionOf, type Connection } from '#client/kubeconfig.ts';
import { createClient } from '#client/api-client.ts';
import type { Client } from '#client/client.ts';
import { httpsTransport } from '#client/https-transport.ts';
import { textOption, type Invocation } from '#cli/command.ts';
import { layoutFor, requireRunning } from '#cli/platform.ts';
import type { PlatformStatus } from '#platform/supervisor/supervisor.ts';

/** What a command that talks to the platform works with. */
export interface Target {
  readonly client: Client;
  readonly namespace: string;
  readonly platform: PlatformStatus;
}

/** Connects to the running platform as its admin. UserError when none runs. */
export async function connect(invocation: Invocation): Promise<Target> {
  const platform = await requireRunning(await layoutFor(invocation));
  const connection = connectionOf(loadKubeconfig([platform.kubeconfig]));
  return { client: clientOf(connection), namespace: textOption(invocation, 'namespace') ?? 'default', platform };
}

function clientOf(connection: Connection): Client {
  return createClient(httpsTransport({ ...connection.connection, userAgent: 'dormouse-cli' }));
}
