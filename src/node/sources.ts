import type { KubeObject } from '#apis/meta/object.ts';
import type { ConfigMap } from '#apis/core/v1/config-map.ts';
import type { PersistentVolumeClaim } from '#apis/core/v1/persistent-volume-claim.ts';
import type { PersistentVolume } from '#apis/core/v1/persistent-volume.ts';
import type { Secret } from '#apis/core/v1/secret.ts';
import type { Service } from '#apis/core/v1/service.ts';
import type { Pod } from '#apis/core/v1/pod.ts';

/**
 * What a pod's containers are made from besides the pod itself. Providers get these readers handed in and never call the
 * API server. `undefined` means the object does not exist; failures of the API are thrown.
 */
export interface PodSources {
  configMap(namespace: string, name: string): Promise<ConfigMap | undefined>;
  secret(namespace: string, name: string): Promise<Secret | undefined>;
  claim(namespace: string, name: string): Promise<PersistentVolumeClaim | undefined>;
  persistentVolume(name: string): Promise<PersistentVolume | undefined>;
  /** All services of a namespace, for service environment variables. */
  services(namespace: string): readonly Service[];
  /** Calls back after every change of the object until the returned function is called. */
  watchConfigMap(namespace: string, name: string, listener: () => void): () => void;
  watchSecret(namespace: string, name: string, listener: () => void): () => void;
  /** A token of the pod's service account, bound to the pod. */
  serviceAccountToken(pod: Pod, request: TokenRequest): Promise<IssuedToken>;
}

export interface TokenRequest {
  /** Absent: the API server's own audience. */
  readonly audience?: string;
  readonly expirationSeconds: number;
}

export interface IssuedToken {
  readonly token: string;
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number;
}

/** Writes events about a pod; `container` names the container they are about. Never throws. */
export interface PodEvents {
  normal(pod: KubeObject, reason: string, message: string, container?: string): void;
  warning(pod: KubeObject, reason: string, message: string, container?: string): void;
}

/** Facts of the node that pods see. */
export interface NodeFacts {
  readonly name: string;
  readonly hostIps: readonly string[];
  readonly clusterDns: readonly string[];
  readonly clusterDomain: string;
  /** For resourceFieldRef of limits that are not set. */
  readonly allocatable: { readonly cpuMillis: number; readonly memoryBytes: number; readonly ephemeralStorageBytes: number };
}
