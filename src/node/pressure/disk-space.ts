import { statfs } from 'node:fs/promises';

export interface DiskSpace {
  readonly totalBytes: number;
  /** What an ordinary user may still write. */
  readonly availableBytes: number;
}

export async function diskSpace(directory: string): Promise<DiskSpace> {
  const { blocks, bavail, bsize } = await statfs(directory);
  return { totalBytes: blocks * bsize, availableBytes: bavail * bsize };
}

/**
 * Below this the node has disk pressure: a tenth of the disk, as a kubelet's nodefs.available, but at most 1 GiB. A laptop whose big disk is 95 %
 * full still has room for pods.
 */
export function pressureThresholdBytes({ totalBytes }: DiskSpace): number {
  return Math.min(totalBytes / 10, 2 ** 30);
}
