import type { Pod } from '#apis/core/v1/pod.ts';
import type { Engine } from '#apis/runtime/engine.ts';
import type { ImageService } from '#apis/runtime/image-service.ts';
import type { Clock } from '#core/clock.ts';
import type { Logger } from '#core/logger.ts';
import type { DnsSettings } from '#node/engine-provider/dns-settings.ts';
import type { HostSocket } from '#node/engine-provider/host-ports.ts';
import type { StartPace } from '#node/engine-provider/start-pace.ts';
import type { ProbePace } from '#node/probes/container-probes.ts';
import type { NodeFacts, PodEvents, PodSources } from '#node/sources.ts';

/** Everything the pods of one node share. */
export interface EngineProviderOptions {
  readonly engine: Engine;
  readonly images: ImageService;
  readonly sources: PodSources;
  readonly events: PodEvents;
  readonly node: () => NodeFacts;
  /** The machine's own DNS configuration, for dnsPolicy Default. */
  readonly hostDns: () => DnsSettings;
  /** Ports that processes of the machine hold. */
  readonly hostSockets: () => readonly HostSocket[];
  readonly dataDirectory: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface RunnerDependencies extends EngineProviderOptions {
  readonly pace: ProbePace;
  readonly starts: StartPace;
  /** The pod's status, dial address or existence has changed. */
  readonly onChange: (pod: Pod) => void;
}
