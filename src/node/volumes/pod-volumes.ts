import type { Container } from '#apis/core/v1/container.ts';
import type { Pod } from '#apis/core/v1/pod.ts';
import type { Mount } from '#apis/runtime/engine.ts';

/** A volume could not be set up (yet); the message is kubelet's, with the volume's name. */
export class VolumeError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'VolumeError';
  }
}

/** The volumes of one pod. */
export interface PodVolumes extends AsyncDisposable {
  /** Makes every volume, or throws VolumeError; may be called again. Files of a volume that exists are kept or refreshed. */
  prepare(podIp: string | undefined, signal: AbortSignal): Promise<void>;
  /** The pod's labels, annotations or addresses have changed: downward API volumes follow. */
  refresh(pod: Pod): void;
  /** What a container's volumeMounts bind. `environment` is for subPathExpr. */
  mounts(container: Container, environment: ReadonlyMap<string, string>): Promise<readonly Mount[]>;
  /** What those volumes take of the node's disk that end with the pod; not what lies in memory. */
  diskUsage(): Promise<readonly { readonly name: string; readonly usedBytes: number }[]>;
}
