import { statfs } from 'node:fs/promises';

/** How full the file system of the store is. */
export interface DiskUsage {
  readonly totalBytes: number;
  /** What an ordinary user may still write. */
  readonly availableBytes: number;
}

/** The kubelet's defaults: image collection begins when the disk is this full and ends when it is that full again. */
export const highThresholdPercent = 85;
export const lowThresholdPercent = 80;

/** An image is given this long to be used by the pod that wanted it (as the kubelet's imageMinimumGCAge, which is longer). */
export const minimumAgeMs = 30_000;

export async function diskUsage(directory: string): Promise<DiskUsage> {
  const { blocks, bavail, bsize } = await statfs(directory);
  return { totalBytes: blocks * bsize, availableBytes: bavail * bsize };
}

export function usedPercent({ totalBytes, availableBytes }: DiskUsage): number {
  return totalBytes === 0 ? 0 : Math.floor(100 - (availableBytes * 100) / totalBytes);
}
