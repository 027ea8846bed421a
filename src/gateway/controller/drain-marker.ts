import { drainedAnnotation } from '#apis/dormouse/names.ts';
import { objectKey } from '#apis/meta/object.ts';
import { isReason } from '#apis/meta/status.ts';
import { done, requeue, type ControllerModule, type Enqueue } from '#controller/controller.ts';
import { pods, revisionLabel, type Pod } from '#gateway/controller/kinds.ts';

/** `drained` of the proxy brings a pod back to the queue at once; this is for what nobody thought of. */
const lookAgainMs = 1000;

/**
 * Tells the node agent that a revision's pod may stop: it is being deleted, gets no new requests and has none left. `inUse` says
 * whether the proxy may still send to it or has requests on it.
 */
export function drainMarkerModule(inUse: (podKey: string) => boolean, enqueued: (enqueue: Enqueue) => void): ControllerModule<Pod> {
  return {
    name: 'gateway-drain',
    setup: (context, enqueue) => {
      enqueued(enqueue);
      return {
        resource: pods,
        async reconcile(pod) {
          const { metadata } = pod;
          if (metadata.deletionTimestamp === undefined || metadata.labels?.[revisionLabel] === undefined) return done;
          if (metadata.annotations?.[drainedAnnotation] === 'true') return done;
          if (inUse(objectKey(pod))) return requeue(lookAgainMs);
          const body = { metadata: { uid: metadata.uid, annotations: { [drainedAnnotation]: 'true' } } };
          try {
            await context.client.of(pods).patch(metadata.namespace, metadata.name ?? '', { type: 'merge', body });
          } catch (error) {
            // Gone already: nobody waits any more.
            if (!isReason(error, 'NotFound')) throw error;
          }
          return done;
        },
      };
    },
  };
}
