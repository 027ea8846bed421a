import { describe } from 'node:test';
import type { KubeObject } from '#apis/meta/object.ts';
import { requeue, type ControllerModule } from '#controller/controller.ts';
import { runTable } from '#controller/testing.ts';
import { resourceQuotaController } from '#cluster/resource-quota/reconciler.ts';

const quota = (spec: object, status?: object): KubeObject =>
  ({
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: { namespace: 'n', name: 'q' },
    spec,
    ...(status === undefined ? {} : { status }),
  }) as KubeObject;
const pod = (name: string, resources: object, more: { phase?: string; spec?: object; namespace?: string } = {}): KubeObject =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: more.namespace ?? 'n', name },
    spec: { containers: [{ name: 'c', resources }], ...more.spec },
    status: { phase: more.phase ?? 'Running' },
  }) as KubeObject;
const configMap = (name: string): KubeObject => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: 'n', name } }) as KubeObject;
const service = (name: string, spec: object): KubeObject =>
  ({ apiVersion: 'v1', kind: 'Service', metadata: { namespace: 'n', name }, spec }) as KubeObject;
const soon = requeue(1000);

describe('resource quota controller', () => {
  runTable(resourceQuotaController as ControllerModule, [
    {
      name: 'counts what pods ask for, without those that have ended or are elsewhere',
      objects: [
        quota({ hard: { pods: '10', 'requests.cpu': '4', cpu: '4', 'limits.memory': '2Gi', 'count/pods': '20' } }),
        pod('a', { requests: { cpu: '500m' }, limits: { memory: '1Gi' } }),
        pod('b', { requests: { cpu: '250m' } }, { spec: { initContainers: [{ name: 'i', resources: { requests: { cpu: '1' } } }] } }),
        pod('c', { requests: { cpu: '2' } }, { phase: 'Succeeded' }),
        pod('d', { requests: { cpu: '2' } }, { namespace: 'other' }),
      ],
      key: 'n/q',
      status: {
        hard: { 'count/pods': '20', cpu: '4', 'limits.memory': '2Gi', pods: '10', 'requests.cpu': '4' },
        used: { 'count/pods': '3', cpu: '1500m', 'limits.memory': '1Gi', pods: '2', 'requests.cpu': '1500m' },
      },
      outcome: soon,
    },
    {
      name: 'counts services by kind, and other objects by number',
      objects: [
        quota({
          hard: {
            services: '5',
            'services.nodeports': '5',
            'services.loadbalancers': '1',
            configmaps: '5',
            'count/configmaps': '5',
            'count/deployments.apps': '1',
          },
        }),
        service('a', { type: 'NodePort', ports: [{ port: 1 }, { port: 2 }] }),
        service('b', { type: 'LoadBalancer', ports: [{ port: 1 }] }),
        service('c', { type: 'ClusterIP', ports: [{ port: 1 }] }),
        configMap('a'),
        configMap('b'),
      ],
      key: 'n/q',
      status: {
        hard: {
          configmaps: '5',
          'count/configmaps': '5',
          'count/deployments.apps': '1',
          services: '5',
          'services.loadbalancers': '1',
          'services.nodeports': '5',
        },
        used: {
          configmaps: '2',
          'count/configmaps': '2',
          'count/deployments.apps': '0',
          services: '3',
          'services.loadbalancers': '1',
          'services.nodeports': '3',
        },
      },
      outcome: soon,
    },
    {
      name: 'a quota of scopes counts the pods in them and nothing else',
      objects: [
        quota({ hard: { pods: '5', configmaps: '5' }, scopes: ['BestEffort', 'NotTerminating'] }),
        pod('a', {}),
        pod('b', { requests: { cpu: '1' } }),
        pod('c', {}, { spec: { activeDeadlineSeconds: 5 } }),
        configMap('a'),
      ],
      key: 'n/q',
      status: { hard: { configmaps: '5', pods: '5' }, used: { configmaps: '0', pods: '1' } },
      outcome: soon,
    },
    {
      name: 'a quota for a priority class counts its pods',
      objects: [
        quota({
          hard: { pods: '5' },
          scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator: 'In', values: ['high'] }] },
        }),
        pod('a', {}, { spec: { priorityClassName: 'high' } }),
        pod('b', {}),
      ],
      key: 'n/q',
      status: { hard: { pods: '5' }, used: { pods: '1' } },
      outcome: soon,
    },
    {
      name: 'what has not changed is looked at again in five minutes',
      objects: [quota({ hard: { pods: '5' } }, { hard: { pods: '5' }, used: { pods: '1' } }), pod('a', {})],
      key: 'n/q',
      outcome: requeue(300_000),
    },
  ]);
});
