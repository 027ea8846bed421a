import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { controllerRevisionDefinition } from '#apis/apps/v1/controller-revision.ts';
import { daemonSetDefinition } from '#apis/apps/v1/daemon-set.ts';
import { deploymentDefinition } from '#apis/apps/v1/deployment.ts';
import { replicaSetDefinition } from '#apis/apps/v1/replica-set.ts';
import { statefulSetDefinition } from '#apis/apps/v1/stateful-set.ts';
import { cells, refine } from '#apis/meta/test-kit.ts';

const template = { metadata: { labels: { app: 'x' } }, spec: { containers: [{ name: 'c', image: 'i:1' }] } };
const workload = (spec: object = {}) => ({
  metadata: { name: 'w', namespace: 'default', creationTimestamp: '2026-01-02T03:04:00Z' },
  spec: { selector: { matchLabels: { app: 'x' } }, template, ...spec },
});

describe('workload defaults', () => {
  it('give a deployment a rolling update of a quarter', () => {
    const { object, errors } = refine(deploymentDefinition, workload());
    const { template: filled, ...spec } = object['spec'] as { template: { spec: { restartPolicy: string } } };
    assert.deepEqual(errors, []);
    assert.equal(filled.spec.restartPolicy, 'Always');
    assert.deepEqual(spec, {
      replicas: 1,
      selector: { matchLabels: { app: 'x' } },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '25%', maxSurge: '25%' } },
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
    });
  });

  it('keep what is given, and give Recreate no rolling update', () => {
    const { object } = refine(deploymentDefinition, workload({ replicas: 0, strategy: { type: 'Recreate' } }));
    const { replicas, strategy } = object['spec'] as { replicas: number; strategy: object };
    assert.equal(replicas, 0);
    assert.deepEqual(strategy, { type: 'Recreate' });
  });

  it('give daemon sets and stateful sets their update strategies', () => {
    const daemon = refine(daemonSetDefinition, workload()).object['spec'] as { updateStrategy: object };
    const stateful = refine(statefulSetDefinition, workload()).object['spec'] as Record<string, unknown>;
    assert.deepEqual(daemon.updateStrategy, { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } });
    assert.deepEqual(stateful['updateStrategy'], { type: 'RollingUpdate', rollingUpdate: { partition: 0 } });
    assert.deepEqual(stateful['persistentVolumeClaimRetentionPolicy'], { whenDeleted: 'Retain', whenScaled: 'Retain' });
    assert.equal(stateful['podManagementPolicy'], 'OrderedReady');
  });
});

describe('workload validation', () => {
  const cases: [string, object, string[]][] = [
    [
      'labels the selector does not match',
      { selector: { matchLabels: { app: 'y' } } },
      ['spec.template.metadata.labels: Invalid value: {"app":"x"}: `selector` does not match template `labels`'],
    ],
    ['an empty selector', { selector: {} }, ['spec.selector: Invalid value: {}: empty selector is invalid for deployment']],
    ['negative replicas', { replicas: -1 }, ['spec.replicas: Invalid value: -1: must be greater than or equal to 0']],
    [
      'a selector operator that is none',
      { selector: { matchExpressions: [{ key: 'app', operator: 'Is', values: ['x'] }] } },
      ['spec.selector.matchExpressions[0].operator: Invalid value: "Is": not a valid selector operator'],
    ],
    [
      'pods that do not restart',
      { template: { ...template, spec: { ...template.spec, restartPolicy: 'Never' } } },
      ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
    ],
    [
      'a rolling update under Recreate',
      { strategy: { type: 'Recreate', rollingUpdate: {} } },
      ["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"],
    ],
    [
      'an update that cannot move',
      { strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: '0%' } } },
      ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0'],
    ],
    [
      'a deadline before pods can be ready',
      { minReadySeconds: 10, progressDeadlineSeconds: 10 },
      ['spec.progressDeadlineSeconds: Invalid value: 10: must be greater than minReadySeconds'],
    ],
    [
      'a percentage that is none',
      { strategy: { rollingUpdate: { maxSurge: '1/4' } } },
      [
        "spec.strategy.rollingUpdate.maxSurge: Invalid value: \"1/4\": a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
      ],
    ],
  ];
  for (const [name, spec, expected] of cases) {
    it(`refuses ${name}`, () => assert.deepEqual(refine(deploymentDefinition, workload(spec)).errors, expected));
  }

  for (const definition of [deploymentDefinition, replicaSetDefinition, daemonSetDefinition]) {
    it(`keeps the selector of a ${definition.kind}`, () => {
      const old = refine(definition as typeof deploymentDefinition, workload()).object as never;
      const changed = workload({ selector: { matchExpressions: [{ key: 'app', operator: 'Exists' }] } });
      assert.deepEqual(refine(definition as typeof deploymentDefinition, changed, { old }).errors, [
        'spec.selector: Invalid value: {"matchExpressions":[{"key":"app","operator":"Exists"}]}: field is immutable',
      ]);
    });
  }

  it('keeps all but a few fields of a stateful set', () => {
    const old = refine(statefulSetDefinition, workload()).object as never;
    assert.deepEqual(refine(statefulSetDefinition, workload({ replicas: 3 }), { old }).errors, []);
    assert.match(
      refine(statefulSetDefinition, workload({ serviceName: 'x' }), { old }).errors[0] ?? '',
      /^spec: Forbidden: updates to statefulset spec/,
    );
  });
});

describe('workload scale', () => {
  for (const { kind, scale } of [deploymentDefinition, replicaSetDefinition, statefulSetDefinition]) {
    it(`of a ${kind} has its selector`, () => assert.equal(scale?.labelSelectorPath, '.spec.selector'));
  }
});

describe('workload columns', () => {
  it('of a deployment', () => {
    const object = { ...workload({ replicas: 3 }), status: { readyReplicas: 1, updatedReplicas: 2, availableReplicas: 1 } };
    assert.deepEqual(cells(deploymentDefinition.versions[0]?.columns, object), {
      Ready: '1/3',
      'Up-to-date': 2,
      Available: 1,
      Age: '5s',
      Containers: 'c',
      Images: 'i:1',
      Selector: 'app=x',
    });
  });
  it('of a replica set', () => {
    const object = { ...workload({ replicas: 3 }), status: { replicas: 2 } };
    const { Desired, Current, Ready } = cells(replicaSetDefinition.versions[0]?.columns, object);
    assert.deepEqual([Desired, Current, Ready], [3, 2, 0]);
  });
  it('of a controller revision', () => {
    const owner = { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'web', uid: 'u', controller: true };
    const object = { metadata: { ownerReferences: [owner] }, revision: 4 };
    const { Controller, Revision } = cells(controllerRevisionDefinition.versions[0]?.columns, object);
    assert.deepEqual([Controller, Revision], ['statefulset.apps/web', 4]);
  });
});
