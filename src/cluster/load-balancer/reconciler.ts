import { services, type Service } from '#apis/core/v1/service.ts';
import { gatewayService } from '#apis/dormouse/names.ts';
import { objectKey } from '#apis/meta/object.ts';
import { done, type ControllerModule } from '#controller/controller.ts';

/**
 * Service of type LoadBalancer → a loopback address of its own, at which the node's service proxy answers to this machine: 127 and the rest
 * of its ClusterIP. The gateway's own Service is left alone: the platform writes where the gateway listens.
 */
export const loadBalancerController: ControllerModule<Service> = {
  name: 'service-lb-controller',
  setup: () => ({
    resource: services,
    reconcile(service) {
      if (objectKey(service) === gatewayService || service.metadata.deletionTimestamp !== undefined) return Promise.resolve(done);
      const { type, loadBalancerClass, clusterIP = '' } = service.spec ?? {};
      if (loadBalancerClass !== undefined) return Promise.resolve(done);
      const ip = clusterIP.replace(/^\d+(?=(?:\.\d+){3}$)/, '127');
      if (type === 'LoadBalancer' && ip.startsWith('127.')) {
        service.status = { ...service.status, loadBalancer: { ingress: [{ ip, ipMode: 'VIP' }] } };
      } else if (type !== 'LoadBalancer' && service.status?.loadBalancer?.ingress !== undefined)
        service.status = { ...service.status, loadBalancer: {} };
      return Promise.resolve(done);
    },
  }),
};
