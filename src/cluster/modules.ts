import type { ControllerModule } from '#controller/controller.ts';
import { certificateSigningController, type CertificateSigner } from '#cluster/certificate-signing/reconciler.ts';
import { cronJobController } from '#cluster/cron-job/reconciler.ts';
import { daemonSetController } from '#cluster/daemon-set/reconciler.ts';
import { deploymentController } from '#cluster/deployment/reconciler.ts';
import { disruptionController } from '#cluster/disruption/reconciler.ts';
import { garbageCollector } from '#cluster/garbage-collector/module.ts';
import { namespaceController } from '#cluster/namespace/reconciler.ts';
import { endpointSliceController } from '#cluster/endpoint-slice/reconciler.ts';
import { nodeLifecycleController } from '#cluster/node-lifecycle/reconciler.ts';
import { claimProtector } from '#cluster/persistent-volume/claim-protection.ts';
import { claimBinder } from '#cluster/persistent-volume/claims.ts';
import { ephemeralVolumeController } from '#cluster/persistent-volume/ephemeral.ts';
import { volumeKeeper } from '#cluster/persistent-volume/volumes.ts';
import { podGarbageCollector } from '#cluster/pod-gc/pod-gc.ts';
import { replicaSetController } from '#cluster/replica-set/reconciler.ts';
import { resourceQuotaController } from '#cluster/resource-quota/reconciler.ts';
import { schedulerController } from '#cluster/scheduler/scheduler.ts';
import { horizontalPodAutoscalerController } from '#cluster/horizontal-pod-autoscaler/reconciler.ts';
import { statefulSetController } from '#cluster/stateful-set/reconciler.ts';
import { jobController } from '#cluster/job/reconciler.ts';
import { loadBalancerController } from '#cluster/load-balancer/reconciler.ts';
import { namespaceDefaultsController } from '#cluster/namespace-defaults/reconciler.ts';

export interface ClusterOptions {
  /** Signs certificates that have been asked for and approved; absent: nobody does. */
  readonly signer?: CertificateSigner;
  /** PEM of the authority that signed the API server's certificate; pods verify the server with it. */
  readonly authority?: string;
}

/** What a Kubernetes cluster brings along, for the embedded mode; the front door of this part. */
export function clusterControllers({ authority, signer }: ClusterOptions = {}): readonly ControllerModule[] {
  return [
    schedulerController,
    deploymentController,
    replicaSetController,
    statefulSetController,
    daemonSetController,
    endpointSliceController,
    garbageCollector,
    namespaceController,
    ...(authority === undefined ? [] : [namespaceDefaultsController(authority)]),
    ...(signer === undefined ? [] : [certificateSigningController(signer)]),
    loadBalancerController,
    jobController,
    cronJobController,
    horizontalPodAutoscalerController,
    disruptionController,
    resourceQuotaController,
    nodeLifecycleController,
    podGarbageCollector,
    claimBinder,
    volumeKeeper,
    claimProtector,
    ephemeralVolumeController,
  ] as readonly ControllerModule[];
}
