import { defaultClassAnnotation } from '#apis/core/v1/claim-binding.ts';
import { configMaps, type ConfigMap } from '#apis/core/v1/config-map.ts';
import { namespaces, type Namespace } from '#apis/core/v1/namespace.ts';
import { serviceAccounts, type ServiceAccount } from '#apis/core/v1/service-account.ts';
import { services, type Service } from '#apis/core/v1/service.ts';
import type { Resource } from '#apis/definition.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import { ifThere } from '#apis/meta/status.ts';
import { clusterRoleBindings } from '#apis/rbac/v1/cluster-role-binding.ts';
import { clusterRoles } from '#apis/rbac/v1/cluster-role.ts';
import { roleBindings } from '#apis/rbac/v1/role-binding.ts';
import { roles } from '#apis/rbac/v1/role.ts';
import { directoryProvisioner, standardStorageClass, systemNamespace } from '#apis/dormouse/names.ts';
import { priorityClasses, systemPriorityClasses } from '#apis/scheduling/v1/priority-class.ts';
import { storageClasses, type StorageClass } from '#apis/storage/v1/storage-class.ts';
import type { Client } from '#client/client.ts';
import { semanticEqual } from '#machinery/semantic-equality.ts';
import { hasItsChecksum, initialConfigMaps } from '#platform/control/bootstrap/config-maps.ts';
import {
  clusterRole,
  clusterRoleBinding,
  components,
  knativeAccount,
  kubeletApiBinding,
  nodeComponent,
  ownRole,
  wellKnownRoles,
  type Component,
} from '#platform/control/bootstrap/roles.ts';
import type { PlatformSettings } from '#platform/settings.ts';
import type { Ports } from '#platform/ports.ts';

/** Volumes are made where the pod will be, when there is one. */
const standardClass = {
  metadata: { name: standardStorageClass, annotations: { [defaultClassAnnotation]: 'true' } },
  provisioner: directoryProvisioner,
  reclaimPolicy: 'Delete',
  volumeBindingMode: 'WaitForFirstConsumer',
} as StorageClass;

/** Objects people look for where Knative and its gateways put them. */
const platformNamespaces = [systemNamespace, 'knative-eventing', 'knative-monitoring', 'istio-system', 'cert-manager'];

/**
 * Puts the platform's own objects into the API: namespaces, accounts and their roles, configuration maps, and the Service under
 * which the gateway is found. What users may change is created once and left alone; roles follow the program.
 */
export async function bootstrapPlatform(client: Client, settings: PlatformSettings, ports: Ports): Promise<void> {
  await Promise.all(platformNamespaces.map((name) => ensure(client, namespaces, { metadata: { name } } as Namespace)));
  const parts: readonly Component[] = Object.values(components);
  const accounts = [...parts, { name: knativeAccount, namespace: systemNamespace }];
  const own = parts.map(ownRole).filter((each) => each !== undefined);
  await Promise.all([
    ...accounts.map(({ name, namespace }) => ensure(client, serviceAccounts, { metadata: { name, namespace } } as ServiceAccount)),
    ...[...parts, nodeComponent].map((component) => follow(client, clusterRoles, clusterRole(component))),
    ...[...parts, nodeComponent].map((component) => follow(client, clusterRoleBindings, clusterRoleBinding(component))),
    ...own.flatMap(({ role, binding }) => [follow(client, roles, role), follow(client, roleBindings, binding)]),
    ...wellKnownRoles.map((role) => follow(client, clusterRoles, role)),
    follow(client, clusterRoleBindings, kubeletApiBinding),
    ensure(client, storageClasses, standardClass),
    ...systemPriorityClasses.map((one) => ensure(client, priorityClasses, one)),
    ...initialConfigMaps(settings.domain).map((map) => ensureConfigMap(client, map)),
  ]);
  await ensureGatewayServices(client, settings, ports);
}

/** Created when it is missing, else untouched. */
async function ensure<T extends KubeObject>(client: Client, resource: Resource<T>, object: T): Promise<T> {
  const existing = await ifThere(client.of(resource).get(object.metadata.namespace, object.metadata.name ?? ''));
  return existing ?? client.of(resource).create(object);
}

/** Created when it is missing. An `_example` block whose checksum is not its own, which would keep the map from being changed, is replaced. */
async function ensureConfigMap(client: Client, map: ConfigMap): Promise<void> {
  const existing = await ensure(client, configMaps, map);
  if (hasItsChecksum(existing)) return;
  const body = { metadata: { annotations: map.metadata.annotations }, data: { _example: map.data?.['_example'] } };
  await client.of(configMaps).patch(map.metadata.namespace, map.metadata.name ?? '', { type: 'merge', body });
}

/** Created, or brought to the wanted state. */
async function follow<T extends KubeObject>(client: Client, resource: Resource<T>, wanted: T): Promise<void> {
  const existing = await ensure(client, resource, wanted);
  const next = { ...existing, ...wanted, metadata: { ...existing.metadata, labels: wanted.metadata.labels ?? {} } };
  if (!semanticEqual(existing, next)) await client.of(resource).update(next);
}

/** `istio-ingressgateway` tells where requests from outside go; `gateway-local` where those from pods go. */
async function ensureGatewayServices(client: Client, { listen }: PlatformSettings, { httpPort, httpsPort }: Ports): Promise<void> {
  const address = ['0.0.0.0', '::'].includes(listen) ? '127.0.0.1' : listen;
  const gateway = {
    metadata: { name: 'istio-ingressgateway', namespace: 'istio-system', labels: { app: 'istio-ingressgateway', istio: 'ingressgateway' } },
    spec: {
      type: 'LoadBalancer',
      ports: [
        { name: 'http2', port: httpPort, targetPort: httpPort, protocol: 'TCP' },
        { name: 'https', port: httpsPort, targetPort: httpsPort, protocol: 'TCP' },
      ],
    },
  } as Service;
  const existing = await ensure(client, services, gateway);
  const ports = existing.spec?.ports ?? [];
  if (ports[0]?.port !== httpPort || ports[1]?.port !== httpsPort) {
    await client
      .of(services)
      .patch('istio-system', 'istio-ingressgateway', { type: 'merge', body: { spec: { ports: gateway.spec?.ports } } });
  }
  const status = { loadBalancer: { ingress: [{ ip: address }] } };
  if (!semanticEqual(existing.status, status)) {
    await client.of(services).patch('istio-system', 'istio-ingressgateway', { type: 'merge', body: { status } }, { subresource: 'status' });
  }
}
