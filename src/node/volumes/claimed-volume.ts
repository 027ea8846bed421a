import { stat } from 'node:fs/promises';
import { isBoundTo, claimsOfPod } from '#apis/core/v1/claim-binding.ts';
import type { Pod } from '#apis/core/v1/pod.ts';
import type { PersistentVolume } from '#apis/core/v1/persistent-volume.ts';
import { controllerOf } from '#apis/meta/object.ts';
import type { PodSources } from '#node/sources.ts';
import { prepareHostPath } from '#node/volumes/host-path.ts';

/** Where a pod's claim lies on this machine. */
export interface ClaimedVolume {
  readonly path: string;
  readonly readOnly: boolean;
  /** Whether the pod's fsGroup is given its files: not those of a directory that somebody else has chosen. */
  readonly isOwned: boolean;
}

/** Finds the volume behind a pod's volume of that name; throws with a kubelet's words where there is none yet, or none of a kind this node has. */
export async function findClaimedVolume(pod: Pod, name: string, sources: PodSources): Promise<ClaimedVolume> {
  const use = claimsOfPod(pod).find(({ volume }) => volume === name);
  const { namespace = '' } = pod.metadata;
  if (use === undefined) throw new Error(`volume ${name} has no claim`);
  const claim = await sources.claim(namespace, use.claim);
  const failure = `error processing PVC ${namespace}/${use.claim}`;
  if (claim === undefined)
    throw new Error(`${failure}: failed to fetch PVC from API server: persistentvolumeclaims "${use.claim}" not found`);
  if (use.isEphemeral && controllerOf(claim)?.uid !== pod.metadata.uid) throw new Error(`${failure}: PVC was not created for pod`);
  if (claim.metadata.deletionTimestamp !== undefined) throw new Error(`${failure}: PVC is being deleted`);
  const { volumeName = '' } = claim.spec;
  if (claim.status?.phase !== 'Bound' || volumeName === '') throw new Error(`${failure}: PVC is not bound`);
  const volume = await sources.persistentVolume(volumeName);
  if (volume === undefined || !isBoundTo(volume, claim)) {
    throw new Error(`${failure}: failed to fetch PV ${volumeName} from API server: PV ${volumeName} is not bound to the claim`);
  }
  return { ...(await locate(volume)), readOnly: use.readOnly };
}

async function locate({ metadata, spec }: PersistentVolume): Promise<Pick<ClaimedVolume, 'path' | 'isOwned'>> {
  if (spec.hostPath !== undefined) {
    await prepareHostPath(spec.hostPath.path, spec.hostPath.type ?? '');
    return { path: spec.hostPath.path, isOwned: false };
  }
  if (spec.local === undefined)
    throw new Error(`this node has no persistent volumes of the kind of "${metadata.name}", only local and hostPath`);
  if (spec.volumeMode === 'Block') throw new Error('block volumes are not supported on this node');
  const { path } = spec.local;
  if ((await stat(path).catch(() => undefined)) === undefined) {
    throw new Error(`MountVolume.NewMounter initialization failed for volume "${metadata.name}" : path "${path}" does not exist`);
  }
  return { path, isOwned: true };
}
