import {
  betaStorageProvisionerAnnotation,
  bindCompletedAnnotation,
  boundByControllerAnnotation,
  classOf,
  isBoundTo,
  noProvisioner,
  selectedNodeAnnotation,
  storageProvisionerAnnotation,
} from '#apis/core/v1/claim-binding.ts';
import { nodes, type Node } from '#apis/core/v1/node.ts';
import { persistentVolumeClaims, type PersistentVolumeClaim } from '#apis/core/v1/persistent-volume-claim.ts';
import { persistentVolumes, type PersistentVolume } from '#apis/core/v1/persistent-volume.ts';
import { objectKey } from '#apis/meta/object.ts';
import { storageClasses, type StorageClass } from '#apis/storage/v1/storage-class.ts';
import type { Informer } from '#client/informer-types.ts';
import { done, type ControllerContext, type ControllerModule, type Enqueue, type Outcome } from '#controller/controller.ts';
import { isReservedFor, volumeFor } from '#cluster/persistent-volume/match.ts';

/** PersistentVolumeClaim → a volume of its own: one that is there, or one that a provisioner is asked for. */
export const claimBinder: ControllerModule<PersistentVolumeClaim> = {
  name: 'persistentvolume-controller',
  setup(context, enqueue) {
    const { informers } = context;
    const [claims, volumes, classes] = [
      informers.of(persistentVolumeClaims),
      informers.of(persistentVolumes),
      informers.of(storageClasses),
    ];
    wakeClaims(claims, volumes, classes, enqueue);
    const binder = new ClaimBinder(context, volumes, classes, informers.of(nodes));
    // One at a time: two claims at once could be given the same volume.
    return {
      resource: persistentVolumeClaims,
      workers: 1,
      reconcile: (claim) => binder.reconcile(claim),
    };
  },
};

/** A volume concerns the claim it names; a free one, and a class, those that still wait. */
function wakeClaims(
  claims: Informer<PersistentVolumeClaim>,
  volumes: Informer<PersistentVolume>,
  classes: Informer<StorageClass>,
  enqueue: Enqueue,
): void {
  const unbound = (name: string | undefined) => {
    for (const claim of claims.list()) if ((claim.spec.volumeName ?? '') === '' && classOf(claim) === name) enqueue.key(objectKey(claim));
  };
  volumes.on(({ type, object }) => {
    const { name, namespace } = object.spec.claimRef ?? {};
    if (name !== undefined) enqueue.key(`${namespace}/${name}`);
    else if (type !== 'deleted') unbound(classOf(object));
  });
  classes.on(({ object }) => unbound(object.metadata.name));
}

class ClaimBinder {
  readonly #context: ControllerContext;
  readonly #volumes: Informer<PersistentVolume>;
  readonly #classes: Informer<StorageClass>;
  readonly #nodes: Informer<Node>;

  constructor(
    context: ControllerContext,
    volumes: Informer<PersistentVolume>,
    classes: Informer<StorageClass>,
    nodeInformer: Informer<Node>,
  ) {
    this.#context = context;
    this.#volumes = volumes;
    this.#classes = classes;
    this.#nodes = nodeInformer;
  }

  async reconcile(claim: PersistentVolumeClaim): Promise<Outcome> {
    const { volumeName = '' } = claim.spec;
    if (volumeName !== '') await this.#follow(claim, volumeName);
    else if (claim.metadata.deletionTimestamp === undefined) await this.#find(claim);
    return done;
  }

  /** A claim that names its volume: by our choice, or by its maker's. */
  async #follow(claim: PersistentVolumeClaim, volumeName: string): Promise<void> {
    const volume = this.#volumes.get(undefined, volumeName);
    const wasBound = claim.metadata.annotations?.[bindCompletedAnnotation] !== undefined;
    if (volume === undefined) {
      if (wasBound) this.#lose(claim, 'ClaimLost', 'Bound claim has lost its PersistentVolume. Data on the volume is lost!');
      return;
    }
    if (isBoundTo(volume, claim)) {
      if (!wasBound) return this.#annotate(claim, { [bindCompletedAnnotation]: 'yes' });
      claim.status = {
        ...claim.status,
        phase: 'Bound',
        ...(volume.spec.accessModes === undefined ? {} : { accessModes: [...volume.spec.accessModes] }),
        ...(volume.spec.capacity === undefined ? {} : { capacity: { ...volume.spec.capacity } }),
      };
    } else if (volume.spec.claimRef === undefined || isReservedFor(volume, claim)) await this.#reserve(volume, claim);
    else if (wasBound) this.#lose(claim, 'ClaimMisbound', 'Two claims are bound to the same volume, this one is bound incorrectly');
    else this.#say(claim, 'Warning', 'FailedBinding', `volume "${volumeName}" already bound to a different claim.`);
  }

  async #find(claim: PersistentVolumeClaim): Promise<void> {
    const name = classOf(claim);
    const storageClass = this.#classes.get(undefined, name);
    const selected = claim.metadata.annotations?.[selectedNodeAnnotation];
    const mustWait = storageClass?.volumeBindingMode === 'WaitForFirstConsumer' && selected === undefined;
    const node = selected === undefined ? undefined : this.#nodes.get(undefined, selected);
    const volume = volumeFor(claim, this.#volumes.list(), { reservedOnly: mustWait, ...(node === undefined ? {} : { node }) });
    if (volume !== undefined) return this.#bind(volume, claim);
    if (mustWait) this.#say(claim, 'Normal', 'WaitForFirstConsumer', 'waiting for first consumer to be created before binding');
    else if (name === '') {
      const text = 'no persistent volumes available for this claim and no storage class is set';
      this.#say(claim, 'Normal', 'FailedBinding', text);
    } else if (storageClass === undefined) {
      this.#say(claim, 'Warning', 'ProvisioningFailed', `storageclass.storage.k8s.io "${name}" not found`);
    } else await this.#ask(claim, storageClass);
  }

  async #bind(volume: PersistentVolume, claim: PersistentVolumeClaim): Promise<void> {
    if (!isBoundTo(volume, claim)) await this.#reserve(volume, claim);
    const annotations = { [bindCompletedAnnotation]: 'yes', [boundByControllerAnnotation]: 'yes' };
    await this.#patch(claim, { metadata: { annotations }, spec: { volumeName: volume.metadata.name } });
  }

  /** First the volume, so that it is nobody else's; who comes too late gets a conflict. */
  async #reserve({ metadata }: PersistentVolume, claim: PersistentVolumeClaim): Promise<void> {
    const { namespace, name, uid, resourceVersion } = claim.metadata;
    const claimRef = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid, resourceVersion };
    const body = {
      metadata: { resourceVersion: metadata.resourceVersion, annotations: { [boundByControllerAnnotation]: 'yes' } },
      spec: { claimRef },
    };
    await this.#context.client.of(persistentVolumes).patch(undefined, metadata.name ?? '', { type: 'merge', body });
  }

  /** Asks the class's provisioner, which watches for its name. */
  async #ask(claim: PersistentVolumeClaim, { provisioner }: StorageClass): Promise<void> {
    if (provisioner === noProvisioner) {
      return this.#say(claim, 'Warning', 'ProvisioningFailed', `no volume plugin matched name: ${noProvisioner}`);
    }
    this.#say(
      claim,
      'Normal',
      'ExternalProvisioning',
      `Waiting for a volume to be created either by the external provisioner '${provisioner}' or manually by the system administrator. ` +
        'If volume creation is delayed, please verify that the provisioner is running and correctly registered.',
    );
    if (claim.metadata.annotations?.[storageProvisionerAnnotation] === provisioner) return;
    await this.#annotate(claim, { [storageProvisionerAnnotation]: provisioner, [betaStorageProvisionerAnnotation]: provisioner });
  }

  #lose(claim: PersistentVolumeClaim, reason: string, message: string): void {
    if (claim.status?.phase !== 'Lost') this.#say(claim, 'Warning', reason, message);
    claim.status = { ...claim.status, phase: 'Lost' };
  }

  async #annotate(claim: PersistentVolumeClaim, annotations: Readonly<Record<string, string>>): Promise<void> {
    await this.#patch(claim, { metadata: { annotations } });
  }

  async #patch({ metadata }: PersistentVolumeClaim, body: object): Promise<void> {
    await this.#context.client.of(persistentVolumeClaims).patch(metadata.namespace, metadata.name ?? '', { type: 'merge', body });
  }

  #say(claim: PersistentVolumeClaim, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#context.events.event(claim, type, reason, message);
  }
}
