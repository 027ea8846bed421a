import type { UserInfo } from '#apis/definition.ts';
import { isReason, StatusError, type Status } from '#apis/meta/status.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import { apiVersionOf, type KindDefinition } from '#apis/definition.ts';
import { systemMasters } from '#apiserver/auth/authorizer.ts';
import { defaultBindings, defaultRoles, type DefaultBinding, type DefaultRole } from '#apiserver/auth/default-roles.ts';
import { rbacGroup } from '#apiserver/auth/rbac-authorizer.ts';
import { lookUp, type ServerContext } from '#apiserver/context.ts';
import type { Pipeline } from '#apiserver/pipeline.ts';
import { jsonEqual } from '#apis/meta/equal.ts';

/** The server itself, for what it does on its own account. */
const serverUser: UserInfo = { username: 'system:apiserver', groups: [systemMasters, 'system:authenticated'] };

const namespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];
const autoUpdate = 'rbac.authorization.kubernetes.io/autoupdate';
const bootstrapLabel = 'kubernetes.io/bootstrapping';

/**
 * Creates what every cluster has: namespaces, default roles and their bindings, the `kubernetes` Service. Default roles are
 * brought up to date on each start, unless their autoupdate annotation says `false`. Writes nothing when all is there.
 */
export async function bootstrap(context: ServerContext, pipeline: Pipeline): Promise<void> {
  const { registry } = context;
  const has = (group: string, plural: string) => registry.isBuiltIn(group, plural);
  const wanted: KubeObject[] = [];
  if (has('', 'namespaces')) for (const name of namespaces) wanted.push({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  await Promise.all(wanted.map((object) => ensure(context, pipeline, object)));
  const others: KubeObject[] = [];
  if (has(rbacGroup, 'clusterroles')) others.push(...defaultRoles.map(roleObject));
  if (has(rbacGroup, 'clusterrolebindings')) others.push(...defaultBindings.map(bindingObject));
  if (has('', 'services')) others.push(kubernetesService());
  await Promise.all(others.map((object) => ensure(context, pipeline, object)));
}

function roleObject({ name, rules, labels, aggregates }: DefaultRole): KubeObject {
  return {
    apiVersion: `${rbacGroup}/v1`,
    kind: 'ClusterRole',
    metadata: { name, annotations: { [autoUpdate]: 'true' }, labels: { [bootstrapLabel]: 'rbac-defaults', ...labels } },
    ...(rules === undefined ? {} : { rules }),
    ...(aggregates === undefined ? {} : { aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [aggregates]: 'true' } }] } }),
  } as KubeObject;
}

function bindingObject({ role, groups = [], users = [] }: DefaultBinding): KubeObject {
  const subject = (kind: string) => (name: string) => ({ apiGroup: rbacGroup, kind, name });
  return {
    apiVersion: `${rbacGroup}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name: role, annotations: { [autoUpdate]: 'true' }, labels: { [bootstrapLabel]: 'rbac-defaults' } },
    roleRef: { apiGroup: rbacGroup, kind: 'ClusterRole', name: role },
    subjects: [...groups.map(subject('Group')), ...users.map(subject('User'))],
  } as KubeObject;
}

function kubernetesService(): KubeObject {
  const labels = { component: 'apiserver', provider: 'kubernetes' };
  const ports = [{ name: 'https', port: 443, protocol: 'TCP', targetPort: 6443 }];
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'kubernetes', namespace: 'default', labels },
    spec: { type: 'ClusterIP', ports, sessionAffinity: 'None' },
  } as KubeObject;
}

async function ensure(context: ServerContext, pipeline: Pipeline, object: KubeObject): Promise<void> {
  const served = context.registry.findKind(object.apiVersion, object.kind);
  if (served === undefined) return;
  const { definition } = served;
  const { name = '', namespace = '' } = object.metadata;
  const existing = lookUp(context, definition.group, definition.plural, namespace, name);
  const collection = collectionPath(definition, served.version.name, namespace);
  try {
    if (existing === undefined) await send(pipeline, 'POST', collection, object);
    else if (isOutdated(existing, object)) await send(pipeline, 'PUT', `${collection}/${name}`, updated(existing, object));
  } catch (error) {
    if (!isReason(error, 'AlreadyExists')) throw error;
  }
}

function isOutdated(existing: KubeObject, wanted: KubeObject): boolean {
  if (existing.metadata.annotations?.[autoUpdate] !== 'true') return false;
  // The rules of an aggregated role are not its own.
  const rules = Reflect.has(wanted, 'aggregationRule') ? [] : (['rules'] as const);
  return ([...rules, 'aggregationRule', 'subjects'] as const).some(
    (field) => !jsonEqual(Reflect.get(existing, field), Reflect.get(wanted, field)),
  );
}

function updated(existing: KubeObject, wanted: KubeObject): KubeObject {
  const rules = Reflect.has(wanted, 'aggregationRule') ? { rules: Reflect.get(existing, 'rules') as unknown } : {};
  return { ...wanted, ...rules, metadata: { ...existing.metadata, ...wanted.metadata } };
}

function collectionPath(definition: KindDefinition, version: string, namespace: string): string {
  const root = definition.group === '' ? '/api' : '/apis';
  const within = definition.namespaced ? `/namespaces/${namespace}` : '';
  return `${root}/${apiVersionOf({ group: definition.group, version })}${within}/${definition.plural}`;
}

/** A request of the server to itself. */
export async function send(
  pipeline: Pipeline,
  method: string,
  path: string,
  object: unknown,
  contentType = 'application/json',
): Promise<unknown> {
  const response = await pipeline.handle({
    method,
    path,
    query: new URLSearchParams(),
    headers: { 'content-type': contentType, 'user-agent': 'dormouse-apiserver' },
    credentials: { kind: 'user', user: serverUser },
    ...(object === undefined ? {} : { body: { read: () => Promise.resolve({ object: structuredClone(object) }), async *stream() {} } }),
    signal: new AbortController().signal,
  });
  const body = response.body.kind === 'object' ? response.body.object : undefined;
  if (response.status >= 400) throw StatusError.from(body as Status);
  return body;
}
