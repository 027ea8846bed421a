import {
  bindCompletedAnnotation,
  classOf,
  claimsOfPod,
  isBoundTo,
  noProvisioner,
  selectedNodeAnnotation,
  type PodClaim,
} from '#apis/core/v1/claim-binding.ts';
import type { Node } from '#apis/core/v1/node.ts';
import { persistentVolumeClaims, type PersistentVolumeClaim } from '#apis/core/v1/persistent-volume-claim.ts';
import { persistentVolumes, type PersistentVolume } from '#apis/core/v1/persistent-volume.ts';
import type { Pod } from '#apis/core/v1/pod.ts';
import { storageClasses, type StorageClass } from '#apis/storage/v1/storage-class.ts';
import type { Informer } from '#client/informer-types.ts';
import type { ControllerContext } from '#controller/controller.ts';
import { isControlledBy } from '#controller/owner.ts';
import { isReachable, volumeFor } from '#cluster/persistent-volume/match.ts';

const wrongNode = "node(s) didn't match PersistentVolume's node affinity";
const nothingToBind = "node(s) didn't find available persistent volumes to bind";
const inUse = 'node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode';
const unbound = 'pod has unbound immediate PersistentVolumeClaims';

/** What a pod's claims mean for its place. */
export interface PodVolumes {
  /** No node will do, in kube-scheduler's words. */
  readonly problem?: string;
  /** Volumes the pod has already. */
  readonly bound: readonly PersistentVolume[];
  /** Claims whose volumes are chosen once the pod's node is. */
  readonly delayed: readonly PersistentVolumeClaim[];
  /** Names of claims that no other pod may use at the same time. */
  readonly exclusive: readonly string[];
}

/** Claims and volumes as the scheduler sees them. */
export class VolumeView {
  readonly #context: ControllerContext;
  readonly #claims: Informer<PersistentVolumeClaim>;
  readonly #volumes: Informer<PersistentVolume>;
  readonly #classes: Informer<StorageClass>;

  constructor(context: ControllerContext, changed: () => void) {
    this.#context = context;
    this.#claims = context.informers.of(persistentVolumeClaims);
    this.#volumes = context.informers.of(persistentVolumes);
    this.#classes = context.informers.of(storageClasses);
    for (const informer of [this.#claims, this.#volumes, this.#classes]) informer.on(changed);
  }

  of(pod: Pod): PodVolumes {
    const bound: PersistentVolume[] = [];
    const delayed: PersistentVolumeClaim[] = [];
    const exclusive: string[] = [];
    for (const use of claimsOfPod(pod)) {
      const found = this.#look(pod, use);
      if (typeof found === 'string') return { problem: found, bound, delayed, exclusive };
      if (found.claim.spec.accessModes?.includes('ReadWriteOncePod') === true) exclusive.push(use.claim);
      if (found.volume !== undefined) bound.push(found.volume);
      else delayed.push(found.claim);
    }
    return { bound, delayed, exclusive };
  }

  /** Why the volumes keep the pod from a node. */
  refusal({ bound, delayed }: PodVolumes, node: Node): string | undefined {
    if (bound.some((volume) => !isReachable(volume, node))) return wrongNode;
    return delayed.some((claim) => !this.#canBind(claim, node)) ? nothingToBind : undefined;
  }

  /** Why a pod that is there keeps it from a node: it has the volume to itself. */
  conflict(pod: Pod, { exclusive }: PodVolumes, placed: readonly Pod[]): string | undefined {
    const isUser = (other: Pod) =>
      other.metadata.namespace === pod.metadata.namespace && claimsOfPod(other).some(({ claim }) => exclusive.includes(claim));
    return exclusive.length > 0 && placed.some(isUser) ? inUse : undefined;
  }

  /** Tells the claims that wait for it where the pod will be. True when there are none: the pod has what it needs. */
  async settle({ delayed }: PodVolumes, node: string): Promise<boolean> {
    for (const { metadata } of delayed) {
      if (metadata.annotations?.[selectedNodeAnnotation] === node) continue;
      const { resourceVersion } = metadata;
      const body = { metadata: { resourceVersion, annotations: { [selectedNodeAnnotation]: node } } };
      await this.#context.client.of(persistentVolumeClaims).patch(metadata.namespace, metadata.name ?? '', { type: 'merge', body });
    }
    return delayed.length === 0;
  }

  #look(pod: Pod, { claim: name, isEphemeral }: PodClaim): string | { claim: PersistentVolumeClaim; volume?: PersistentVolume } {
    const claim = this.#claims.get(pod.metadata.namespace, name);
    if (claim === undefined) {
      return isEphemeral
        ? `waiting for ephemeral volume controller to create the persistentvolumeclaim "${name}"`
        : `persistentvolumeclaim "${name}" not found`;
    }
    if (isEphemeral && !isControlledBy(claim, pod))
      return `PVC ${pod.metadata.namespace}/${name} was not created for pod ${pod.metadata.namespace}/${pod.metadata.name} (pod is not owner)`;
    if (claim.metadata.deletionTimestamp !== undefined) return `persistentvolumeclaim "${name}" is being deleted`;
    const { volumeName = '' } = claim.spec;
    const isBound = volumeName !== '' && claim.metadata.annotations?.[bindCompletedAnnotation] !== undefined;
    if (isBound) {
      const volume = this.#volumes.get(undefined, volumeName);
      if (volume !== undefined && isBoundTo(volume, claim)) return { claim, volume };
      return `persistentvolumeclaim "${name}" bound to non-existent persistentvolume "${volumeName}"`;
    }
    const storageClass = this.#classes.get(undefined, classOf(claim));
    return volumeName === '' && storageClass?.volumeBindingMode === 'WaitForFirstConsumer' ? { claim } : unbound;
  }

  #canBind(claim: PersistentVolumeClaim, node: Node): boolean {
    const selected = claim.metadata.annotations?.[selectedNodeAnnotation];
    // Another pod has decided where it will be.
    if (selected !== undefined) return selected === node.metadata.name;
    const provisioner = this.#classes.get(undefined, classOf(claim))?.provisioner ?? noProvisioner;
    return provisioner !== noProvisioner || volumeFor(claim, this.#volumes.list(), { node }) !== undefined;
  }
}
