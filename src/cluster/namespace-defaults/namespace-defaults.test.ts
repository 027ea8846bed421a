import { describe } from 'node:test';
import type { KubeObject } from '#apis/meta/object.ts';
import type { ControllerModule } from '#controller/controller.ts';
import { runTable } from '#controller/testing.ts';
import { namespaceDefaultsController } from '#cluster/namespace-defaults/reconciler.ts';

const namespace = (metadata: KubeObject['metadata'] = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: 'n', ...metadata },
});
const part = (kind: string, name: string, rest: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { namespace: 'n', name },
  ...rest,
});
const annotations = {
  'kubernetes.io/description':
    'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.',
};

describe('namespace defaults', () => {
  runTable(namespaceDefaultsController('PEM') as ControllerModule, [
    {
      name: 'gives a namespace its account and the authority',
      key: 'n',
      objects: [namespace()],
      creates: [
        { kind: 'ServiceAccount', metadata: { name: 'default', namespace: 'n' } },
        { kind: 'ConfigMap', metadata: { name: 'kube-root-ca.crt', namespace: 'n', annotations }, data: { 'ca.crt': 'PEM' } } as KubeObject,
      ],
    },
    { name: 'adds nothing to a namespace that is going', key: 'n', objects: [namespace({ deletionTimestamp: '2026-01-01T00:00:00Z' })] },
    {
      name: 'leaves what is right alone',
      key: 'n',
      objects: [namespace(), part('ServiceAccount', 'default'), part('ConfigMap', 'kube-root-ca.crt', { data: { 'ca.crt': 'PEM' } })],
    },
  ]);
});
