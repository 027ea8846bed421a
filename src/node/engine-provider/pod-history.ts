import type { ContainerStatus } from '#apis/core/v1/pod-status.ts';
import type { Pod } from '#apis/core/v1/pod.ts';
import type { SandboxState } from '#apis/runtime/engine.ts';
import type { PodRecord } from '#node/engine-provider/pod-directory.ts';
import { noHistory, type ContainerHistory } from '#node/engine-provider/supervisor-host.ts';

/** What an earlier agent left of a pod. */
export interface PodPast {
  readonly sandbox: SandboxState | undefined;
  readonly record: PodRecord | undefined;
}

/**
 * Puts together what the engine, the record and the API know of a container. The engine knows best what runs; the record
 * knows which ends have been dealt with; the API's status may lag behind both.
 */
export function containerHistory(pod: Pod, name: string, past: PodPast): ContainerHistory {
  const { initContainerStatuses = [], containerStatuses = [], ephemeralContainerStatuses = [] } = pod.status ?? {};
  const status = [...initContainerStatuses, ...containerStatuses, ...ephemeralContainerStatuses].find((one) => one.name === name);
  const engine = past.sandbox?.containers.find((one) => one.name === name && one.status !== 'created');
  const record = past.record?.containers[name];
  if (status === undefined && engine === undefined && record === undefined) return noHistory;
  const attempt = Math.max(engine?.attempt ?? 0, record?.attempt ?? 0, status?.restartCount ?? 0);
  const current = status?.restartCount === attempt ? status : undefined;
  const currentRecord = record?.attempt === attempt ? record : undefined;
  const lastTerminated = record?.lastTerminated ?? status?.lastState?.terminated;
  return {
    attempt,
    imageId: status?.imageID ?? '',
    containerId: status?.containerID ?? '',
    engine: engine?.attempt === attempt ? engine : undefined,
    terminated: currentRecord?.terminated ?? current?.state?.terminated ?? endInBackoff(current),
    lastTerminated,
    wasRunning: current?.state?.running === undefined ? undefined : (current.state.running.startedAt ?? ''),
    wasStarted: current?.started ?? false,
    wasReady: current?.ready ?? false,
  };
}

/** In back-off the status shows the last end in `lastState`, with the restart not yet counted. */
function endInBackoff(status: ContainerStatus | undefined) {
  return status?.state?.waiting?.reason === 'CrashLoopBackOff' ? status.lastState?.terminated : undefined;
}

/** A container whose sandbox is gone starts over; its restarts stay counted. */
export function withoutSandbox(history: ContainerHistory): ContainerHistory {
  return { ...noHistory, attempt: history.attempt, imageId: history.imageId, lastTerminated: history.terminated ?? history.lastTerminated };
}
