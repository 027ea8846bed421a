import { chmod, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Container } from '#apis/core/v1/container.ts';
import type { Pod } from '#apis/core/v1/pod.ts';
import type { Volume } from '#apis/core/v1/volume.ts';
import { parseQuantity, quantityValue } from '#apis/meta/quantity.ts';
import type { Mount } from '#apis/runtime/engine.ts';
import { Mutex } from '#core/async.ts';
import type { Clock } from '#core/clock.ts';
import { directoryBytes } from '#core/directory-bytes.ts';
import { errorText } from '#core/errors.ts';
import type { Logger } from '#core/logger.ts';
import { expandVariables } from '#node/environment/expand.ts';
import type { NodeFacts, PodSources } from '#node/sources.ts';
import { writeAtomically } from '#node/volumes/atomic-directory.ts';
import { findClaimedVolume, type ClaimedVolume } from '#node/volumes/claimed-volume.ts';
import { prepareHostPath } from '#node/volumes/host-path.ts';
import { mountMemory, unmountUnder } from '#node/volumes/memory-mount.ts';
import { giveToGroup } from '#node/volumes/ownership.ts';
import { VolumeError, type PodVolumes } from '#node/volumes/pod-volumes.ts';
import { collectProjection, projectedVolume, type ProjectedVolume } from '#node/volumes/projection.ts';
import { resolveSubPath } from '#node/volumes/sub-path.ts';

export interface LocalPodVolumesOptions {
  readonly pod: Pod;
  /** `pods/<uid>/volumes`. */
  readonly directory: string;
  /** The pod runs already: its files are as they should be. */
  readonly isTakenOver: boolean;
  readonly sources: PodSources;
  readonly node: () => NodeFacts;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A failed refresh is tried again after this long; the files stay as they were. */
const refreshRetryMs = 10_000;

/**
 * A pod's volumes as directories of this machine. Those that show API objects follow them while the pod lives: ConfigMaps
 * and Secrets at once, tokens when four fifths of their life are over.
 */
export class LocalPodVolumes implements PodVolumes {
  readonly #options: LocalPodVolumesOptions;
  /** One update at a time: two of the same directory would race for its `..data` link. */
  readonly #updates = new Mutex();
  #pod: Pod;
  #podIp: string | undefined;
  #prepared = false;
  /** By the name of the pod's volume. */
  readonly #claimed = new Map<string, ClaimedVolume>();
  #stopWatching: (() => void)[] = [];
  #timers = new Map<string, () => void>();

  constructor(options: LocalPodVolumesOptions) {
    this.#options = options;
    this.#pod = options.pod;
  }

  async prepare(podIp: string | undefined, signal: AbortSignal): Promise<void> {
    this.#podIp = podIp;
    for (const volume of this.#volumes()) {
      signal.throwIfAborted();
      try {
        await this.#make(volume);
      } catch (error) {
        throw new VolumeError(`MountVolume.SetUp failed for volume "${volume.name}" : ${errorText(error)}`, error);
      }
    }
    if (!this.#prepared) this.#watch();
    this.#prepared = true;
  }

  refresh(pod: Pod): void {
    this.#pod = pod;
    if (!this.#prepared) return;
    for (const volume of this.#volumes()) {
      const projected = projectedVolume(volume);
      if (projected?.sources.some((source) => source.downwardAPI !== undefined) === true) this.#update(volume, projected);
    }
  }

  async mounts(container: Container, environment: ReadonlyMap<string, string>): Promise<readonly Mount[]> {
    const mounts: Mount[] = [];
    for (const mount of container.volumeMounts ?? []) {
      const volume = this.#volumes().find((one) => one.name === mount.name);
      if (volume === undefined)
        throw new VolumeError(`container ${container.name} mounts volume "${mount.name}", which the pod does not have`);
      const subPath = expandVariables(mount.subPathExpr ?? '', (name) => environment.get(name)) || (mount.subPath ?? '');
      const root = this.#pathOf(volume);
      const isReadOnly = mount.readOnly ?? projectedVolume(volume) !== undefined;
      const hostPath = subPath === '' ? root : await resolveSubPath(root, subPath);
      mounts.push({ hostPath, containerPath: mount.mountPath, readOnly: isReadOnly || this.#claimed.get(volume.name)?.readOnly === true });
    }
    return mounts;
  }

  diskUsage(): ReturnType<PodVolumes['diskUsage']> {
    const own = this.#volumes().filter((volume) => projectedVolume(volume) !== undefined || isOnDisk(volume));
    return Promise.all(own.map(async (volume) => ({ name: volume.name, usedBytes: await directoryBytes(this.#pathOf(volume)) })));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const stop of this.#stopWatching) stop();
    for (const cancel of this.#timers.values()) cancel();
    this.#stopWatching = [];
    this.#timers.clear();
    this.#prepared = false;
    await this.#updates.run(async () => {
      await unmountUnder(this.#options.directory);
      await rm(this.#options.directory, { recursive: true, force: true });
    });
  }

  #volumes(): readonly Volume[] {
    return this.#pod.spec?.volumes ?? [];
  }

  #pathOf(volume: Volume): string {
    return volume.hostPath?.path ?? this.#claimed.get(volume.name)?.path ?? join(this.#options.directory, volume.name);
  }

  async #make(volume: Volume): Promise<void> {
    const projected = projectedVolume(volume);
    if (projected !== undefined) await this.#updates.run(() => this.#write(volume, projected));
    else if (volume.hostPath !== undefined) await prepareHostPath(volume.hostPath.path, volume.hostPath.type ?? '');
    else if (volume.emptyDir !== undefined) await this.#makeEmptyDir(volume, volume.emptyDir);
    else if (volume.persistentVolumeClaim !== undefined || volume.ephemeral !== undefined) await this.#claim(volume);
    else throw new Error(`this node does not support volumes of type ${Object.keys(volume).find((key) => key !== 'name') ?? 'none'}`);
  }

  async #makeEmptyDir(volume: Volume, { medium, sizeLimit }: NonNullable<Volume['emptyDir']>): Promise<void> {
    const path = this.#pathOf(volume);
    await mkdir(path, { recursive: true });
    if (medium === 'Memory') await mountMemory(path, sizeLimit === undefined ? undefined : quantityValue(parseQuantity(sizeLimit)));
    await chmod(path, 0o777);
    await this.#give(path);
  }

  async #claim({ name }: Volume): Promise<void> {
    const claimed = await findClaimedVolume(this.#pod, name, this.#options.sources);
    this.#claimed.set(name, claimed);
    if (claimed.isOwned && !claimed.readOnly) await this.#give(claimed.path);
  }

  async #give(path: string): Promise<void> {
    const gid = this.#fsGroup();
    if (gid !== undefined && !this.#options.isTakenOver) await giveToGroup(path, gid, this.#pod.spec?.securityContext?.fsGroupChangePolicy);
  }

  async #write(volume: Volume, projected: ProjectedVolume): Promise<void> {
    const { sources, node, clock } = this.#options;
    const facts = node();
    const addresses = { podIp: this.#podIp, hostIps: facts.hostIps };
    const { files, token } = await collectProjection(projected, { pod: this.#pod, addresses, node: facts, sources });
    const gid = this.#fsGroup();
    await writeAtomically(this.#pathOf(volume), files, { now: clock.now(), ...(gid === undefined ? {} : { gid }) });
    if (token !== undefined) this.#updateAfter(volume, projected, Math.max(refreshRetryMs, (token.expiresAtMs - clock.now()) * 0.8));
  }

  #fsGroup(): number | undefined {
    return this.#pod.spec?.securityContext?.fsGroup;
  }

  #watch(): void {
    const { sources } = this.#options;
    const namespace = this.#pod.metadata.namespace ?? '';
    for (const volume of this.#volumes()) {
      const projected = projectedVolume(volume);
      for (const { configMap, secret } of projected?.sources ?? []) {
        const onChange = () => projected !== undefined && this.#update(volume, projected);
        if (configMap !== undefined) this.#stopWatching.push(sources.watchConfigMap(namespace, configMap.name ?? '', onChange));
        if (secret !== undefined) this.#stopWatching.push(sources.watchSecret(namespace, secret.name ?? '', onChange));
      }
    }
  }

  /** Brings a volume up to date in the background. */
  #update(volume: Volume, projected: ProjectedVolume): void {
    const { logger } = this.#options;
    this.#updates
      .run(() => (this.#prepared ? this.#write(volume, projected) : Promise.resolve()))
      .catch((error: unknown) => {
        logger.warn('volume not refreshed', { pod: this.#pod.metadata.name, volume: volume.name, error });
        this.#updateAfter(volume, projected, refreshRetryMs);
      });
  }

  #updateAfter(volume: Volume, projected: ProjectedVolume, delayMs: number): void {
    this.#timers.get(volume.name)?.();
    this.#timers.set(
      volume.name,
      this.#options.clock.after(delayMs, () => this.#update(volume, projected)),
    );
  }
}

function isOnDisk({ emptyDir }: Volume): boolean {
  return emptyDir !== undefined && emptyDir.medium !== 'Memory';
}
