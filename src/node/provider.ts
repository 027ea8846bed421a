import type { Readable, Writable } from 'node:stream';
import type { PodStatus } from '#apis/core/v1/pod-status.ts';
import type { Pod } from '#apis/core/v1/pod.ts';
import type { StreamIo } from '#apis/runtime/engine.ts';

/**
 * Runs whole pods somewhere: what Virtual Kubelet calls a provider. The agent core (node registration, watching pods,
 * writing status, the kubelet API) works on any of them; `EngineProvider` runs pods on this machine, others in a cloud.
 *
 * Providers never call the API server. Pods handed in are shared and must not be changed. Every method may be called
 * again after a restart of the agent; a pod is known by its uid.
 */
export interface Provider extends AsyncDisposable {
  readonly capabilities: ProviderCapabilities;
  /** Takes over what an earlier process left running. Called once, before anything else; returns the uids found. */
  adopt(signal: AbortSignal): Promise<readonly string[]>;
  /** Begins to run the pod and returns without waiting for containers. Knows the pod already: same as `updatePod`. */
  createPod(pod: Pod): Promise<void>;
  /** The pod's changeable parts (images, labels, annotations, deadline, resources) have changed. */
  updatePod(pod: Pod): Promise<void>;
  /**
   * Ends the pod: stop signal, `graceSeconds`, kill. Resolves when every process is gone and every trace removed; a pod it
   * does not know is no error. Calling again with a shorter grace shortens the wait. The last status is reported before.
   */
  deletePod(uid: string, graceSeconds: number): Promise<void>;
  /** The status now, or undefined for a pod it does not know. */
  getPodStatus(uid: string): PodStatus | undefined;
  /** Uids of all pods it knows. */
  getPods(): readonly string[];
  /** Called on every change of a pod's status. Listeners must be quick and must not throw. */
  onStatus(listener: (report: PodReport) => void): () => void;

  /** Absent methods answer 501 at the kubelet API. */
  getContainerLogs?(ref: ContainerRef, options: LogOptions): Promise<Readable>;
  /** Runs a command in a container; resolves with its exit code. */
  runInContainer?(ref: ContainerRef, io: StreamIo, command: readonly string[]): Promise<number>;
  attachToContainer?(ref: ContainerRef, io: StreamIo): Promise<void>;
  portForward?(uid: string, port: number, signal: AbortSignal): Promise<PortStream>;
  getPodStats?(uid: string): Promise<PodStats | undefined>;
  pausePod?(uid: string): Promise<void>;
  resumePod?(uid: string): Promise<void>;
}

export interface ProviderCapabilities {
  /** `local`, `docker`, `aci` …: part of the node's provider ID and of messages. */
  readonly name: string;
  /** What the node object says of its runtime: `runc://…`. */
  readonly containerRuntimeVersion: string;
}

/** What a provider knows of one pod. */
export interface PodReport {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly status: PodStatus;
  /** How to reach the pod when its IP is not reachable from the host (annotation node.dormouse.dev/dial). */
  readonly dial?: string;
}

export interface ContainerRef {
  readonly uid: string;
  readonly container: string;
}

/** PodLogOptions, as the kubelet API takes them. */
export interface LogOptions {
  readonly follow: boolean;
  readonly previous: boolean;
  readonly timestamps: boolean;
  readonly tailLines?: number;
  readonly limitBytes?: number;
  /** Lines written at or after this time, milliseconds since the epoch. */
  readonly sinceMs?: number;
  readonly signal: AbortSignal;
}

export interface PortStream {
  readonly readable: Readable;
  readonly writable: Writable;
  destroy(): void;
}

export interface PodStats {
  readonly timestampMs: number;
  readonly containers: readonly {
    readonly name: string;
    readonly startedAtMs: number;
    readonly cpuUsageNanos: number;
    readonly memoryWorkingSetBytes: number;
    readonly memoryUsageBytes: number;
    readonly pids: number;
  }[];
}

/** An error with the HTTP status the kubelet API answers it with. */
export class ProviderError extends Error {
  readonly kind: 'NotFound' | 'InvalidInput' | 'NotSupported' | 'Internal';
  constructor(kind: ProviderError['kind'], message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'ProviderError';
    this.kind = kind;
  }
}

/** HTTP status of each kind of provider error: the one table. */
export const providerErrorCodes: Readonly<Record<ProviderError['kind'], number>> = {
  NotFound: 404,
  InvalidInput: 400,
  NotSupported: 501,
  Internal: 500,
};
