import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { podColumns } from '#apis/core/v1/pod-columns.ts';
import { defaultPullPolicy } from '#apis/core/v1/pod-defaults.ts';
import { podDefinition, type Pod } from '#apis/core/v1/pod.ts';
import { cells, refine } from '#apis/meta/test-kit.ts';

const container = (extra: object = {}) => ({ name: 'app', image: 'app:1', ...extra });
const pod = (spec: object = {}) => ({ metadata: { name: 'a', namespace: 'default' }, spec: { containers: [container()], ...spec } });
const errorsOf = (spec: object) => refine(podDefinition, pod(spec)).errors;

describe('pod defaults', () => {
  it('are those of kube-apiserver', () => {
    const { object, errors } = refine(podDefinition, pod());
    assert.deepEqual(errors, []);
    assert.deepEqual(object['spec'], {
      containers: [
        {
          name: 'app',
          image: 'app:1',
          resources: {},
          terminationMessagePath: '/dev/termination-log',
          terminationMessagePolicy: 'File',
          imagePullPolicy: 'IfNotPresent',
        },
      ],
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
      dnsPolicy: 'ClusterFirst',
      securityContext: {},
      schedulerName: 'default-scheduler',
      enableServiceLinks: true,
      serviceAccountName: 'default',
      serviceAccount: 'default',
      priority: 0,
      preemptionPolicy: 'PreemptLowerPriority',
      tolerations: ['not-ready', 'unreachable'].map((taint) => ({
        key: `node.kubernetes.io/${taint}`,
        operator: 'Exists',
        effect: 'NoExecute',
        tolerationSeconds: 300,
      })),
    });
    assert.deepEqual(object['status'], { phase: 'Pending', qosClass: 'BestEffort' });
  });

  it('keep an explicit zero grace period and take zeros of probes for absent', () => {
    const probe = { tcpSocket: { port: 80 }, periodSeconds: 0 };
    const { object } = refine(podDefinition, pod({ terminationGracePeriodSeconds: 0, containers: [container({ livenessProbe: probe })] }));
    const { spec } = object as unknown as Pod;
    assert.equal(spec.terminationGracePeriodSeconds, 0);
    assert.deepEqual(spec.containers[0]?.livenessProbe, {
      tcpSocket: { port: 80 },
      periodSeconds: 10,
      timeoutSeconds: 1,
      successThreshold: 1,
      failureThreshold: 3,
    });
  });

  it('take an empty string for an absent value', () => {
    const { object, errors } = refine(podDefinition, pod({ dnsPolicy: '', containers: [container({ imagePullPolicy: '' })] }));
    const { spec } = object as unknown as Pod;
    assert.deepEqual(errors, []);
    assert.equal(spec.dnsPolicy, 'ClusterFirst');
    assert.equal(spec.containers[0]?.imagePullPolicy, 'IfNotPresent');
  });

  it('let requests follow limits, which decides the quality of service', () => {
    const resources = { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '1000m' } };
    const { object } = refine(podDefinition, pod({ containers: [container({ resources })] }));
    assert.deepEqual((object as unknown as Pod).spec.containers[0]?.resources?.requests, { cpu: '1000m', memory: '1Gi' });
    assert.equal((object as unknown as Pod).status?.qosClass, 'Guaranteed');
  });

  it('leave an incomplete pod to validation', () => {
    assert.doesNotThrow(() => refine({ ...podDefinition, validate: () => [] }, { metadata: { name: 'a' } }));
  });

  const policies: [string, string][] = [
    ['nginx', 'Always'],
    ['nginx:latest', 'Always'],
    ['nginx:1.27', 'IfNotPresent'],
    ['host:5000/nginx', 'Always'],
    ['host:5000/nginx:1', 'IfNotPresent'],
    ['nginx@sha256:abc', 'IfNotPresent'],
  ];
  for (const [image, policy] of policies) {
    it(`pull ${image} ${policy}`, () => assert.equal(defaultPullPolicy(image), policy));
  }
});

describe('pod validation', () => {
  const cases: [string, object, string[]][] = [
    ['an empty image', { containers: [container({ image: '' })] }, ['spec.containers[0].image: Required value']],
    ['two containers of a name', { containers: [container(), container()] }, ['spec.containers[1].name: Duplicate value: "app"']],
    ['no containers', { containers: [] }, ['spec.containers: Required value']],
    [
      'a mount of an unknown volume',
      { containers: [container({ volumeMounts: [{ name: 'x', mountPath: '/x' }] })] },
      ['spec.containers[0].volumeMounts[0].name: Not found: "x"'],
    ],
    [
      'a port out of range',
      { containers: [container({ ports: [{ containerPort: 70000 }] })] },
      ['spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive'],
    ],
    [
      'a probe without handler',
      { containers: [container({ livenessProbe: {} })] },
      ['spec.containers[0].livenessProbe: Required value: must specify a handler type'],
    ],
    [
      'a liveness probe that must succeed twice',
      { containers: [container({ livenessProbe: { exec: { command: ['true'] }, successThreshold: 2 } })] },
      ['spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1'],
    ],
    [
      'requests above limits',
      { containers: [container({ resources: { limits: { cpu: '100m' }, requests: { cpu: '1' } } })] },
      ['spec.containers[0].resources.requests: Invalid value: "1": must be less than or equal to cpu limit of 100m'],
    ],
    [
      'an unknown resource',
      { containers: [container({ resources: { limits: { gpu: '1' } } })] },
      [
        'spec.containers[0].resources.limits[gpu]: Invalid value: "gpu": must be a standard resource type or fully qualified',
        'spec.containers[0].resources.limits[gpu]: Invalid value: "gpu": must be a standard resource for containers',
        'spec.containers[0].resources.requests[gpu]: Invalid value: "gpu": must be a standard resource type or fully qualified',
        'spec.containers[0].resources.requests[gpu]: Invalid value: "gpu": must be a standard resource for containers',
      ],
    ],
    [
      'a value together with its source',
      { containers: [container({ env: [{ name: 'A', value: 'x', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }] })] },
      ['spec.containers[0].env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty'],
    ],
    [
      'a field the downward API does not have',
      { containers: [container({ env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'status.phase' } } }] })] },
      [
        'spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Invalid value: "status.phase": error converting fieldPath: field label not supported: status.phase',
      ],
    ],
    [
      'two volume sources',
      { volumes: [{ name: 'v', emptyDir: {}, hostPath: { path: '/x' } }] },
      ['spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type'],
    ],
    [
      'a toleration without key',
      { tolerations: [{ operator: 'Equal', value: 'x' }] },
      [
        'spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, which means "match all values and all keys"',
      ],
    ],
    [
      'probes of an init container',
      { initContainers: [container({ name: 'i', readinessProbe: { tcpSocket: { port: 1 } } })] },
      ['spec.initContainers[0].readinessProbe: Forbidden: may not be set for init containers without restartPolicy=Always'],
    ],
    [
      'ephemeral containers',
      { ephemeralContainers: [container({ name: 'e' })] },
      ['spec.ephemeralContainers: Forbidden: cannot be set on create'],
    ],
    [
      'no DNS with the policy None',
      { dnsPolicy: 'None' },
      ['spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None'],
    ],
    [
      'a deadline of nothing',
      { activeDeadlineSeconds: 0 },
      ['spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive'],
    ],
    [
      'a user id below zero',
      { securityContext: { runAsUser: -1 } },
      ['spec.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive'],
    ],
  ];
  for (const [name, spec, expected] of cases) it(`refuses ${name}`, () => assert.deepEqual(errorsOf(spec), expected));

  it('accepts a sidecar with probes and a volume of every checked kind', () => {
    assert.deepEqual(
      errorsOf({
        initContainers: [container({ name: 'side', restartPolicy: 'Always', startupProbe: { grpc: { port: 9000 } } })],
        volumes: [
          { name: 'a' },
          { name: 'b', configMap: { name: 'c', items: [{ key: 'k', path: 'p/q' }] } },
          { name: 'd', secret: { secretName: 's', defaultMode: 0o400 } },
          {
            name: 'e',
            projected: {
              sources: [
                { serviceAccountToken: { path: 'token' } },
                { downwardAPI: { items: [{ path: 'l', fieldRef: { fieldPath: 'metadata.labels' } }] } },
              ],
            },
          },
          { name: 'f', persistentVolumeClaim: { claimName: 'x' } },
        ],
      }),
      [],
    );
  });
});

describe('pod updates', () => {
  const old = refine(podDefinition, pod({ activeDeadlineSeconds: 100 })).object as unknown as Pod;
  const update = (change: (spec: Pod['spec']) => void, subresource = '') => {
    const next = structuredClone(old);
    change(next.spec);
    return refine(podDefinition, next, { old, subresource }).errors;
  };

  it('may change images, shorten the deadline and add tolerations', () => {
    const errors = update((spec) => {
      spec.containers[0] = { ...container({ image: 'app:2' }), ...old.spec.containers[0], image: 'app:2' };
      spec.activeDeadlineSeconds = 50;
      spec.tolerations?.push({ key: 'x', operator: 'Exists' });
    });
    assert.deepEqual(errors, []);
  });

  it('may not change anything else', () => {
    const [error, ...rest] = update((spec) => Object.assign(spec, { hostname: 'other' }));
    assert.deepEqual(rest, []);
    assert.equal(
      error,
      'spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n  spec.hostname',
    );
  });

  it('may not take tolerations away or lengthen the deadline', () => {
    const errors = update((spec) => Object.assign(spec, { tolerations: [], activeDeadlineSeconds: 200 }));
    assert.deepEqual(errors, [
      'spec.activeDeadlineSeconds: Invalid value: 200: must be less than or equal to previous value',
      'spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds',
    ]);
  });

  it('let the binding set the node', () => {
    assert.deepEqual(
      update((spec) => Object.assign(spec, { nodeName: 'n1' }), 'binding'),
      [],
    );
  });

  it('are not looked at when only the status changes', () => {
    assert.deepEqual(
      update((spec) => Object.assign(spec, { containers: [] }), 'status'),
      [],
    );
  });
});

describe('pod columns', () => {
  const status = (name: string, state: object, extra: object = {}) => ({
    name,
    image: '',
    imageID: '',
    ready: false,
    restartCount: 0,
    state,
    ...extra,
  });
  const row = (spec: object, podStatus: object, metadata: object = {}) =>
    cells(podColumns, {
      metadata: { name: 'a', creationTimestamp: '2026-01-02T02:59:05Z', ...metadata },
      spec: { containers: [{ name: 'app' }], ...spec },
      status: podStatus,
    });
  const running = status('app', { running: {} }, { ready: true });

  const cases: [string, object, object, object, [string, string, string]][] = [
    ['a new pod', {}, { phase: 'Pending' }, {}, ['0/1', 'Pending', '0']],
    ['a running pod', {}, { phase: 'Running', containerStatuses: [running] }, {}, ['1/1', 'Running', '0']],
    [
      'a crash loop',
      {},
      {
        phase: 'Running',
        containerStatuses: [
          status(
            'app',
            { waiting: { reason: 'CrashLoopBackOff' } },
            { restartCount: 3, lastState: { terminated: { exitCode: 1, finishedAt: '2026-01-02T03:03:05Z' } } },
          ),
        ],
      },
      {},
      ['0/1', 'CrashLoopBackOff', '3 (60s ago)'],
    ],
    [
      'an exit code',
      {},
      { phase: 'Failed', containerStatuses: [status('app', { terminated: { exitCode: 2 } })] },
      {},
      ['0/1', 'ExitCode:2', '0'],
    ],
    [
      'a signal',
      {},
      { phase: 'Failed', containerStatuses: [status('app', { terminated: { exitCode: 137, signal: 9 } })] },
      {},
      ['0/1', 'Signal:9', '0'],
    ],
    [
      'a finished pod',
      {},
      { phase: 'Succeeded', containerStatuses: [status('app', { terminated: { exitCode: 0, reason: 'Completed' } })] },
      {},
      ['0/1', 'Completed', '0'],
    ],
    [
      'an unfinished init container',
      { initContainers: [{ name: 'i' }, { name: 'j' }] },
      { phase: 'Pending', initContainerStatuses: [status('i', { terminated: { exitCode: 0 } }), status('j', { running: {} })] },
      {},
      ['0/1', 'Init:1/2', '0'],
    ],
    [
      'a failed init container',
      { initContainers: [{ name: 'i' }] },
      { phase: 'Pending', initContainerStatuses: [status('i', { terminated: { exitCode: 1, reason: 'Error' } }, { restartCount: 2 })] },
      {},
      ['0/1', 'Init:Error', '2'],
    ],
    [
      'a sidecar',
      { initContainers: [{ name: 's', restartPolicy: 'Always' }] },
      {
        phase: 'Running',
        initContainerStatuses: [status('s', { running: {} }, { started: true, ready: true, restartCount: 1 })],
        containerStatuses: [running],
      },
      {},
      ['2/2', 'Running', '1'],
    ],
    [
      'a pod being deleted',
      {},
      { phase: 'Running', containerStatuses: [running] },
      { deletionTimestamp: '2026-01-02T03:04:00Z' },
      ['1/1', 'Terminating', '0'],
    ],
    ['an evicted pod', {}, { phase: 'Failed', reason: 'Evicted' }, { deletionTimestamp: '2026-01-02T03:04:00Z' }, ['0/1', 'Evicted', '0']],
    [
      'a gated pod',
      { schedulingGates: [{ name: 'g' }] },
      { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }] },
      {},
      ['0/1', 'SchedulingGated', '0'],
    ],
  ];
  for (const [name, spec, podStatus, metadata, expected] of cases) {
    it(`show ${name} as kubectl does`, () => {
      const { Ready, Status, Restarts, Age } = row(spec, podStatus, metadata);
      assert.deepEqual([Ready, Status, Restarts], expected);
      assert.equal(Age, '5m');
    });
  }

  it('show addresses and gates when wide', () => {
    const shown = row(
      { nodeName: 'n1', readinessGates: [{ conditionType: 'x' }] },
      { podIP: '10.0.0.1', conditions: [{ type: 'x', status: 'True' }] },
    );
    assert.deepEqual([shown['IP'], shown['Node'], shown['Nominated Node'], shown['Readiness Gates']], ['10.0.0.1', 'n1', '<none>', '1/1']);
  });
});
