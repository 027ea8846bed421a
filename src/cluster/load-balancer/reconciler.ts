import { services, type Service } from '#apis/core/v1/service.ts';
import { objectKey } from '#apis/meta/object.ts';
import { done, type ControllerModule } from '#controller/controller.ts';

/** Its status tells where the platform's own gateway listens; the platform writes that. */
const gatewayKey = 'istio-system/istio-ingressgateway';

/** Service of type LoadBalancer → the address at which it is reached from this machine. */
export function loadBalancerController(address: string): ControllerModule<Service> {
  return {
    name: 'service-lb-controller',
    setup: () => ({
      name: 'service-lb-controller',
      resource: services,
      reconcile(service) {
        if (objectKey(service) === gatewayKey || service.metadata.deletionTimestamp !== undefined) return Promise.resolve(done);
        const { type, loadBalancerClass } = service.spec ?? {};
        if (loadBalancerClass !== undefined) return Promise.resolve(done);
        if (type === 'LoadBalancer') service.status = { ...service.status, loadBalancer: { ingress: [{ ip: address, ipMode: 'VIP' }] } };
        else if (service.status?.loadBalancer?.ingress !== undefined) service.status = { ...service.status, loadBalancer: {} };
        return Promise.resolve(done);
      },
    }),
  };
}
