import { autoscalerControllers } from '#autoscaler/module.ts';
import type { Client } from '#client/client.ts';
import { servingControllers } from '#serving/modules.ts';
import type { ControllerGroup } from '#platform/controller-group.ts';
import { imageResolver } from '#platform/knative/image-resolver.ts';

/** Knative's controllers and its autoscaler. They know nothing but the API: it makes no difference in which process they run. */
export function knativeControllers(clientOf: (component: 'autoscaler' | 'controller') => Client): readonly ControllerGroup[] {
  const client = clientOf('controller');
  return [
    { component: 'autoscaler', client: clientOf('autoscaler'), modules: autoscalerControllers },
    { component: 'controller', client, modules: servingControllers(imageResolver(client)) },
  ];
}
