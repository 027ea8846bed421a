import type { Pod } from '#apis/core/v1/pod.ts';
import type { Clock } from '#core/clock.ts';
import type { Logger } from '#core/logger.ts';
import { podResources } from '#machinery/pod-resources.ts';
import { compareQuantities, formatQuantity, parseQuantity, type Quantity } from '#apis/meta/quantity.ts';
import type { PodDiskUsage } from '#node/pressure/disk-keeper.ts';

export interface StorageLimitsOptions {
  readonly pods: {
    diskUsage(wanted: (pod: Pod) => boolean): Promise<readonly PodDiskUsage[]>;
    exceed(uid: string, message: string): Promise<void>;
  };
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A kubelet's period. */
const periodMs = 10_000;
/** Looking takes at most one part in so many of the time: trees of many files are walked less often. */
const restPerWork = 20;
const resource = 'ephemeral-storage';

/**
 * Ends pods that take more of the disk than they may: an emptyDir's sizeLimit, or limits of ephemeral-storage. Nothing stops a write: as with a
 * kubelet, what is too much is noticed at the next look. Pods without such limits are not looked at.
 */
export class StorageLimits implements Disposable {
  readonly #options: StorageLimitsOptions;
  #cancel: () => void = () => {};
  #isOver = false;

  constructor(options: StorageLimitsOptions) {
    this.#options = options;
    this.#lookAfter(periodMs);
  }

  /** Looks once at every pod that has limits. */
  async look(): Promise<void> {
    const { pods, logger } = this.#options;
    for (const usage of await pods.diskUsage(hasStorageLimits)) {
      const message = excessOf(usage);
      if (message === undefined) continue;
      const { namespace, name, uid = '' } = usage.pod.metadata;
      logger.info('a pod takes more of the disk than it may', { namespace, name });
      await pods.exceed(uid, message);
    }
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    this.#cancel();
  }

  #lookAfter(delayMs: number): void {
    const { clock, logger } = this.#options;
    if (this.#isOver) return;
    this.#cancel = clock.after(delayMs, () => {
      const startMs = clock.monotonic();
      void this.look()
        .catch((error: unknown) => logger.warn('looking at the pods’ use of the disk failed', { error }))
        .then(() => this.#lookAfter(Math.max(periodMs, (clock.monotonic() - startMs) * restPerWork)));
    });
  }
}

function hasStorageLimits({ spec }: Pod): boolean {
  return (
    (spec?.volumes ?? []).some(({ emptyDir }) => emptyDir?.sizeLimit !== undefined) ||
    (spec !== undefined && podResources(spec, 'limits').has(resource))
  );
}

/** What the pod has exceeded first, in a kubelet's words and order: a volume, the pod's limit, a container's. */
export function excessOf({ pod, usedBytes, containers, volumes }: PodDiskUsage): string | undefined {
  for (const { name, emptyDir } of pod.spec?.volumes ?? []) {
    const limit = quantityOf(emptyDir?.sizeLimit);
    if (limit === undefined || limit.nanos === 0n || !exceeds(volumes.find((one) => one.name === name)?.usedBytes, limit)) continue;
    return `Usage of EmptyDir volume ${quoted(name)} exceeds the limit ${quoted(formatQuantity(limit))}. `;
  }
  const limit = pod.spec === undefined ? undefined : podResources(pod.spec, 'limits').get(resource);
  if (limit !== undefined && exceeds(usedBytes, limit))
    return `Pod ephemeral local storage usage exceeds the total limit of containers ${formatQuantity(limit)}. `;
  for (const { name, resources } of pod.spec?.containers ?? []) {
    const own = quantityOf(resources?.limits?.[resource]);
    if (own === undefined || !exceeds(containers.find((one) => one.name === name)?.usedBytes, own)) continue;
    return `Container ${name} exceeded its local ephemeral storage limit ${quoted(formatQuantity(own))}. `;
  }
  return undefined;
}

function exceeds(usedBytes: number | undefined, limit: Quantity): boolean {
  return compareQuantities(parseQuantity(usedBytes ?? 0), limit) > 0;
}

function quantityOf(value: string | number | undefined): Quantity | undefined {
  return value === undefined ? undefined : parseQuantity(value);
}

function quoted(text: string): string {
  return JSON.stringify(text);
}
