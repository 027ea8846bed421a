import type { Pod } from '#apis/core/v1/pod.ts';
import type { SandboxState } from '#apis/runtime/engine.ts';
import { errorText } from '#core/errors.ts';
import { retry } from '#core/retry.ts';
import { buildSandboxSpec } from '#node/engine-provider/container-spec.ts';
import type { RunnerDependencies } from '#node/engine-provider/dependencies.ts';
import { takenHostPort } from '#node/engine-provider/host-ports.ts';
import { VolumeError, type PodVolumes } from '#node/volumes/pod-volumes.ts';

/** Creates the pod's sandbox, or takes over the one that is there, again and again while that fails; the pod's events say why. */
export function createSandbox(
  pod: () => Pod,
  known: SandboxState | undefined,
  deps: RunnerDependencies,
  signal: AbortSignal,
): Promise<SandboxState> {
  const { clock, events, engine } = deps;
  const create = async () => {
    // Looked at before the pod has anything: what runs already has its ports.
    const problem = known === undefined ? takenHostPort(pod(), deps.hostSockets) : undefined;
    if (problem !== undefined) throw new Error(problem);
    return engine.createSandbox(buildSandboxSpec(pod(), deps.node(), deps.hostDns()), signal);
  };
  return retry(create, {
    clock,
    signal,
    baseMs: 1_000,
    maxMs: 30_000,
    onFailure: (error) => events.warning(pod(), 'FailedCreatePodSandBox', `Failed to create pod sandbox: ${errorText(error)}`),
  });
}

/** Prepares the pod's volumes, likewise. */
export function prepareVolumes(
  pod: () => Pod,
  volumes: PodVolumes,
  podIp: string,
  { clock, events }: RunnerDependencies,
  signal: AbortSignal,
): Promise<void> {
  return retry(() => volumes.prepare(podIp, signal), {
    clock,
    signal,
    baseMs: 500,
    maxMs: 10_000,
    onFailure: (error) => events.warning(pod(), 'FailedMount', error instanceof VolumeError ? error.message : errorText(error)),
  });
}
