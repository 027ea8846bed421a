import { statefulSets, type StatefulSet } from '#apis/apps/v1/stateful-set.ts';
import type { PersistentVolumeClaim } from '#apis/core/v1/persistent-volume-claim.ts';
import { pods, type Pod } from '#apis/core/v1/pod.ts';
import { apiVersionOf } from '#apis/definition.ts';
import type { OwnerReference } from '#apis/meta/object.ts';
import { controllerReference } from '#controller/owner.ts';
import { ordinalOf } from '#cluster/stateful-set/pods.ts';

/**
 * The owners a claim of a set must have so that it goes when its policy says, by garbage collection: with the set, or with a pod that is one
 * too many. Undefined when it has these already; owners of others' making stay.
 */
export function ownersOfClaim(set: StatefulSet, pod: Pod, { metadata }: PersistentVolumeClaim): readonly OwnerReference[] | undefined {
  const { whenDeleted = 'Retain', whenScaled = 'Retain' } = set.spec.persistentVolumeClaimRetentionPolicy ?? {};
  const isSurplus = isBeyond(set, ordinalOf(set, pod) ?? 0);
  const wanted: OwnerReference[] = [];
  if (whenScaled === 'Delete' && isSurplus) {
    wanted.push({ apiVersion: apiVersionOf(pods), kind: 'Pod', name: pod.metadata.name ?? '', uid: pod.metadata.uid ?? '' });
  } else if (whenDeleted === 'Delete') wanted.push(controllerReference(set, statefulSets));
  const present = metadata.ownerReferences ?? [];
  const ours = present.filter(({ kind, name }) =>
    kind === 'StatefulSet' ? name === set.metadata.name : kind === 'Pod' && name === pod.metadata.name,
  );
  const uids = (list: readonly OwnerReference[]) => list.map(({ uid }) => uid).join(' ');
  if (uids(ours) === uids(wanted)) return undefined;
  return [...present.filter((one) => !ours.includes(one)), ...wanted];
}

function isBeyond({ spec }: StatefulSet, ordinal: number): boolean {
  const start = spec.ordinals?.start ?? 0;
  return ordinal < start || ordinal >= start + (spec.replicas ?? 1);
}
