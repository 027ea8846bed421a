import type { ClusterRole } from '#apis/rbac/v1/cluster-role.ts';
import type { ClusterRoleBinding } from '#apis/rbac/v1/cluster-role-binding.ts';
import type { RoleBinding } from '#apis/rbac/v1/role-binding.ts';
import type { Role } from '#apis/rbac/v1/role.ts';
import { dormouseGroup, systemNamespace } from '#apis/dormouse/names.ts';

type Rule =
  | { readonly apiGroups: readonly string[]; readonly resources: readonly string[]; readonly verbs: readonly string[] }
  | { readonly nonResourceURLs: readonly string[]; readonly verbs: readonly string[] };

const read = ['get', 'list', 'watch'];
const all = ['*'];
const rule = (group: string, resources: readonly string[], verbs: readonly string[]): Rule => ({ apiGroups: [group], resources, verbs });

/** A part of the platform as the API knows it: its service account, and what it may do there. Nothing may do more than it needs. */
export interface Component {
  readonly name: string;
  /** Of its service account; a part without one is bound by the group of its certificate. */
  readonly namespace?: string;
  readonly group?: string;
  /** Another account of that namespace that may do the same. */
  readonly alsoAs?: string;
  readonly rules: readonly Rule[];
  /** What it may do in its account's namespace alone. */
  readonly ownRules?: readonly Rule[];
}

const events = rule('', ['events'], ['create', 'patch']);
const leases = rule('coordination.k8s.io', ['leases'], ['get', 'create', 'update', 'patch']);
const configuration = rule('', ['configmaps'], read);

/** The account of Knative's controllers where they run in a process of their own ("dormouse controllers"). */
export const knativeAccount = 'knative-controllers';

export const components = {
  controller: {
    name: 'controller',
    namespace: systemNamespace,
    alsoAs: knativeAccount,
    rules: [
      rule('serving.knative.dev', ['services'], read),
      rule('serving.knative.dev', ['configurations', 'routes'], [...read, 'create', 'update', 'patch']),
      rule('serving.knative.dev', ['revisions'], [...read, 'create', 'patch', 'delete']),
      rule('serving.knative.dev', ['domainmappings'], [...read, 'patch']),
      rule(
        'serving.knative.dev',
        ['services/status', 'configurations/status', 'routes/status', 'revisions/status', 'domainmappings/status'],
        ['patch'],
      ),
      rule('networking.internal.knative.dev', ['ingresses'], [...read, 'create', 'update']),
      rule('networking.internal.knative.dev', ['clusterdomainclaims'], [...read, 'create', 'delete']),
      rule('networking.internal.knative.dev', ['serverlessservices'], read),
      rule('networking.internal.knative.dev', ['certificates'], [...read, 'create', 'update', 'delete']),
      rule('networking.internal.knative.dev', ['serverlessservices/status'], ['patch']),
      rule('', ['namespaces'], read),
      rule('autoscaling.internal.knative.dev', ['podautoscalers'], [...read, 'create', 'update']),
      rule('caching.internal.knative.dev', ['images'], [...read, 'create', 'update']),
      rule('apps', ['deployments'], [...read, 'create', 'update']),
      rule('', ['services'], [...read, 'create', 'update', 'delete']),
      rule('', ['pods'], read),
      rule('discovery.k8s.io', ['endpointslices'], [...read, 'create', 'update']),
      rule(dormouseGroup, ['imageresolutions'], ['create']),
      events,
    ],
    ownRules: [configuration, leases],
  },
  autoscaler: {
    name: 'autoscaler',
    namespace: systemNamespace,
    alsoAs: knativeAccount,
    rules: [
      rule('autoscaling.internal.knative.dev', ['podautoscalers'], read),
      rule('autoscaling.internal.knative.dev', ['podautoscalers/status', 'metrics/status'], ['patch']),
      rule('autoscaling.internal.knative.dev', ['metrics'], [...read, 'create', 'update']),
      rule('networking.internal.knative.dev', ['serverlessservices'], [...read, 'create', 'update']),
      rule('autoscaling', ['horizontalpodautoscalers'], [...read, 'create', 'update', 'delete']),
      rule('apps', ['deployments'], read),
      rule('apps', ['deployments/scale'], ['patch']),
      rule('', ['pods'], [...read, 'patch']),
      rule(dormouseGroup, ['stats'], ['watch']),
      events,
    ],
    ownRules: [configuration],
  },
  certificates: {
    name: 'certificates',
    namespace: systemNamespace,
    rules: [
      rule('networking.internal.knative.dev', ['certificates'], read),
      rule('networking.internal.knative.dev', ['certificates/status'], ['patch']),
      rule('', ['secrets'], [...read, 'create', 'update']),
      events,
    ],
  },
  gateway: {
    name: 'gateway',
    namespace: systemNamespace,
    rules: [
      rule('networking.internal.knative.dev', ['ingresses'], read),
      rule('networking.internal.knative.dev', ['ingresses/status'], ['patch', 'update']),
      rule('serving.knative.dev', ['revisions'], read),
      rule('', ['services', 'nodes'], read),
      rule('', ['secrets', 'configmaps'], read),
      rule('', ['pods'], [...read, 'patch']),
      rule('discovery.k8s.io', ['endpointslices'], read),
      rule(dormouseGroup, ['stats'], ['create']),
      events,
    ],
  },
  cluster: {
    name: 'cluster-controller',
    namespace: 'kube-system',
    // It owns every object's end (garbage collection, namespaces) and the workloads of everybody.
    rules: [rule('*', ['*'], all)],
  },
} as const satisfies Record<string, Component>;

export type ComponentName = keyof typeof components;

/** What the node agent needs besides Kubernetes' own role of nodes: it also serves names and cluster IPs, and checks who calls it. */
export const nodeComponent: Component = {
  name: 'node',
  group: 'system:nodes',
  rules: [
    rule('', ['services', 'pods', 'nodes'], read),
    rule('', ['nodes', 'nodes/status', 'pods', 'pods/status'], ['create', 'patch', 'update', 'delete']),
    rule('', ['configmaps', 'secrets', 'serviceaccounts', 'namespaces'], read),
    rule('', ['persistentvolumeclaims'], read),
    rule('', ['persistentvolumes'], [...read, 'create', 'patch', 'delete']),
    rule('storage.k8s.io', ['storageclasses'], ['get']),
    rule('', ['serviceaccounts/token'], ['create']),
    rule('discovery.k8s.io', ['endpointslices'], read),
    rule('authentication.k8s.io', ['tokenreviews'], ['create']),
    rule(dormouseGroup, ['stats'], ['watch']),
    rule('authorization.k8s.io', ['subjectaccessreviews'], ['create']),
    events,
    leases,
  ],
};

const nameOf = ({ name }: Component): string => `dormouse:${name}`;
const ours = { 'app.kubernetes.io/part-of': 'dormouse' };

export function clusterRole(component: Component): ClusterRole {
  return {
    metadata: { name: nameOf(component), labels: ours },
    rules: structuredClone(component.rules) as ClusterRole['rules'],
  } as ClusterRole;
}

export function clusterRoleBinding(component: Component): ClusterRoleBinding {
  return {
    metadata: { name: nameOf(component), labels: ours },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: nameOf(component) },
    subjects: subjectsOf(component),
  } as ClusterRoleBinding;
}

/** What a component may do in its own namespace; undefined where that is nothing more than anywhere. */
export function ownRole(component: Component): { readonly role: Role; readonly binding: RoleBinding } | undefined {
  if (component.ownRules === undefined) return undefined;
  const metadata = { name: nameOf(component), namespace: component.namespace, labels: ours };
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: nameOf(component) };
  return {
    role: { metadata, rules: structuredClone(component.ownRules) as Role['rules'] } as Role,
    binding: { metadata, roleRef, subjects: subjectsOf(component) } as RoleBinding,
  };
}

function subjectsOf({ name, namespace, alsoAs, group }: Component): object[] {
  if (group !== undefined) return [{ kind: 'Group', name: group, apiGroup: 'rbac.authorization.k8s.io' }];
  const accounts = alsoAs === undefined ? [name] : [name, alsoAs];
  return accounts.map((account) => ({ kind: 'ServiceAccount', name: account, namespace }));
}

/** Roles Kubernetes and its metrics server bring along: what the API server does at the kubelets, and who may read usage. */
export const wellKnownRoles: readonly ClusterRole[] = [
  {
    metadata: { name: 'system:kubelet-api-admin', labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults' } },
    rules: [
      rule('', ['nodes'], [...read, 'proxy']),
      rule('', ['nodes/log', 'nodes/metrics', 'nodes/proxy', 'nodes/stats'], all),
    ] as ClusterRole['rules'],
  } as ClusterRole,
  {
    metadata: {
      name: 'system:aggregated-metrics-reader',
      labels: {
        'rbac.authorization.k8s.io/aggregate-to-admin': 'true',
        'rbac.authorization.k8s.io/aggregate-to-edit': 'true',
        'rbac.authorization.k8s.io/aggregate-to-view': 'true',
      },
    },
    rules: [rule('metrics.k8s.io', ['pods', 'nodes'], read)] as ClusterRole['rules'],
  } as ClusterRole,
];

/** The API server's own certificate, at the kubelets. */
export const kubeletApiBinding = {
  metadata: { name: 'dormouse:kubelet-api', labels: { 'app.kubernetes.io/part-of': 'dormouse' } },
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'system:kubelet-api-admin' },
  subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'kube-apiserver' }],
} as ClusterRoleBinding;
