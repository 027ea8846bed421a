import type { Container } from '#apis/core/v1/container.ts';
import type { ContainerStateTerminated } from '#apis/core/v1/pod-status.ts';
import type { Pod } from '#apis/core/v1/pod.ts';
import type { ContainerSpec, ContainerState as EngineState, Engine } from '#apis/runtime/engine.ts';
import type { LocalImage } from '#apis/runtime/image-service.ts';
import type { Clock } from '#core/clock.ts';
import type { Logger } from '#core/logger.ts';
import type { ImagePuller } from '#node/engine-provider/image-puller.ts';
import type { ProbePace } from '#node/probes/container-probes.ts';
import type { ProbeTarget } from '#node/probes/probe-target.ts';
import type { PodEvents } from '#node/sources.ts';

/** What a container's supervisor needs of its pod. */
export interface SupervisorHost {
  readonly pod: Pod;
  readonly sandboxId: string;
  readonly hasInitContainers: boolean;
  readonly aggressiveProbes: boolean;
  readonly detectsHttp2: boolean;
  /** Seconds a container of this pod gets to end. */
  readonly graceSeconds: number;
  /** Aborts when the pod is being ended. */
  readonly signal: AbortSignal;
  readonly engine: Engine;
  readonly puller: ImagePuller;
  readonly events: PodEvents;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly pace: ProbePace;
  probeTarget(container: Container): ProbeTarget;
  containerSpec(container: Container, image: LocalImage, attempt: number): Promise<ContainerSpec>;
  /** What the container left as its last words, '' for none. */
  terminationMessage(container: Container, attempt: number, exitCode: number): Promise<string>;
  /** Something the pod's status shows has changed. */
  changed(): void;
  /** Restart counts and ends have changed: they must outlive the agent. */
  persist(): void;
}

/** What is known of a container when its supervisor begins; all zero for a new pod. */
export interface ContainerHistory {
  /** Restart count of the instance this is about. */
  readonly attempt: number;
  readonly imageId: string;
  readonly containerId: string;
  /** What the engine says of it now. */
  readonly engine: EngineState | undefined;
  /** Its end, where an earlier agent has already dealt with it. */
  readonly terminated: ContainerStateTerminated | undefined;
  readonly lastTerminated: ContainerStateTerminated | undefined;
  /** When it was started, if it was running when the agent was last here. */
  readonly wasRunning: string | undefined;
  readonly wasStarted: boolean;
  readonly wasReady: boolean;
}

export const noHistory: ContainerHistory = {
  attempt: 0,
  imageId: '',
  containerId: '',
  engine: undefined,
  terminated: undefined,
  lastTerminated: undefined,
  wasRunning: undefined,
  wasStarted: false,
  wasReady: false,
};
