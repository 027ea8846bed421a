import type { ControllerModule } from '#controller/controller.ts';
import { deploymentController } from '#cluster/deployment/reconciler.ts';
import { garbageCollector } from '#cluster/garbage-collector/module.ts';
import { namespaceController } from '#cluster/namespace/reconciler.ts';
import { endpointSliceController } from '#cluster/endpoint-slice/reconciler.ts';
import { replicaSetController } from '#cluster/replica-set/reconciler.ts';
import { schedulerController } from '#cluster/scheduler/scheduler.ts';

/** What a Kubernetes cluster brings along, for the embedded mode; the front door of this part. */
export function clusterControllers(): readonly ControllerModule[] {
  return [
    schedulerController,
    deploymentController,
    replicaSetController,
    endpointSliceController,
    garbageCollector,
    namespaceController,
  ] as readonly ControllerModule[];
}
