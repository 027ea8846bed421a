import type { PolicyRule } from '#apiserver/auth/authorizer.ts';

/** A ClusterRole the server brings along, by name; bindings name groups or users. */
export interface DefaultRole {
  readonly name: string;
  readonly rules?: readonly PolicyRule[];
  readonly labels?: Readonly<Record<string, string>>;
  /** Label whose carriers make up this role. */
  readonly aggregates?: string;
}
export interface DefaultBinding {
  readonly role: string;
  readonly groups?: readonly string[];
  readonly users?: readonly string[];
}

const read = ['get', 'list', 'watch'];
const write = ['create', 'delete', 'deletecollection', 'patch', 'update'];
const all = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
const aggregateTo = (role: string) => `rbac.authorization.k8s.io/aggregate-to-${role}`;
const rule = (apiGroups: string[], resources: string[], verbs: string[]): PolicyRule => ({ apiGroups, resources, verbs });

const readable: readonly PolicyRule[] = [
  rule(
    [''],
    [
      'configmaps',
      'endpoints',
      'persistentvolumeclaims',
      'persistentvolumeclaims/status',
      'pods',
      'replicationcontrollers',
      'replicationcontrollers/scale',
      'serviceaccounts',
      'services',
      'services/status',
      'bindings',
      'events',
      'limitranges',
      'namespaces/status',
      'pods/log',
      'pods/status',
      'replicationcontrollers/status',
      'resourcequotas',
      'resourcequotas/status',
      'namespaces',
    ],
    read,
  ),
  rule(['discovery.k8s.io'], ['endpointslices'], read),
  rule(['apps'], workloads(), read),
  rule(['autoscaling'], ['horizontalpodautoscalers', 'horizontalpodautoscalers/status'], read),
  rule(['batch'], ['cronjobs', 'cronjobs/status', 'jobs', 'jobs/status'], read),
  rule(['policy'], ['poddisruptionbudgets', 'poddisruptionbudgets/status'], read),
  rule(['networking.k8s.io'], ['ingresses', 'ingresses/status', 'networkpolicies'], read),
  rule(['events.k8s.io'], ['events'], read),
];

const writable: readonly PolicyRule[] = [
  rule([''], ['pods/attach', 'pods/exec', 'pods/portforward', 'pods/proxy', 'secrets', 'services/proxy'], read),
  rule([''], ['serviceaccounts'], ['impersonate']),
  rule([''], ['pods', 'pods/attach', 'pods/exec', 'pods/portforward', 'pods/proxy'], write),
  rule([''], ['pods/eviction', 'serviceaccounts/token'], ['create']),
  rule(
    [''],
    [
      'configmaps',
      'events',
      'persistentvolumeclaims',
      'replicationcontrollers',
      'replicationcontrollers/scale',
      'secrets',
      'serviceaccounts',
      'services',
      'services/proxy',
    ],
    write,
  ),
  rule(
    ['apps'],
    workloads().filter((resource) => !resource.endsWith('/status') && resource !== 'controllerrevisions'),
    write,
  ),
  rule(['autoscaling'], ['horizontalpodautoscalers'], write),
  rule(['batch'], ['cronjobs', 'jobs'], write),
  rule(['policy'], ['poddisruptionbudgets'], write),
  rule(['networking.k8s.io'], ['ingresses', 'networkpolicies'], write),
  rule(['coordination.k8s.io'], ['leases'], all),
];

const administrable: readonly PolicyRule[] = [
  rule(['authorization.k8s.io'], ['localsubjectaccessreviews'], ['create']),
  rule(['rbac.authorization.k8s.io'], ['rolebindings', 'roles'], all),
];

function workloads(): string[] {
  const scaled = ['deployments', 'replicasets', 'statefulsets'].flatMap((plural) => [plural, `${plural}/scale`, `${plural}/status`]);
  return ['controllerrevisions', 'daemonsets', 'daemonsets/status', 'deployments/rollback', ...scaled];
}

/** Groups of Knative and of the platform itself: whoever may edit a namespace may edit these in it. */
const platformGroups = [
  'serving.knative.dev',
  'networking.internal.knative.dev',
  'autoscaling.internal.knative.dev',
  'caching.internal.knative.dev',
];

const nodeRules: readonly PolicyRule[] = [
  rule(['authentication.k8s.io'], ['tokenreviews'], ['create']),
  rule(['authorization.k8s.io'], ['localsubjectaccessreviews', 'subjectaccessreviews'], ['create']),
  rule([''], ['services'], read),
  rule([''], ['nodes'], ['create', 'get', 'list', 'watch', 'patch', 'update', 'delete']),
  rule([''], ['nodes/status'], ['patch', 'update']),
  rule([''], ['events'], ['create', 'patch', 'update']),
  rule([''], ['pods'], [...read, 'create', 'delete', 'patch', 'update']),
  rule([''], ['pods/status'], ['patch', 'update']),
  rule([''], ['pods/eviction'], ['create']),
  rule([''], ['configmaps', 'secrets', 'persistentvolumeclaims', 'persistentvolumes', 'namespaces'], read),
  rule([''], ['serviceaccounts'], read),
  rule([''], ['serviceaccounts/token'], ['create']),
  rule(['coordination.k8s.io'], ['leases'], ['create', 'delete', 'get', 'list', 'watch', 'patch', 'update']),
  rule(['node.k8s.io'], ['runtimeclasses'], read),
  rule(['certificates.k8s.io'], ['certificatesigningrequests'], ['create', 'get', 'list', 'watch']),
];

const healthUrls = ['/healthz', '/livez', '/readyz', '/version', '/version/'];
const discoveryUrls = [
  '/api',
  '/api/*',
  '/apis',
  '/apis/*',
  '/healthz',
  '/livez',
  '/openapi',
  '/openapi/*',
  '/readyz',
  '/version',
  '/version/',
];

export const defaultRoles: readonly DefaultRole[] = [
  { name: 'cluster-admin', rules: [rule(['*'], ['*'], ['*']), { nonResourceURLs: ['*'], verbs: ['*'] }] },
  { name: 'admin', aggregates: aggregateTo('admin') },
  { name: 'edit', aggregates: aggregateTo('edit'), labels: { [aggregateTo('admin')]: 'true' } },
  { name: 'view', aggregates: aggregateTo('view'), labels: { [aggregateTo('edit')]: 'true' } },
  { name: 'system:aggregate-to-admin', rules: administrable, labels: { [aggregateTo('admin')]: 'true' } },
  { name: 'system:aggregate-to-edit', rules: writable, labels: { [aggregateTo('edit')]: 'true' } },
  { name: 'system:aggregate-to-view', rules: readable, labels: { [aggregateTo('view')]: 'true' } },
  {
    name: 'knative-serving-namespaced-edit',
    rules: [rule(platformGroups, ['*'], write)],
    labels: { [aggregateTo('edit')]: 'true' },
  },
  { name: 'knative-serving-namespaced-view', rules: [rule(platformGroups, ['*'], read)], labels: { [aggregateTo('view')]: 'true' } },
  {
    name: 'system:basic-user',
    rules: [
      rule(['authorization.k8s.io'], ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'], ['create']),
      rule(['authentication.k8s.io'], ['selfsubjectreviews'], ['create']),
    ],
  },
  { name: 'system:discovery', rules: [{ nonResourceURLs: discoveryUrls, verbs: ['get'] }] },
  { name: 'system:public-info-viewer', rules: [{ nonResourceURLs: healthUrls, verbs: ['get'] }] },
  { name: 'system:monitoring', rules: [{ nonResourceURLs: ['/metrics', '/healthz', '/livez', '/readyz'], verbs: ['get'] }] },
  { name: 'system:node', rules: nodeRules },
  {
    name: 'system:auth-delegator',
    rules: [
      rule(['authentication.k8s.io'], ['tokenreviews'], ['create']),
      rule(['authorization.k8s.io'], ['subjectaccessreviews'], ['create']),
    ],
  },
];

export const defaultBindings: readonly DefaultBinding[] = [
  { role: 'cluster-admin', groups: ['system:masters'] },
  { role: 'system:basic-user', groups: ['system:authenticated'] },
  { role: 'system:discovery', groups: ['system:authenticated'] },
  { role: 'system:public-info-viewer', groups: ['system:authenticated', 'system:unauthenticated'] },
  { role: 'system:monitoring', groups: ['system:monitoring'] },
  { role: 'system:node', groups: ['system:nodes'] },
];
