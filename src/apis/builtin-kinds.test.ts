import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { validatingAdmissionPolicyDefinition } from '#apis/admissionregistration/v1/validating-admission-policy.ts';
import { customResourceDefinitionDefinition } from '#apis/apiextensions/v1/custom-resource-definition.ts';
import { tokenRequestDefinition } from '#apis/authentication/v1/token-request.ts';
import { localSubjectAccessReviewDefinition } from '#apis/authorization/v1/local-subject-access-review.ts';
import { subjectAccessReviewDefinition } from '#apis/authorization/v1/subject-access-review.ts';
import { horizontalPodAutoscalerDefinition } from '#apis/autoscaling/v2/horizontal-pod-autoscaler.ts';
import { certificateSigningRequestDefinition } from '#apis/certificates/v1/certificate-signing-request.ts';
import { leaseDefinition } from '#apis/coordination/v1/lease.ts';
import { configMapDefinition } from '#apis/core/v1/config-map.ts';
import { eventDefinition } from '#apis/core/v1/event.ts';
import { limitRangeDefinition } from '#apis/core/v1/limit-range.ts';
import { namespaceDefinition } from '#apis/core/v1/namespace.ts';
import { nodeDefinition } from '#apis/core/v1/node.ts';
import { persistentVolumeClaimDefinition } from '#apis/core/v1/persistent-volume-claim.ts';
import { resourceQuotaDefinition } from '#apis/core/v1/resource-quota.ts';
import { secretDefinition } from '#apis/core/v1/secret.ts';
import type { KindDefinition } from '#apis/definition.ts';
import { cells, refine } from '#apis/meta/test-kit.ts';
import { ingressDefinition } from '#apis/networking/v1/ingress.ts';
import { networkPolicyDefinition } from '#apis/networking/v1/network-policy.ts';
import { podDisruptionBudgetDefinition } from '#apis/policy/v1/pod-disruption-budget.ts';
import { clusterRoleBindingDefinition } from '#apis/rbac/v1/cluster-role-binding.ts';
import { roleBindingDefinition } from '#apis/rbac/v1/role-binding.ts';
import { roleDefinition } from '#apis/rbac/v1/role.ts';
import { priorityClassDefinition } from '#apis/scheduling/v1/priority-class.ts';
import { storageClassDefinition } from '#apis/storage/v1/storage-class.ts';

type AnyDefinition = KindDefinition;
const metadata = { name: 'a', namespace: 'default' };
const errorsOf = (definition: unknown, body: object, old?: object) =>
  refine(definition as AnyDefinition, { metadata, ...body }, old === undefined ? {} : { old: { metadata, ...old } as never }).errors;
const row = (definition: unknown, body: object) => cells((definition as AnyDefinition).versions[0]?.columns, { metadata, ...body });

describe('limit ranges', () => {
  const limitErrors = (...limits: object[]) => errorsOf(limitRangeDefinition, { spec: { limits } });
  it('may hold nothing', () => {
    assert.deepEqual(errorsOf(limitRangeDefinition, {}), []);
  });

  it('refuse what Kubernetes refuses, in its words', () => {
    assert.deepEqual(limitErrors({ type: 'Pod', default: { cpu: '3' }, defaultRequest: { cpu: '4' } }), [
      "spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'",
      "spec.limits[0].defaultRequest: Forbidden: may not be specified when `type` is 'Pod'",
    ]);
    assert.deepEqual(
      limitErrors(
        { type: 'PersistentVolumeClaim' },
        { type: 'Pod', maxLimitRequestRatio: { cpu: '0.5' } },
        { type: 'Container', max: { memory: '1Gi' }, maxLimitRequestRatio: { memory: '9' }, min: { memory: '512Mi' } },
        { type: 'Bad' },
      ),
      [
        'spec.limits[0].limits: Required value: either minimum or maximum storage value is required, but neither was provided',
        'spec.limits[1].maxLimitRequestRatio[cpu]: Invalid value: "500m": ratio 500m is less than 1',
        'spec.limits[2].maxLimitRequestRatio[memory]: Invalid value: "9": ratio 9 is greater than max/min = 2.000000',
        'spec.limits[3].type: Invalid value: "Bad": must be a standard limit type or fully qualified',
      ],
    );
  });
});

describe('resource quotas', () => {
  it('refuse scopes that are none or contradict each other', () => {
    const scopes = ['BestEffort', 'NotBestEffort', 'Foo'];
    assert.deepEqual(errorsOf(resourceQuotaDefinition, { spec: { hard: { pods: '1' }, scopes } }), [
      `spec.scopes: Invalid value: ${JSON.stringify(scopes)}: unsupported scope`,
      `spec.scopes: Invalid value: ${JSON.stringify(scopes)}: conflicting scopes`,
    ]);
    assert.deepEqual(errorsOf(resourceQuotaDefinition, { spec: { hard: { pods: '1' }, scopes: ['Terminating', 'BestEffort'] } }), []);
  });

  it('refuse scope selectors in the words of Kubernetes', () => {
    const matchExpressions = [
      { scopeName: 'PriorityClass', operator: 'In' },
      { scopeName: 'BestEffort', operator: 'In', values: ['a'] },
      { scopeName: 'Foo', operator: 'Bar' },
      { scopeName: 'PriorityClass', operator: 'Exists', values: ['x'] },
      { scopeName: 'PriorityClass', operator: 'In', values: ['x'] },
      { scopeName: 'Terminating', operator: 'Exists' },
    ];
    const at = 'spec.scopeSelector.matchExpressions';
    assert.deepEqual(errorsOf(resourceQuotaDefinition, { spec: { hard: { pods: '1' }, scopeSelector: { matchExpressions } } }), [
      `${at}.values: Required value: must be at least one value when \`operator\` is 'In' or 'NotIn' for scope selector`,
      `${at}.operator: Invalid value: "In": must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity`,
      `${at}.scopeName: Invalid value: "Foo": unsupported scope`,
      `${at}.operator: Invalid value: "Bar": not a valid selector operator`,
      `${at}.values: Invalid value: ["x"]: must be no value when \`operator\` is 'Exist' or 'DoesNotExist' for scope selector`,
    ]);
  });
});

describe('config maps and secrets', () => {
  it('refuse bad keys', () => {
    assert.match(
      errorsOf(configMapDefinition, { data: { 'a b': '' } })[0] ?? '',
      /^data\[a b\]: Invalid value: "a b": a valid config key must consist of/,
    );
    assert.deepEqual(errorsOf(configMapDefinition, { data: { a: '' }, binaryData: { a: '' } }), [
      'data[a]: Invalid value: "a": duplicate of key present in binaryData',
    ]);
  });
  it('are limited to a mebibyte', () => {
    const data = { a: 'x'.repeat(1024 * 1024 + 1) };
    assert.deepEqual(errorsOf(configMapDefinition, { data }), [': Too long: may not be more than 1048576 bytes']);
  });
  it('stay as they are once immutable', () => {
    const old = { immutable: true, data: { a: '1' } };
    assert.deepEqual(errorsOf(configMapDefinition, { immutable: true, data: { a: '2' } }, old), [
      'data: Forbidden: field is immutable when `immutable` is set',
    ]);
    assert.deepEqual(errorsOf(secretDefinition, { type: 'Opaque', data: { a: 'MQ==' } }, { ...old, type: 'Opaque', data: { a: 'MQ==' } }), [
      'immutable: Forbidden: field is immutable when `immutable` is set',
    ]);
  });
  it('take stringData as data, Opaque by default', () => {
    const { object } = refine(secretDefinition, { metadata, data: { b: 'Mg==' }, stringData: { a: '1' } });
    assert.deepEqual(object, { metadata, data: { b: 'Mg==', a: 'MQ==' }, type: 'Opaque' });
  });
  it('hold what their type demands, and keep the type', () => {
    assert.deepEqual(errorsOf(secretDefinition, { type: 'kubernetes.io/tls', data: { 'tls.crt': '' } }), ['data[tls.key]: Required value']);
    assert.match(
      errorsOf(secretDefinition, { type: 'kubernetes.io/dockerconfigjson', data: { '.dockerconfigjson': 'eA==' } })[0] ?? '',
      /^data\[\.dockerconfigjson\]: Invalid value: "<secret contents redacted>": /,
    );
    assert.deepEqual(errorsOf(secretDefinition, { type: 'a' }, { type: 'b' }), ['type: Invalid value: "a": field is immutable']);
  });
});

describe('namespaces and nodes', () => {
  it('start active, with their finalizer and their name as a label', () => {
    const { object } = refine(namespaceDefinition, { metadata: { name: 'n' } });
    assert.deepEqual(object, {
      metadata: { name: 'n', labels: { 'kubernetes.io/metadata.name': 'n' } },
      spec: { finalizers: ['kubernetes'] },
      status: { phase: 'Active' },
    });
  });
  it('keep the finalizers of a namespace through plain updates', () => {
    const old = { metadata: { name: 'n' }, spec: { finalizers: ['kubernetes'] } };
    const { object } = refine(namespaceDefinition, { metadata: { name: 'n' }, spec: {} }, { old: old as never });
    assert.deepEqual(object['spec'], { finalizers: ['kubernetes'] });
  });
  it('show status and roles of a node', () => {
    const node = {
      metadata: { name: 'n', labels: { 'node-role.kubernetes.io/control-plane': '', 'node-role.kubernetes.io/agent': '' } },
      spec: { unschedulable: true },
      status: { conditions: [{ type: 'Ready', status: 'True' }], addresses: [{ type: 'InternalIP', address: '10.0.0.1' }] },
    };
    const shown = row(nodeDefinition, node);
    assert.deepEqual(
      [shown['Status'], shown['Roles'], shown['Internal-IP'], shown['External-IP'], shown['OS-Image']],
      ['Ready,SchedulingDisabled', 'agent,control-plane', '10.0.0.1', '<none>', '<unknown>'],
    );
  });
});

describe('events', () => {
  it('show their name last', () => {
    const event = {
      involvedObject: { kind: 'Pod', name: 'p', fieldPath: 'spec.containers{c}' },
      reason: 'Started',
      message: ' up ',
      type: 'Normal',
      firstTimestamp: '2026-01-02T02:04:05Z',
      lastTimestamp: '2026-01-02T03:03:55Z',
      count: 4,
      source: { component: 'kubelet', host: 'n1' },
    };
    assert.deepEqual(Object.entries(row(eventDefinition, event)), [
      ['Last Seen', '10s'],
      ['Type', 'Normal'],
      ['Reason', 'Started'],
      ['Object', 'pod/p'],
      ['Subobject', 'spec.containers{c}'],
      ['Source', 'kubelet, n1'],
      ['Message', 'up'],
      ['First Seen', '60m'],
      ['Count', 4],
      ['Name', 'a'],
    ]);
  });
  it('take the time of a singleton event for both', () => {
    const shown = row(eventDefinition, { involvedObject: {}, eventTime: '2026-01-02T03:03:05.000000Z' });
    assert.deepEqual([shown['Last Seen'], shown['First Seen'], shown['Count']], ['60s', '60s', 1]);
  });
  it('belong to the namespace of their object', () => {
    assert.deepEqual(errorsOf(eventDefinition, { involvedObject: { namespace: 'other' } }), [
      'involvedObject.namespace: Invalid value: "other": does not match event.namespace',
    ]);
    assert.deepEqual(errorsOf(eventDefinition, { involvedObject: { kind: 'Node' } }), []);
  });
});

describe('access rules', () => {
  it('need verbs, groups and resources', () => {
    assert.deepEqual(errorsOf(roleDefinition, { rules: [{}] }), [
      'rules[0].verbs: Required value: verbs must contain at least one value',
      'rules[0].apiGroups: Required value: resource rules must supply at least one api group',
      'rules[0].resources: Required value: resource rules must supply at least one resource',
    ]);
    assert.deepEqual(errorsOf(roleDefinition, { rules: [{ verbs: ['get'], nonResourceURLs: ['/x'] }] }), [
      'rules[0].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs',
    ]);
  });
  const roleRef = { kind: 'ClusterRole', name: 'r' };
  it('name subjects of known kinds', () => {
    const { object, errors } = refine(clusterRoleBindingDefinition, { metadata, roleRef, subjects: [{ kind: 'User', name: 'u' }] });
    assert.deepEqual(errors, []);
    assert.deepEqual(object['subjects'], [{ kind: 'User', name: 'u', apiGroup: 'rbac.authorization.k8s.io' }]);
    assert.deepEqual(errorsOf(clusterRoleBindingDefinition, { roleRef, subjects: [{ kind: 'ServiceAccount', name: 'u' }] }), [
      'subjects[0].namespace: Required value',
    ]);
    assert.deepEqual(errorsOf(clusterRoleBindingDefinition, { roleRef: { kind: 'Role', name: 'r' } }), [
      'roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"',
    ]);
  });
  it('keep the role of a binding', () => {
    const old = { roleRef: { ...roleRef, apiGroup: 'rbac.authorization.k8s.io' } };
    assert.deepEqual(errorsOf(roleBindingDefinition, { roleRef: { ...roleRef, name: 'other' } }, old), [
      'roleRef: Invalid value: {"kind":"ClusterRole","name":"other","apiGroup":"rbac.authorization.k8s.io"}: cannot change roleRef',
    ]);
  });
});

describe('reviews', () => {
  const resourceAttributes = { verb: 'get', resource: 'pods', namespace: 'default' };
  it('ask about one thing, on behalf of somebody', () => {
    assert.deepEqual(errorsOf(subjectAccessReviewDefinition, { spec: {} }), [
      'spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified',
      'spec.user: Invalid value: "": at least one of user or group must be specified',
    ]);
    assert.deepEqual(errorsOf(subjectAccessReviewDefinition, { spec: { user: 'u', resourceAttributes } }), []);
  });
  it('stay in their namespace when local', () => {
    const spec = { user: 'u', resourceAttributes: { ...resourceAttributes, namespace: 'other' } };
    assert.deepEqual(errorsOf(localSubjectAccessReviewDefinition, { spec }), [
      'spec.resourceAttributes.namespace: Invalid value: "other": must match metadata.namespace',
    ]);
  });
  it('ask for tokens of ten minutes at least, an hour by default', () => {
    assert.deepEqual(errorsOf(tokenRequestDefinition, { spec: { expirationSeconds: 60 } }), [
      'spec.expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes',
    ]);
    assert.deepEqual(refine(tokenRequestDefinition, { metadata, spec: {} }).object['spec'], { expirationSeconds: 3600 });
  });
});

describe('autoscalers', () => {
  const spec = { scaleTargetRef: { kind: 'Deployment', name: 'd', apiVersion: 'apps/v1' }, maxReplicas: 3 };
  it('hold 80 % of CPU unless told otherwise, at least one replica', () => {
    const { object } = refine(horizontalPodAutoscalerDefinition, { apiVersion: 'autoscaling/v2', metadata, spec });
    assert.deepEqual(object['spec'], {
      ...spec,
      minReplicas: 1,
      metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } }],
    });
  });
  it('have room between their bounds', () => {
    assert.deepEqual(errorsOf(horizontalPodAutoscalerDefinition, { spec: { ...spec, minReplicas: 5 } }), [
      'spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`',
    ]);
  });
  it('survive the way to v1 and back', () => {
    const resource = (name: string, averageUtilization: number) => ({
      type: 'Resource',
      resource: { name, target: { type: 'Utilization', averageUtilization } },
    });
    const object = {
      apiVersion: 'autoscaling/v2',
      metadata: { ...metadata, annotations: { keep: 'me' } },
      spec: { ...spec, metrics: [resource('memory', 70), resource('cpu', 50)], behavior: { scaleDown: { stabilizationWindowSeconds: 0 } } },
      status: { currentReplicas: 2, desiredReplicas: 2 },
    };
    const convert = (one: unknown, from: string, to: string) => horizontalPodAutoscalerDefinition.convert?.(one as never, from, to);
    const v1 = convert(object, 'v2', 'v1') as unknown as { spec: Record<string, unknown> };
    assert.equal(v1.spec['targetCPUUtilizationPercentage'], 50);
    assert.equal(v1.spec['metrics'], undefined);
    assert.deepEqual(convert(v1, 'v1', 'v2'), object);
  });
  it('show targets as kubectl does', () => {
    const metrics = [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } }];
    const currentMetrics = [{ type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 12 } } }];
    const shown = row(horizontalPodAutoscalerDefinition, { spec: { ...spec, metrics }, status: { currentMetrics } });
    assert.deepEqual([shown['Reference'], shown['Targets'], shown['MinPods']], ['Deployment/d', 'cpu: 12%/80%', '<unset>']);
  });
});

describe('custom resource definitions', () => {
  const version = { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } };
  const made = (spec: object = {}, name = 'widgets.example.com') => ({
    metadata: { name },
    spec: { group: 'example.com', scope: 'Namespaced', names: { plural: 'widgets', kind: 'Widget' }, versions: [version], ...spec },
  });
  it('fill in names and conversion', () => {
    const { object, errors } = refine(customResourceDefinitionDefinition, made());
    assert.deepEqual(errors, []);
    const { names, conversion } = object['spec'] as Record<string, unknown>;
    assert.deepEqual(names, { plural: 'widgets', kind: 'Widget', singular: 'widget', listKind: 'WidgetList' });
    assert.deepEqual(conversion, { strategy: 'None' });
  });
  const cases: [string, object, string][] = [
    ['a name that is not plural.group', made({}, 'x'), 'metadata.name: Invalid value: "x": must be spec.names.plural+"."+spec.group'],
    [
      'two storage versions',
      made({ versions: [version, { ...version, name: 'v2' }] }),
      'spec.versions: Invalid value: ["v1","v2"]: must have exactly one version marked as storage version',
    ],
    [
      'a version without schema',
      made({ versions: [{ ...version, schema: {} }] }),
      'spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required',
    ],
    [
      'a group that is no domain',
      made({ group: 'example' }, 'widgets.example'),
      'spec.group: Invalid value: "example": should be a domain with at least one dot',
    ],
  ];
  for (const [name, object, expected] of cases) {
    it(`are refused with ${name}`, () => assert.deepEqual(refine(customResourceDefinitionDefinition, object).errors, [expected]));
  }
  it('keep their scope', () => {
    const old = refine(customResourceDefinitionDefinition, made()).object as never;
    assert.deepEqual(refine(customResourceDefinitionDefinition, made({ scope: 'Cluster' }), { old }).errors, [
      'spec.scope: Invalid value: "Cluster": field is immutable',
    ]);
  });
});

describe('other kinds', () => {
  const cases: [string, unknown, object, string[]][] = [
    [
      'a lease of no time',
      leaseDefinition,
      { spec: { leaseDurationSeconds: 0 } },
      ['spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0'],
    ],
    [
      'a disruption budget with both bounds',
      podDisruptionBudgetDefinition,
      { spec: { minAvailable: 1, maxUnavailable: 1 } },
      ['spec: Invalid value: {"minAvailable":1,"maxUnavailable":1}: minAvailable and maxUnavailable cannot be both set'],
    ],
    [
      'a disruption budget of more than all',
      podDisruptionBudgetDefinition,
      { spec: { minAvailable: '150%' } },
      ['spec.minAvailable: Invalid value: "150%": must not be greater than 100%'],
    ],
    [
      'an ingress of nothing',
      ingressDefinition,
      { spec: {} },
      ['spec: Invalid value: []: either `defaultBackend` or `rules` must be specified'],
    ],
    [
      'an ingress with a relative path',
      ingressDefinition,
      {
        spec: {
          rules: [{ http: { paths: [{ path: 'x', pathType: 'Prefix', backend: { service: { name: 's', port: { number: 80 } } } }] } }],
        },
      },
      ['spec.rules[0].http.paths[0].path: Invalid value: "x": must be an absolute path'],
    ],
    [
      'a policy for nobody',
      networkPolicyDefinition,
      { spec: { ingress: [{ from: [{}] }] } },
      ['spec.ingress[0].from[0]: Required value: must specify a peer'],
    ],
    [
      'a claim of nothing',
      persistentVolumeClaimDefinition,
      { spec: {} },
      ['spec.accessModes: Required value: at least 1 access mode is required', 'spec.resources[storage]: Required value'],
    ],
    [
      'a policy that says nothing',
      validatingAdmissionPolicyDefinition,
      { spec: { matchConstraints: {} } },
      ['spec.validations: Required value: validations or auditAnnotations must contain at least one item'],
    ],
    [
      'a huge priority',
      priorityClassDefinition,
      { value: 2_000_000_000 },
      ['value: Forbidden: maximum allowed value of a user defined priority is 1000000000'],
    ],
    [
      'limits in the wrong order',
      limitRangeDefinition,
      { spec: { limits: [{ type: 'Pod', min: { cpu: '2' }, max: { cpu: '1' } }] } },
      ['spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1'],
    ],
  ];
  for (const [name, definition, body, expected] of cases)
    it(`refuse ${name}`, () => assert.deepEqual(errorsOf(definition, body), expected));

  it('record who asks for a certificate, whatever the request says', () => {
    const spec = { request: 'eA==', signerName: 'example.com/s', usages: ['client auth'], username: 'mallory' };
    const { object } = refine(certificateSigningRequestDefinition, { metadata, spec });
    assert.deepEqual(object['spec'], { ...spec, username: 'jane', groups: ['system:authenticated'] });
  });
  it('mark the default storage class in its name', () => {
    const annotations = { 'storageclass.kubernetes.io/is-default-class': 'true' };
    assert.equal(
      cells(storageClassDefinition.versions[0]?.columns, { metadata: { name: 's', annotations }, provisioner: 'p' })['Name'],
      's (default)',
    );
  });
});
