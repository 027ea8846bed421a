import { claimProtection, claimsOfPod } from '#apis/core/v1/claim-binding.ts';
import { persistentVolumeClaims, type PersistentVolumeClaim } from '#apis/core/v1/persistent-volume-claim.ts';
import { pods } from '#apis/core/v1/pod.ts';
import { objectKey } from '#apis/meta/object.ts';
import { done, type ControllerModule } from '#controller/controller.ts';
import { isFinished } from '#apis/core/v1/pod-state.ts';

const byClaim = 'claim';

/** A claim that is being deleted goes when no pod on a node uses it any more. */
export const claimProtector: ControllerModule<PersistentVolumeClaim> = {
  name: 'pvc-protection-controller',
  setup(context, enqueue) {
    const podInformer = context.informers.of(pods);
    podInformer.addIndex(byClaim, (pod) => claimsOfPod(pod).map(({ claim }) => `${pod.metadata.namespace}/${claim}`));
    podInformer.on(({ type, object }) => {
      if (type !== 'deleted' && !isFinished(object)) return;
      for (const { claim } of claimsOfPod(object)) enqueue.key(`${object.metadata.namespace}/${claim}`);
    });
    return {
      resource: persistentVolumeClaims,
      async reconcile(claim) {
        const { metadata } = claim;
        const finalizers = metadata.finalizers ?? [];
        if (metadata.deletionTimestamp === undefined || !finalizers.includes(claimProtection)) return done;
        const users = podInformer.byIndex(byClaim, objectKey(claim));
        if (users.some((pod) => (pod.spec?.nodeName ?? '') !== '' && !isFinished(pod))) return done;
        const rest = finalizers.filter((one) => one !== claimProtection);
        const body = { metadata: { resourceVersion: metadata.resourceVersion, finalizers: rest } };
        await context.client.of(persistentVolumeClaims).patch(metadata.namespace, metadata.name ?? '', { type: 'merge', body });
        return done;
      },
    };
  },
};
