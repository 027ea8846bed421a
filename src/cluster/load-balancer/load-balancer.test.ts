import { describe } from 'node:test';
import type { KubeObject } from '#apis/meta/object.ts';
import type { ControllerModule } from '#controller/controller.ts';
import { runTable } from '#controller/testing.ts';
import { loadBalancerController } from '#cluster/load-balancer/reconciler.ts';

const service = (type: string, status: object = {}, namespace = 'n', name = 's'): KubeObject =>
  ({ apiVersion: 'v1', kind: 'Service', metadata: { namespace, name }, spec: { type, clusterIP: '10.96.3.9' }, status }) as KubeObject;
const balanced = { loadBalancer: { ingress: [{ ip: '127.96.3.9', ipMode: 'VIP' }] } };

describe('load balancer', () => {
  runTable(loadBalancerController as ControllerModule, [
    { name: 'gives the address', key: 'n/s', objects: [service('LoadBalancer')], status: balanced },
    { name: 'takes it back', key: 'n/s', objects: [service('ClusterIP', balanced)], status: { loadBalancer: {} } },
    { name: 'ignores others', key: 'n/s', objects: [service('ClusterIP', { loadBalancer: {} })] },
    {
      name: 'leaves the gateway to the platform',
      key: 'istio-system/istio-ingressgateway',
      objects: [service('LoadBalancer', {}, 'istio-system', 'istio-ingressgateway')],
    },
  ]);
});
