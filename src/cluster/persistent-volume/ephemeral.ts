import { persistentVolumeClaims, type PersistentVolumeClaim } from '#apis/core/v1/persistent-volume-claim.ts';
import { pods, type Pod } from '#apis/core/v1/pod.ts';
import type { Volume } from '#apis/core/v1/volume.ts';
import { isReason } from '#apis/meta/status.ts';
import { done, PermanentError, type ControllerModule } from '#controller/controller.ts';
import { controllerReference, isControlledBy } from '#controller/owner.ts';
import { isFinished } from '#apis/core/v1/pod-state.ts';

/** A pod's ephemeral volumes → claims of the pod's own, which end with it. */
export const ephemeralVolumeController: ControllerModule<Pod> = {
  name: 'ephemeral-volume-controller',
  setup(context) {
    const claims = context.informers.of(persistentVolumeClaims);
    return {
      resource: pods,
      skipsTerminating: true,
      async reconcile(pod) {
        if (isFinished(pod)) return done;
        for (const volume of (pod.spec?.volumes ?? []).filter(({ ephemeral }) => ephemeral !== undefined)) {
          const claim = claimOf(pod, volume);
          const found = claims.get(pod.metadata.namespace, claim.metadata.name ?? '');
          if (found !== undefined && !isControlledBy(found, pod)) {
            const text = `PVC ${pod.metadata.namespace}/${claim.metadata.name} was not created for pod ${pod.metadata.namespace}/${pod.metadata.name} (pod is not owner)`;
            context.events.event(pod, 'Warning', 'EphemeralVolumeFailed', text);
            throw new PermanentError(text);
          }
          if (found !== undefined) continue;
          await context.client.of(persistentVolumeClaims).create(claim).catch(ignoreExisting);
        }
        return done;
      },
    };
  },
};

function claimOf(pod: Pod, { name, ephemeral }: Volume): PersistentVolumeClaim {
  const template = ephemeral?.volumeClaimTemplate;
  return {
    metadata: {
      name: `${pod.metadata.name}-${name}`,
      namespace: pod.metadata.namespace,
      ...(template?.metadata?.labels === undefined ? {} : { labels: template.metadata.labels }),
      ...(template?.metadata?.annotations === undefined ? {} : { annotations: template.metadata.annotations }),
      ownerReferences: [controllerReference(pod, pods)],
    },
    spec: template?.spec,
  } as PersistentVolumeClaim;
}

function ignoreExisting(error: unknown): void {
  if (!isReason(error, 'AlreadyExists')) throw error;
}
