import { chmod, mkdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { classOf, provisionedByAnnotation, selectedNodeAnnotation, storageProvisionerAnnotation } from '#apis/core/v1/claim-binding.ts';
import { persistentVolumeClaims, type PersistentVolumeClaim } from '#apis/core/v1/persistent-volume-claim.ts';
import { persistentVolumes, type PersistentVolume } from '#apis/core/v1/persistent-volume.ts';
import { directoryProvisioner } from '#apis/dormouse/names.ts';
import { ifThere, isReason } from '#apis/meta/status.ts';
import { storageClasses, type StorageClass } from '#apis/storage/v1/storage-class.ts';
import { deleteObject } from '#client/delete-object.ts';
import { done, type ControllerContext, type ControllerModule, type Outcome } from '#controller/controller.ts';
import { errorText } from '#core/errors.ts';
import { compareQuantities, tryParseQuantity } from '#apis/meta/quantity.ts';

export interface ProvisionerOptions {
  /** Also its label kubernetes.io/hostname: volumes can be used nowhere else. */
  readonly nodeName: string;
  /** Volumes are directories in it. */
  readonly directory: string;
}

/** A volume's directory goes before the volume does. */
const finalizer = 'dormouse.dev/directory';
const hostnameLabel = 'kubernetes.io/hostname';

/**
 * Makes volumes as directories of this node for the claims that ask for it, and removes those whose claim is gone when that is their policy.
 * A directory has no size of its own: what a claim asks for is written down, and no limit.
 */
export function directoryProvisionerModules(options: ProvisionerOptions): readonly ControllerModule[] {
  const maker: ControllerModule<PersistentVolumeClaim> = {
    name: `${directoryProvisioner}_${options.nodeName}`,
    setup: (context) => {
      const provisioner = new DirectoryProvisioner(context, options);
      return { resource: persistentVolumeClaims, reconcile: (claim) => provisioner.provide(claim) };
    },
  };
  const remover: ControllerModule<PersistentVolume> = {
    name: `${directoryProvisioner}_${options.nodeName}`,
    setup: (context) => {
      const provisioner = new DirectoryProvisioner(context, options);
      return { resource: persistentVolumes, reconcile: (volume) => provisioner.reclaim(volume) };
    },
  };
  return [maker, remover] as readonly ControllerModule[];
}

class DirectoryProvisioner {
  readonly #context: ControllerContext;
  readonly #options: ProvisionerOptions;

  constructor(context: ControllerContext, options: ProvisionerOptions) {
    this.#context = context;
    this.#options = options;
  }

  async provide(claim: PersistentVolumeClaim): Promise<Outcome> {
    const { annotations = {}, namespace, name, uid, deletionTimestamp } = claim.metadata;
    if (annotations[storageProvisionerAnnotation] !== directoryProvisioner) return done;
    if ((claim.spec.volumeName ?? '') !== '') return this.#grow(claim);
    const node = annotations[selectedNodeAnnotation] ?? this.#options.nodeName;
    if (node !== this.#options.nodeName || deletionTimestamp !== undefined) return done;
    const volume = `pvc-${uid}`;
    if (this.#context.informers.of(persistentVolumes).get(undefined, volume) !== undefined) return done;
    this.#say(claim, 'Normal', 'Provisioning', `External provisioner is provisioning volume for claim "${namespace}/${name}"`);
    try {
      await this.#make(claim, volume);
    } catch (error) {
      const text = `failed to provision volume with StorageClass "${classOf(claim)}": ${errorText(error)}`;
      this.#say(claim, 'Warning', 'ProvisioningFailed', text);
      throw error;
    }
    this.#say(claim, 'Normal', 'ProvisioningSucceeded', `Successfully provisioned volume ${volume}`);
    return done;
  }

  async reclaim(volume: PersistentVolume): Promise<Outcome> {
    const { metadata, spec, status } = volume;
    const path = spec.local?.path ?? '';
    if (metadata.annotations?.[provisionedByAnnotation] !== directoryProvisioner || !this.#isOurs(path)) return done;
    const isLeft = status?.phase === 'Released';
    const isDoomed = isLeft && spec.persistentVolumeReclaimPolicy === 'Delete';
    if (isDoomed) {
      await rm(path, { recursive: true, force: true });
      if (metadata.deletionTimestamp === undefined) await deleteObject(this.#context.client.of(persistentVolumes), volume);
    }
    // Kept by its policy, or never a claim's: the volume may go, the directory stays.
    const isFree = isLeft || status?.phase === 'Available';
    if (metadata.finalizers?.includes(finalizer) === true && (isDoomed || (isFree && metadata.deletionTimestamp !== undefined))) {
      await this.#patch(metadata.name ?? '', { metadata: { finalizers: metadata.finalizers.filter((one) => one !== finalizer) } });
    }
    return done;
  }

  async #make(claim: PersistentVolumeClaim, name: string): Promise<void> {
    if (claim.spec.volumeMode === 'Block') throw new Error('directories are no block devices');
    const storageClass = await this.#context.client.of(storageClasses).get(undefined, classOf(claim));
    const { namespace = '', name: claimName = '' } = claim.metadata;
    const path = join(this.#options.directory, `${name}_${namespace}_${claimName}`);
    await mkdir(path, { recursive: true });
    // Whoever the container's user is.
    await chmod(path, 0o777);
    try {
      await this.#context.client.of(persistentVolumes).create(this.#volume(claim, storageClass, name, path));
    } catch (error) {
      if (!isReason(error, 'AlreadyExists')) throw error;
    }
  }

  #volume({ metadata, spec }: PersistentVolumeClaim, storageClass: StorageClass, name: string, path: string): PersistentVolume {
    const { namespace, name: claimName, uid, resourceVersion } = metadata;
    const here = { key: hostnameLabel, operator: 'In', values: [this.#options.nodeName] };
    return {
      metadata: { name, annotations: { [provisionedByAnnotation]: directoryProvisioner }, finalizers: [finalizer] },
      spec: {
        capacity: { storage: spec.resources?.requests?.['storage'] ?? '0' },
        accessModes: [...(spec.accessModes ?? [])],
        claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name: claimName, uid, resourceVersion },
        persistentVolumeReclaimPolicy: storageClass.reclaimPolicy ?? 'Delete',
        storageClassName: classOf({ metadata, spec }),
        ...(storageClass.mountOptions === undefined ? {} : { mountOptions: [...storageClass.mountOptions] }),
        volumeMode: 'Filesystem',
        local: { path },
        nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [here] }] } },
      },
    } as PersistentVolume;
  }

  /** A bound claim asks for more: there is nothing to enlarge. */
  async #grow({ spec }: PersistentVolumeClaim): Promise<Outcome> {
    const volume = this.#context.informers.of(persistentVolumes).get(undefined, spec.volumeName ?? '');
    const wanted = tryParseQuantity(spec.resources?.requests?.['storage']);
    const present = tryParseQuantity(volume?.spec.capacity?.['storage']);
    if (volume === undefined || !this.#isOurs(volume.spec.local?.path ?? '') || wanted === undefined || present === undefined) return done;
    if (compareQuantities(wanted, present) <= 0) return done;
    await this.#patch(volume.metadata.name ?? '', { spec: { capacity: { storage: spec.resources?.requests?.['storage'] } } });
    return done;
  }

  /** Made by us, on this node: nothing else is ever removed, whatever a volume's path says. */
  #isOurs(path: string): boolean {
    return path === join(this.#options.directory, basename(path)) && basename(path).startsWith('pvc-');
  }

  async #patch(name: string, body: object): Promise<void> {
    await ifThere(this.#context.client.of(persistentVolumes).patch(undefined, name, { type: 'merge', body }));
  }

  #say(claim: PersistentVolumeClaim, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#context.events.event(claim, type, reason, message);
  }
}
