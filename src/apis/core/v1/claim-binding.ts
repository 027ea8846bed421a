import type { PersistentVolumeClaim } from '#apis/core/v1/persistent-volume-claim.ts';
import type { PersistentVolume } from '#apis/core/v1/persistent-volume.ts';
import type { Pod } from '#apis/core/v1/pod.ts';

/** Annotations and finalizers by which binder, scheduler and provisioners of volumes tell each other what is decided. */
export const selectedNodeAnnotation = 'volume.kubernetes.io/selected-node';
export const storageProvisionerAnnotation = 'volume.kubernetes.io/storage-provisioner';
export const betaStorageProvisionerAnnotation = 'volume.beta.kubernetes.io/storage-provisioner';
export const bindCompletedAnnotation = 'pv.kubernetes.io/bind-completed';
export const boundByControllerAnnotation = 'pv.kubernetes.io/bound-by-controller';
export const provisionedByAnnotation = 'pv.kubernetes.io/provisioned-by';
export const defaultClassAnnotation = 'storageclass.kubernetes.io/is-default-class';
/** The class of claims and volumes before there was a field for it; it goes before the field. */
export const betaClassAnnotation = 'volume.beta.kubernetes.io/storage-class';
export const claimProtection = 'kubernetes.io/pvc-protection';
export const volumeProtection = 'kubernetes.io/pv-protection';
/** Provisioner of classes whose volumes are only made by hand. */
export const noProvisioner = 'kubernetes.io/no-provisioner';

/** Name of the claim's or volume's class; '' is none, and not the default either. */
export function classOf({ metadata, spec }: PersistentVolumeClaim | PersistentVolume): string {
  return metadata.annotations?.[betaClassAnnotation] ?? spec.storageClassName ?? '';
}

/** Whether the volume is bound, or was bound, to this very claim. */
export function isBoundTo({ spec }: PersistentVolume, { metadata }: PersistentVolumeClaim): boolean {
  const reference = spec.claimRef;
  return reference?.uid !== undefined && reference.uid !== '' && reference.uid === metadata.uid;
}

/** A claim as a volume of a pod. */
export interface PodClaim {
  /** Of the volume in the pod. */
  readonly volume: string;
  readonly claim: string;
  /** Made for the pod, and its own. */
  readonly isEphemeral: boolean;
  readonly readOnly: boolean;
}

/** The claims a pod uses, in the order of its volumes. */
export function claimsOfPod({ metadata, spec }: Pod): readonly PodClaim[] {
  return (spec?.volumes ?? []).flatMap(({ name, persistentVolumeClaim, ephemeral }): PodClaim[] => {
    if (persistentVolumeClaim !== undefined) {
      const { claimName, readOnly = false } = persistentVolumeClaim;
      return [{ volume: name, claim: claimName, isEphemeral: false, readOnly }];
    }
    return ephemeral === undefined ? [] : [{ volume: name, claim: `${metadata.name}-${name}`, isEphemeral: true, readOnly: false }];
  });
}
