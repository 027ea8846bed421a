import type { Pod } from '#apis/core/v1/pod.ts';
import type { ImageRelief, ImageService } from '#apis/runtime/image-service.ts';
import type { Clock } from '#core/clock.ts';
import { errorText } from '#core/errors.ts';
import type { Logger } from '#core/logger.ts';
import { chooseVictim, evictionMessage } from '#node/pressure/eviction.ts';
import { diskSpace, pressureThresholdBytes, type DiskSpace } from '#node/pressure/disk-space.ts';

export interface DiskShare {
  readonly name: string;
  readonly usedBytes: number;
}

/** What one pod takes of the node's disk. */
export interface PodDiskUsage {
  readonly pod: Pod;
  readonly usedBytes: number;
  readonly containers: readonly DiskShare[];
  /** Of its volumes those that lie on the node's disk and end with the pod. */
  readonly volumes: readonly DiskShare[];
}

export interface DiskKeeperOptions {
  /** On the disk that is kept. */
  readonly directory: string;
  readonly images: Pick<ImageService, 'relieve'>;
  /** The node's pods: what they take, and the way to end one for good. */
  readonly pods: { diskUsage(): Promise<readonly PodDiskUsage[]>; evict(uid: string, message: string): Promise<void> };
  /** Writes an event about the node. */
  readonly event: (type: 'Normal' | 'Warning', reason: string, message: string) => void;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Absent: what the file system of the directory says. */
  readonly space?: () => Promise<DiskSpace>;
}

/** The kubelet's period of image collection. */
const collectEveryMs = 300_000;
/** Pressure is reported this long after it was last seen, so that pods do not come back only to go again. */
const holdMs = 20_000;

/**
 * Keeps room on the node's disk as a kubelet does: unused images go when it is 85 % full (every five minutes, and at once under pressure);
 * under pressure that this does not end, pods are evicted one a look, those that take most first.
 */
export class DiskKeeper implements Disposable {
  readonly #options: DiskKeeperOptions;
  #pressedMs = Number.NEGATIVE_INFINITY;
  #reclaiming: Promise<void> | undefined;
  #cancel: () => void = () => {};
  #failures = 0;

  constructor(options: DiskKeeperOptions) {
    this.#options = options;
    this.#collectLater();
  }

  /** Whether the node has disk pressure; begins to do something about it. Asked at each heartbeat. */
  async look(): Promise<boolean> {
    const now = this.#options.clock.monotonic();
    if (isLow(await this.#space())) {
      const isNew = now - this.#pressedMs > holdMs;
      this.#pressedMs = now;
      if (isNew) this.#options.event('Warning', 'EvictionThresholdMet', 'Attempting to reclaim ephemeral-storage');
      this.#reclaiming ??= this.#reclaim(isNew).finally(() => (this.#reclaiming = undefined));
    }
    return now - this.#pressedMs <= holdMs;
  }

  /** Resolves when nothing is being freed. */
  async settled(): Promise<void> {
    await this.#reclaiming;
  }

  [Symbol.dispose](): void {
    this.#cancel();
  }

  async #reclaim(isNew: boolean): Promise<void> {
    const { logger } = this.#options;
    try {
      await this.#collect(isNew);
      const space = await this.#space();
      if (isLow(space)) await this.#evictOne(space);
    } catch (error) {
      logger.warn('freeing the disk failed', { error });
    }
  }

  /** Removes unused images; says so where that is not enough. */
  async #collect(mayTell: boolean): Promise<void> {
    const problem = await this.#options.images
      .relieve()
      .then(shortage, (error: unknown) => ({ reason: undefined, text: errorText(error) }));
    this.#failures = problem === undefined ? 0 : this.#failures + 1;
    if (problem === undefined || !mayTell) return;
    if (problem.reason !== undefined) this.#options.event('Warning', problem.reason, problem.text);
    // As a kubelet: a single failure may be one of the moment.
    if (this.#failures > 1) this.#options.event('Warning', 'ImageGCFailed', problem.text);
  }

  async #evictOne(space: DiskSpace): Promise<void> {
    const { pods, logger } = this.#options;
    const victim = chooseVictim(await pods.diskUsage());
    if (victim === undefined) return;
    const { namespace, name, uid = '' } = victim.pod.metadata;
    logger.warn('a pod is evicted from a full disk', { namespace, name, usedBytes: victim.usedBytes });
    await pods.evict(uid, evictionMessage(victim, pressureThresholdBytes(space), space.availableBytes));
  }

  #collectLater(): void {
    this.#cancel = this.#options.clock.after(collectEveryMs, () => {
      const done = this.#reclaiming ?? this.#collect(true);
      void done.finally(() => this.#collectLater());
    });
  }

  #space(): Promise<DiskSpace> {
    return (this.#options.space ?? (() => diskSpace(this.#options.directory)))();
  }
}

function isLow(space: DiskSpace): boolean {
  return space.availableBytes < pressureThresholdBytes(space);
}

function shortage(relief: ImageRelief | undefined): { readonly reason: string; readonly text: string } | undefined {
  if (relief === undefined || relief.freedBytes >= relief.wantedBytes) return undefined;
  const amounts = `Attempted to free ${relief.wantedBytes} bytes, but only found ${relief.freedBytes} bytes eligible to free.`;
  return { reason: 'FreeDiskSpaceFailed', text: `Failed to garbage collect required amount of images. ${amounts}` };
}
