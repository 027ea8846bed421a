import { isBoundTo, provisionedByAnnotation, volumeProtection } from '#apis/core/v1/claim-binding.ts';
import { persistentVolumeClaims, type PersistentVolumeClaim } from '#apis/core/v1/persistent-volume-claim.ts';
import { persistentVolumes, type PersistentVolume } from '#apis/core/v1/persistent-volume.ts';
import { ifThere } from '#apis/meta/status.ts';
import type { Informer } from '#client/informer-types.ts';
import { timestamp } from '#controller/conditions.ts';
import { done, type ControllerContext, type ControllerModule, type Outcome } from '#controller/controller.ts';

type Status = NonNullable<PersistentVolume['status']>;
type State = Pick<Status, 'phase' | 'reason' | 'message'>;

/** PersistentVolume → its phase, and what becomes of it when its claim is gone. */
export const volumeKeeper: ControllerModule<PersistentVolume> = {
  name: 'persistentvolume-binder',
  setup(context, enqueue) {
    const claims = context.informers.of(persistentVolumeClaims);
    const volumes = context.informers.of(persistentVolumes);
    volumes.addIndex(byClaim, ({ spec }) => (spec.claimRef === undefined ? [] : [`${spec.claimRef.namespace}/${spec.claimRef.name}`]));
    claims.on(({ object: { metadata, spec } }) => {
      for (const volume of volumes.byIndex(byClaim, `${metadata.namespace}/${metadata.name}`)) enqueue.key(volume.metadata.name ?? '');
      if ((spec.volumeName ?? '') !== '') enqueue.key(spec.volumeName ?? '');
    });
    const keeper = new VolumeKeeper(context, claims);
    return { resource: persistentVolumes, reconcile: (volume) => keeper.reconcile(volume) };
  },
};

const byClaim = 'claim';

class VolumeKeeper {
  readonly #context: ControllerContext;
  readonly #claims: Informer<PersistentVolumeClaim>;

  constructor(context: ControllerContext, claims: Informer<PersistentVolumeClaim>) {
    this.#context = context;
    this.#claims = claims;
  }

  async reconcile(volume: PersistentVolume): Promise<Outcome> {
    const state = await this.#state(volume);
    if (state.phase !== volume.status?.phase) {
      if (state.phase === 'Failed')
        this.#context.events.as('persistentvolume-controller').event(volume, 'Warning', state.reason ?? '', state.message ?? '');
      const lastPhaseTransitionTime = timestamp(this.#context.clock);
      volume.status = { ...state, lastPhaseTransitionTime };
    }
    await this.#release(volume, state);
    return done;
  }

  async #state(volume: PersistentVolume): Promise<State> {
    const reference = volume.spec.claimRef;
    if (reference === undefined || (reference.uid ?? '') === '') return { phase: 'Available' };
    const claim = await this.#claimOf(reference.namespace ?? '', reference.name ?? '', reference.uid ?? '');
    if (claim === undefined) return left(volume);
    // Until the claim names it too.
    if (isBoundTo(volume, claim) && claim.spec.volumeName === volume.metadata.name) return { phase: 'Bound' };
    return { phase: volume.status?.phase ?? 'Pending' };
  }

  /** Before a claim is taken for gone the API itself is asked: what follows cannot be undone. */
  async #claimOf(namespace: string, name: string, uid: string): Promise<PersistentVolumeClaim | undefined> {
    const cached = this.#claims.get(namespace, name);
    if (cached?.metadata.uid === uid) return cached;
    const claim = await ifThere(this.#context.client.of(persistentVolumeClaims).get(namespace, name));
    return claim?.metadata.uid === uid ? claim : undefined;
  }

  /** A volume that is being deleted may go once it is no claim's any more. */
  async #release({ metadata }: PersistentVolume, { phase }: State): Promise<void> {
    const finalizers = metadata.finalizers ?? [];
    if (metadata.deletionTimestamp === undefined || phase === 'Bound' || !finalizers.includes(volumeProtection)) return;
    const body = {
      metadata: { resourceVersion: metadata.resourceVersion, finalizers: finalizers.filter((one) => one !== volumeProtection) },
    };
    await this.#context.client.of(persistentVolumes).patch(undefined, metadata.name ?? '', { type: 'merge', body });
  }
}

/** Of a volume whose claim is gone; its provisioner removes what was provisioned. */
function left({ metadata, spec, status }: PersistentVolume): State {
  const policy = spec.persistentVolumeReclaimPolicy ?? 'Retain';
  const isOurs = policy === 'Delete' && metadata.annotations?.[provisionedByAnnotation] !== undefined;
  if (policy === 'Retain' || isOurs)
    return { phase: status?.phase === 'Failed' ? 'Failed' : 'Released', ...(status?.phase === 'Failed' ? status : {}) };
  const source = `volume "${metadata.name}"`;
  return policy === 'Delete'
    ? {
        phase: 'Failed',
        reason: 'VolumeFailedDelete',
        message: `error getting deleter volume plugin for ${source}: no deletable volume plugin matched`,
      }
    : { phase: 'Failed', reason: 'VolumeFailedRecycle', message: 'No recycler plugin found for the volume!' };
}
