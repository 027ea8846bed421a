import type { UserInfo } from '#apis/definition.ts';
import type { ApiServer } from '#apiserver/request.ts';
import { createClient } from '#client/api-client.ts';
import type { Client } from '#client/client.ts';
import { inProcessTransport } from '#client/in-process-transport.ts';
import { components, type ComponentName } from '#platform/control/bootstrap/roles.ts';

/** A client inside the control process that acts as a component's service account: RBAC and admission apply to it. */
export function componentClient(server: ApiServer, component: ComponentName): Client {
  const { name, namespace } = components[component];
  return clientAs(
    server,
    {
      username: `system:serviceaccount:${namespace}:${name}`,
      groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
    },
    name,
  );
}

/** The platform itself, for what has to be there before any account is. */
export function platformClient(server: ApiServer): Client {
  return clientAs(server, { username: 'system:apiserver', groups: ['system:masters', 'system:authenticated'] }, 'dormouse');
}

function clientAs(server: ApiServer, user: UserInfo, userAgent: string): Client {
  return createClient(inProcessTransport(server, user, userAgent));
}
