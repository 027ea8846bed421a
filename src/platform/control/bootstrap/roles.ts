import type { ClusterRole } from '#apis/rbac/v1/cluster-role.ts';
import type { ClusterRoleBinding } from '#apis/rbac/v1/cluster-role-binding.ts';
import { systemNamespace } from '#apis/dormouse/names.ts';

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
  readonly rules: readonly Rule[];
}

const events = rule('', ['events'], ['create', 'patch']);
const leases = rule('coordination.k8s.io', ['leases'], ['get', 'create', 'update', 'patch']);

export const components = {
  controller: {
    name: 'controller',
    namespace: systemNamespace,
    rules: [
      rule('serving.knative.dev', ['*'], all),
      rule('networking.internal.knative.dev', ['*'], all),
      rule('autoscaling.internal.knative.dev', ['*'], all),
      rule('caching.internal.knative.dev', ['*'], all),
      rule('apps', ['deployments'], all),
      rule('', ['services', 'endpoints'], all),
      rule('', ['configmaps', 'pods', 'namespaces', 'serviceaccounts'], read),
      rule('', ['secrets'], ['get']),
      rule('discovery.k8s.io', ['endpointslices'], all),
      events,
      leases,
    ],
  },
  autoscaler: {
    name: 'autoscaler',
    namespace: systemNamespace,
    rules: [
      rule('autoscaling.internal.knative.dev', ['*'], all),
      rule('networking.internal.knative.dev', ['serverlessservices', 'serverlessservices/status'], all),
      rule('apps', ['deployments', 'deployments/scale'], ['get', 'list', 'watch', 'patch', 'update']),
      rule('serving.knative.dev', ['revisions'], read),
      rule('', ['pods'], [...read, 'patch']),
      rule('', ['configmaps', 'services', 'endpoints'], read),
      rule('discovery.k8s.io', ['endpointslices'], read),
      rule('autoscaling', ['horizontalpodautoscalers'], all),
      events,
      leases,
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
      { nonResourceURLs: ['/apis/dormouse.dev/v1/stats'], verbs: ['post'] },
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
    rule('', ['serviceaccounts/token'], ['create']),
    rule('discovery.k8s.io', ['endpointslices'], read),
    rule('authentication.k8s.io', ['tokenreviews'], ['create']),
    rule('authorization.k8s.io', ['subjectaccessreviews'], ['create']),
    events,
    leases,
  ],
};

export function clusterRole({ name, rules }: Component): ClusterRole {
  return {
    metadata: { name: `dormouse:${name}`, labels: { 'app.kubernetes.io/part-of': 'dormouse' } },
    rules: structuredClone(rules) as ClusterRole['rules'],
  } as ClusterRole;
}

export function clusterRoleBinding({ name, namespace, group }: Component): ClusterRoleBinding {
  return {
    metadata: { name: `dormouse:${name}`, labels: { 'app.kubernetes.io/part-of': 'dormouse' } },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: `dormouse:${name}` },
    subjects: [
      group === undefined
        ? { kind: 'ServiceAccount', name, namespace }
        : { kind: 'Group', name: group, apiGroup: 'rbac.authorization.k8s.io' },
    ],
  } as ClusterRoleBinding;
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
