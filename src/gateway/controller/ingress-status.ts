import type { Ingress, LoadBalancerStatus } from '#apis/networking/v1alpha1/ingress.ts';
import { ConditionSet, timestamp } from '#controller/conditions.ts';
import { done, type ControllerModule, type Enqueue } from '#controller/controller.ts';
import { ingresses } from '#gateway/controller/kinds.ts';
import type { RouteSync } from '#gateway/controller/route-sync.ts';

const conditions = new ConditionSet(['LoadBalancerReady', 'NetworkConfigured']);

export interface LoadBalancers {
  readonly public: LoadBalancerStatus;
  readonly private: LoadBalancerStatus;
}

/**
 * Reports in an Ingress' status what is in effect: Ready as soon as requests are routed by its current spec (not before), or what
 * it still waits for. `enqueued` hands out the queue, for the moment an Ingress has been put into effect.
 */
export function ingressStatusModule(
  sync: RouteSync,
  loadBalancers: LoadBalancers,
  owns: (ingress: Ingress) => boolean,
  enqueued: (enqueue: Enqueue) => void,
): ControllerModule<Ingress> {
  return {
    name: 'gateway-ingress-status',
    setup: (context, enqueue) => {
      enqueued(enqueue);
      return {
        resource: ingresses,
        reconcile(ingress) {
          if (!owns(ingress) || ingress.metadata.deletionTimestamp !== undefined) return Promise.resolve(done);
          const status = (ingress.status ??= {});
          const manager = conditions.manage(status, timestamp(context.clock));
          manager.initialize();
          const { inEffect, missing } = sync.stateOf(ingress);
          if (inEffect) {
            manager.markTrue('NetworkConfigured');
            manager.markTrue('LoadBalancerReady');
            status.publicLoadBalancer = loadBalancers.public;
            status.privateLoadBalancer = loadBalancers.private;
            if (ingress.metadata.generation !== undefined) status.observedGeneration = ingress.metadata.generation;
          } else if (missing !== '') {
            manager.markUnknown('NetworkConfigured', 'Uninitialized', `Waiting for ${missing}`);
            manager.markUnknown('LoadBalancerReady', 'Uninitialized', 'Waiting for load balancer to be ready');
          }
          return Promise.resolve(done);
        },
      };
    },
  };
}
